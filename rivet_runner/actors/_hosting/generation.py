"""One generation of one typed actor: what its own code sees, how it starts and how it stops.

A start::

    __init__ ─► stored state, or initial_state ─► connections that hibernated ─► schedules ─► on_create, if new ─► on_start
    ─► the state of a new actor is stored ─► run(), schedules

A stop::

    run() and schedules end ─► actions and raw requests end ─► raw WebSockets, and connections that cannot hibernate, are
    closed ─► on_sleep, or on_destroy ─► the state is stored, and the messages behind it count as processed
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final

from rivet_runner.actor import Actor, Alarm, StopReason
from rivet_runner.actors._context import ActorContext, bind
from rivet_runner.actors._hosting.calls import Calls, caller
from rivet_runner.actors._hosting.connections import ConnectionTable, HostedConnection
from rivet_runner.actors._hosting.kind import ActorKind
from rivet_runner.actors._hosting.refusals import INTERNAL, Refusal, error_for_caller, is_for_caller
from rivet_runner.actors._hosting.restoring import restore_all
from rivet_runner.actors._hosting.saving import Saving
from rivet_runner.actors._hosting.scheduling import SchedulerSeam
from rivet_runner.actors._keys import split_key
from rivet_runner.actors._schedule.scheduler import Scheduler
from rivet_runner.actors._state.store import StateStore
from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._wire.messages import ActorSpecifier, Error, Event
from rivet_runner.actors._wire.values import load_cbor
from rivet_runner.actors.client import Client
from rivet_runner.actors.connection import Connection
from rivet_runner.actors.durable_actor import DurableActor
from rivet_runner.actors.schedule import Schedule
from rivet_runner.errors import PayloadTooLarge, RunnerShutDown, WebSocketClosed
from rivet_runner.http import Request
from rivet_runner.websocket import WebSocket

__all__ = ["TypedGeneration"]

CREATED: Final = b"created"
"""The key that tells that the actor has started once without an error."""

CLOSED_BY_STOP: Final = (1001, "actor.stopping")

MAX_REPORTS: Final = 64
"""Calls of ``on_error`` that run side by side, for errors that nothing waits for. Further errors are only logged."""

CLEANUP_SECONDS: Final = 1.0
HURRIED_CLEANUP_SECONDS: Final = 0.05
"""For cancelled tasks to clean up."""


class TypedGeneration(ActorContext):
    """Everything that is held for one generation of one typed actor.

    ``new_id`` makes the ids of connections, and ``stop_seconds`` is how long its stop may take.
    """

    __slots__ = (
        "_client",
        "_hurries",
        "_reports",
        "_run",
        "_runs_schedules",
        "_scheduler",
        "_stop_seconds",
        "_store",
        "actor",
        "calls",
        "connection_table",
        "input",
        "instance",
        "is_stopping",
        "key",
        "kind",
        "raw_websockets",
        "resources",
        "saving",
        "started_at",
        "state",
    )

    def __init__(
        self,
        kind: ActorKind,
        actor: Actor,
        resources: Any,
        client: Client,
        new_id: Callable[[], str],
        stop_seconds: float,
    ) -> None:
        self.kind = kind
        self.actor = actor
        self.resources = resources
        self.key = split_key(actor.key)
        self.is_stopping = False
        self._client = client
        self._stop_seconds = stop_seconds
        self._hurries = False
        self._reports = 0
        self.started_at = 0.0
        """When ``on_start`` had returned, on the event loop's clock."""
        self._run: asyncio.Task[Any] | None = None
        self.input = self._decoded_input()
        self.instance: DurableActor[Any] = kind.cls.__new__(kind.cls)
        bind(self.instance, self)
        self.instance.__init__()  # type: ignore[misc]
        self.connection_table = ConnectionTable(new_id, lambda: int(actor.now().timestamp() * 1000), self._report)
        state_type = kind.declaration.state_type
        self._store = None if state_type.is_none else StateStore(actor.kv.area("state"), state_type)
        save = None if self._store is None else self._save_state
        self.saving = Saving(actor, self.connection_table, save, self._save_failed, kind.cls.save_interval)
        self.raw_websockets: dict[WebSocket, asyncio.Task[Any]] = {}
        """Those that are open, each with the task of its handler."""
        self.calls = Calls(actor, kind.actions, self.instance, self.saving.soon)
        self._scheduler: Scheduler | None = None
        self._runs_schedules = False
        if self._store is None:
            self.state = None

    def _decoded_input(self) -> Any:
        raw = self.actor.input
        plain_input = None if not raw else load_cbor(raw)
        try:
            return self.kind.declaration.input_type.convert(plain_input)
        except ConversionError as error:
            raise error.below("input") from None

    # What the actor's own code sees

    @property
    def connections(self) -> Mapping[str, Connection]:
        return self.connection_table.view

    @property
    def caller(self) -> Connection | None:
        connection = caller.get()
        return connection if connection is not None and connection.table is self.connection_table else None

    @property
    def schedule(self) -> Schedule:
        return Schedule(self._any_scheduler())

    def _any_scheduler(self) -> Scheduler:
        """The scheduler. Most actors schedule nothing, so it is made when it is first needed."""
        if self._scheduler is None:
            seam = SchedulerSeam(self.actor, self.kind, self.instance, self.saving.now, self.failed)
            self._scheduler = Scheduler(seam)
            if self._runs_schedules:
                self._scheduler.start()
        return self._scheduler

    @property
    def client(self) -> Client:
        return self._client

    async def save(self) -> None:
        await self.saving.now()

    async def emit(self, event: str, value: Any, to: Collection[Connection] | None, without: Connection | None) -> int:
        """See `rivet_runner.actors.event.BoundEvent.emit`. The event is encoded once for each encoding."""
        table = self.connection_table
        message: Event | None = None
        frames: dict[Any, str | bytes] = {}
        reached = 0
        chosen = None if to is None else {*to}
        for connection in table.subscribers(event):
            if connection is without or (chosen is not None and connection not in chosen):
                continue
            if message is None:
                message = Event(event, [plain(value)])
            frame = frames.get(connection.codec)
            if frame is None:
                frame = frames[connection.codec] = connection.codec.encode_to_client(message)
                if size_of(frame) > self.kind.max_outgoing:
                    raise PayloadTooLarge(f"the event {event!r} has {size_of(frame)} bytes, over max_outgoing_message")
            try:
                assert connection.ws is not None
                await connection.ws.send(frame)
                reached += 1
            except WebSocketClosed:
                continue
        return reached

    # Starting

    async def start(self) -> None:
        """Start. Raises what a hook raises, and the errors of the store. Then nothing is left of it."""
        try:
            life = self.actor.kv.area("life")
            is_new = await life.get(CREATED) is None
            await self._load_state()
            if self.kind.hibernates and not is_new:
                await restore_all(self.actor, self.kind, self.connection_table)
            await self._load_schedules()
            if is_new:
                await self.instance.on_create(self.input)
            await self.instance.on_start()
            if is_new:
                await self.saving.now()
                await life.put(CREATED, b"")
        except BaseException:
            self._close()
            raise
        self.started_at = asyncio.get_running_loop().time()
        self._runs_schedules = True
        if self._scheduler is not None:
            self._scheduler.start()
        if self.kind.runs:
            self._run = self.actor.spawn(self._run_loop(), keep_awake=self.kind.cls.run_keeps_awake)

    async def _load_state(self) -> None:
        if self._store is None:
            return
        stored = await self._store.load_bytes()
        if stored is None:
            self.state = self.instance.initial_state(self.input)
        elif self.kind.migrates:
            state_type = self.kind.declaration.state_type
            self.state = state_type.from_plain(self.kind.cls.migrate_state(state_type.decode_plain(stored)))
        else:
            self.state = self.kind.declaration.state_type.decode(stored)

    async def _load_schedules(self) -> None:
        was_needed = self._scheduler is not None
        scheduler = self._any_scheduler()
        await scheduler.load()
        if not was_needed and not scheduler.entries():
            self._scheduler = None

    async def _run_loop(self) -> None:
        try:
            await self.instance.run()
        except Exception as error:
            await self.failed(error, "run")

    # Stopping

    async def stop(self) -> None:
        """Stop, in the order of the module's docstring. A cancellation, if no time is left, cuts one step short."""
        self.is_stopping = True
        destroyed = self.actor.stop_reason is StopReason.DESTROY
        await self._step(self._end_run())
        await self._step(self._any_scheduler().stop())
        await self._step(self._end_calls())
        await self._step(self._close_connections(everything=destroyed))
        await self._step(self._call_stop_hook(destroyed))
        if not destroyed:
            await self._step(self._store_all())
        self._close()

    async def _step(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            await step
        except asyncio.CancelledError:
            self._hurries = True

    async def _end_run(self) -> None:
        if self._run is not None:
            self._run.cancel()
            await asyncio.wait([self._run], timeout=CLEANUP_SECONDS)

    async def _end_calls(self) -> None:
        ended = False
        if not self._hurries:
            try:
                ended = await self.calls.finish(self._stop_seconds / 2)
            except asyncio.CancelledError:
                self._hurries = True
        if not ended and self.calls:
            self.actor.log.warning("actions or hooks did not finish before the actor stopped; they are cancelled")
            self.calls.cancel()
            await self.calls.finish(HURRIED_CLEANUP_SECONDS if self._hurries else CLEANUP_SECONDS)

    async def _close_connections(self, *, everything: bool) -> None:
        closed: dict[WebSocket, asyncio.Task[Any] | None] = {**self.raw_websockets}
        for connection in self.connection_table.all():
            if everything or not connection.hibernatable:
                assert connection.ws is not None
                closed[connection.ws] = connection.task
        for ws in closed:
            await ws.close(*CLOSED_BY_STOP)
        handlers = [task for task in closed.values() if task is not None]
        if handlers:
            await asyncio.wait(handlers, timeout=self._stop_seconds / 4)

    async def _call_stop_hook(self, destroyed: bool) -> None:
        try:
            await (self.instance.on_destroy() if destroyed else self.instance.on_sleep())
        except Exception as error:
            await self.failed(error, "on_destroy" if destroyed else "on_sleep")

    async def _store_all(self) -> None:
        self.connection_table.write_records(everything=True)
        try:
            await self.saving.now()
        except Exception as error:
            await self._save_failed(error)

    def _close(self) -> None:
        """No timer goes on."""
        self.saving.close()
        self.calls.close()

    # Its state

    async def _save_state(self) -> None:
        assert self._store is not None
        await self._store.save(self.instance.state)

    async def _save_failed(self, error: Exception) -> None:
        await self.failed(error, "save")

    # Its clients

    async def guard(self, params: Any, request: Request) -> dict[str, Any]:
        """Ask ``before_connect`` and return the first state of the connection. Raises an error for the caller."""
        if not self.kind.guards:
            return {}
        try:
            state = await self.instance.before_connect(params, request)
            if state is not None and not isinstance(state, dict):
                raise TypeError(f"before_connect must return a dict or None, not {type(state).__name__}")
        except Exception as error:
            raise self.for_caller(error, "before_connect") from error
        return state or {}

    async def disconnected(self, connection: HostedConnection) -> None:
        """Tell the actor that a client has gone."""
        try:
            await self.instance.on_disconnect(connection)
        except Exception as error:
            await self.failed(error, "on_disconnect")
        self.saving.soon()

    def check_outgoing(self, answer: str | bytes) -> None:
        """Raise a `Refusal` if an encoded answer is too long."""
        if len(answer) * 4 <= self.kind.max_outgoing:
            return  # a character has at most 4 bytes
        size = size_of(answer)
        if size > self.kind.max_outgoing:
            text = f"the answer has {size} bytes, over max_outgoing_message"
            raise Refusal("message", "outgoing_too_long", text)

    # Errors

    @property
    def specifier(self) -> ActorSpecifier:
        """The actor, as errors name it."""
        return ActorSpecifier(self.actor.id, self.actor.generation, self.actor.key)

    def error_for(self, error: BaseException, action_id: int | None = None) -> Error:
        """What the caller is told of ``error``."""
        return error_for_caller(error, self.specifier, action_id)

    def for_caller(self, error: Exception, where: str) -> Exception:
        """``error`` if it is meant for the caller. Else report it, and return what the caller gets in its place."""
        if is_for_caller(error):
            return error
        self._report(error, where)
        return Refusal(*INTERNAL)

    def _report(self, error: Exception, where: str) -> None:
        """Tell the actor of an error of its own code, without waiting for it."""
        if self._reports < MAX_REPORTS:
            try:
                self.actor.spawn(self._failed_meanwhile(error, where), keep_awake=False)
            except RunnerShutDown:
                pass
            else:
                self._reports += 1
                return
        self.actor.log.error("%s raised", where, exc_info=error)

    async def _failed_meanwhile(self, error: Exception, where: str) -> None:
        try:
            await self.failed(error, where)
        finally:
            self._reports -= 1

    async def failed(self, error: Exception, where: str) -> None:
        """Tell the actor of an error. An ``on_error`` that raises is logged."""
        try:
            await self.instance.on_error(error, where)
        except Exception:
            self.actor.log.exception("on_error raised for this error of %s", where)
            self.actor.log.error("%s raised", where, exc_info=error)

    async def on_alarm(self, alarm: Alarm) -> None:
        """The actor's alarm is due: run what is scheduled."""
        await self._any_scheduler().on_alarm(alarm)


def size_of(frame: str | bytes) -> int:
    """In bytes, as it is sent."""
    return len(frame) if isinstance(frame, bytes) or frame.isascii() else len(frame.encode())
