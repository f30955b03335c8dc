"""One generation of one actor: its gate, its tasks, its sockets, and the order in which it stops.

::

    STARTING ──── on_actor_start returned ────► RUNNING ──── a reason to stop ────► STOPPING ────► STOPPED
        └──────────────── on_actor_start raised, or a reason to stop ───────────────────┘

Whatever arrives while it starts waits at the gate, in order. There is one way to stop, whatever the reason, and `StopReason`
says what differs: how long the tasks may take, what becomes of the clients, and what the engine is told.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Coroutine
from typing import Any, Final

from rivet_runner._hosting import actor_sockets as sockets
from rivet_runner._hosting.matching import match
from rivet_runner._hosting.services import Services, log
from rivet_runner._hosting.stopping import HURRY_SECONDS, StopClock, StopReason, stop_actor
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.journal import Journal
from rivet_runner._tasks import TaskGroup, is_being_cancelled
from rivet_runner.actor import Actor
from rivet_runner.errors import RecordError, RunnerShutDown
from rivet_runner.hibernation import HibernationRecord
from rivet_runner.http import Request
from rivet_runner.kv import KV
from rivet_runner.protocol.wire import (
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    CommandStartActor,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
)
from rivet_runner.websocket import SocketState, WebSocket

__all__ = ["Generation", "GenerationPhase"]

MAX_ERROR_TEXT: Final = 4096
"""Characters of a crash's text; the engine shows it with the actor."""

UNKNOWN_REQUEST: Final = Request("GET", "/", {}, b"")


class GenerationPhase(enum.Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Generation:
    """Everything that this runner holds for one actor generation. Made, synchronously, by the start command."""

    def __init__(self, services: Services, command: CommandStartActor) -> None:
        self.services = services
        self.uplink = services.uplink
        kv = KV(command.actor_id, services.kv_calls)
        self.actor = Actor(command.actor_id, command.generation, command.config, kv, self)
        self.phase = GenerationPhase.STARTING
        self.sockets: dict[bytes, WebSocket] = {}
        # Made when they are first needed: the fewer objects an idle actor has, the less there is to collect garbage from.
        self._work: TaskGroup | None = None
        self.background: TaskGroup | None = None
        self._journal: Journal | None = None
        self.holding: set[Hibernation] | None = None
        self.socket_task_name = f"actor {command.actor_id}: websocket"
        self.stop_commanded = False
        self.intent: StopReason | None = None
        self._alarm_ms: int | None = None
        self._going_since_ms: int | None = None
        self.start_succeeded = False
        self.requests = 0
        self._gate: asyncio.Future[bool] | None = None
        self._running_reported = False
        self._stop_task: asyncio.Task[Any] | None = None
        self._start_task: asyncio.Task[Any] | None = None
        self.stop_reason: StopReason | None = None
        self._released: asyncio.Future[None] | None = None
        self.stop_clock: StopClock | None = None
        self.listed: dict[bytes, WebSocket] = {}
        """The hibernating WebSockets that the engine has listed, until they are restored."""
        for request in command.hibernating_requests:
            key = request.gateway_id + request.request_id
            if not services.departed_clients.take(key):
                self.listed[key] = self._new_socket(key, UNKNOWN_REQUEST)

    @property
    def work(self) -> TaskGroup:
        """Its requests and the handlers of its WebSockets."""
        if self._work is None:
            self._work = TaskGroup(f"actor {self.actor.id}", log)
        return self._work

    @property
    def journal(self) -> Journal:
        """The records of this actor's hibernatable sockets."""
        if self._journal is None:
            self._journal = Journal(self.services.store(self.actor), self.work, self.actor.log)
        return self._journal

    # Starting

    def start(self, after: Generation | None) -> None:
        """Begin to start; ``after`` is an older generation that must have stopped first."""
        self._start_task = self.services.tasks.spawn(self._start(after), name=f"actor {self.actor.id}: start")

    async def wait_started(self) -> bool:
        """Wait until `Runner.on_actor_start` has finished; false where it failed. Cancelling is safe."""
        if self.phase is GenerationPhase.RUNNING:
            return True
        if self.phase is GenerationPhase.STARTING:
            if self._gate is None:
                self._gate = asyncio.get_running_loop().create_future()
            return await asyncio.shield(self._gate)
        return self.start_succeeded

    async def _start(self, after: Generation | None) -> None:
        if after is not None:
            await after.stopped()
        self.services.slow_starts.watch(self)
        try:
            await self.services.hooks.on_actor_start(self.actor)
            stored = await self.journal.load_all() if self.listed or self.services.hibernates else {}
        except (Exception, asyncio.CancelledError) as error:
            self._open_gate(False)
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            self.actor.log.exception("on_actor_start raised; the actor is reported as crashed")
            self.stop(StopReason.CRASHED, error=error_text(error))
            return
        self.start_succeeded = True
        if self.phase is GenerationPhase.STARTING:
            self.phase = GenerationPhase.RUNNING
        self.report_running()
        if self.listed or stored:
            self._restore_sockets(stored)
        self._open_gate(True)
        self._start_task = None

    def _open_gate(self, started: bool) -> None:
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(started)

    def report_running(self) -> None:
        """Tell the engine, once, that the actor runs."""
        if not self._running_reported and self.phase in (GenerationPhase.STARTING, GenerationPhase.RUNNING):
            self._running_reported = True
            self.report_state(ActorStateRunning())

    def _restore_sockets(self, stored: dict[bytes, HibernationRecord | RecordError]) -> None:
        listed, self.listed = self.listed, {}
        matched = match(listed, stored)
        hold = self.services.replays.attach_seconds(len(listed))
        restored = []
        for key, record in matched.restore.items():
            if isinstance(record, RecordError):
                self.actor.log.error("a hibernating WebSocket cannot be restored: %s", record)
                sockets.close_unknown(self, listed[key], hold, damaged=True)
                self.forget_socket(listed[key])
            else:
                restored.append(sockets.restore(self, listed[key], record, hold))
        if restored:
            self.services.replays.woken(restored, hold)
        for key in matched.unknown:
            self.actor.log.warning("the gateway holds a WebSocket of which no record is stored; the client is closed")
            sockets.close_unknown(self, listed[key], hold, damaged=False)
            self.forget_socket(listed[key])
        for key, record in matched.stale.items():
            if isinstance(record, RecordError):
                self.journal.forget(key)
            else:
                self.work.spawn(sockets.run_stale(self, key, record), name=f"actor {self.actor.id}: stale websocket")

    # Sockets

    def open_socket(self, key: bytes, request: Request) -> None:
        """The engine opens a WebSocket. One that is open under the same key is replaced; the engine is not told."""
        replaced = self.sockets.get(key)
        if replaced is not None:
            replaced._end(SocketState.CLOSED, 1006, "ws.replaced")
        ws = self._new_socket(key, request)
        self.work.spawn(sockets.serve(self, ws), name=self.socket_task_name)

    def open_websockets(self) -> tuple[WebSocket, ...]:
        return tuple(ws for ws in self.sockets.values() if ws._state is SocketState.OPEN)

    def forget_socket(self, ws: WebSocket) -> None:
        """No message finds this socket any more."""
        for table in (self.sockets, self.services.sockets):
            if table.get(ws._key) is ws:
                del table[ws._key]

    def end_socket(self, ws: WebSocket) -> None:
        """The handler cannot go on because the actor stops."""
        if self.cut_off:
            ws._end(SocketState.CLOSED, *self.stop_close)
        elif ws.hibernatable and not self.destroyed:
            ws._hibernate()
        else:
            ws._close(*self.stop_close)

    @property
    def cut_off(self) -> bool:
        """Whether the engine does not listen to this generation any more: nothing is sent for it."""
        return self.stop_reason is not None and self.stop_reason.cut_off

    @property
    def destroyed(self) -> bool:
        """Whether it is certain that the actor ends for good, and its clients with it."""
        return self.stop_reason is StopReason.DESTROYED

    @property
    def stop_close(self) -> tuple[int, str]:
        """The close that the clients of a stopping actor get: going away where it is gone for good."""
        return (1001 if self.destroyed else 1000), "actor.stopped"

    async def broadcast(self, message: str | bytes) -> int:
        reached = 0
        payload: tuple[bytes, bool] | None = None
        for ws in self.open_websockets():
            if payload is None:
                payload = ws._payload(message)
            if ws._state is SocketState.OPEN:  # it may have closed while an earlier send waited
                await ws._send(*payload)
                reached += 1
        return reached

    def _new_socket(self, key: bytes, request: Request) -> WebSocket:
        ws = WebSocket(key, request, self.uplink, self.services.arrivals, self.services.config.max_payload)
        self.sockets[key] = self.services.sockets[key] = ws
        return ws

    # What a hook asks for

    def ask_to_sleep(self) -> None:
        if self.intent is None:
            self._ask(StopReason.ASLEEP)
            if self._journal is not None:
                self._journal.flush_soon()

    def ask_to_destroy(self) -> None:
        if self.intent is not StopReason.DESTROYED:
            self._ask(StopReason.DESTROYED)

    def _ask(self, reason: StopReason) -> None:
        if self.phase not in (GenerationPhase.STARTING, GenerationPhase.RUNNING):
            return
        self.intent = reason
        self._going_since_ms = _now_ms()
        self.report_running()
        intent = ActorIntentSleep() if reason is StopReason.ASLEEP else ActorIntentStop()
        self._report(EventActorIntent(self.actor.id, self.actor.generation, intent))

    def set_alarm(self, when_ms: int | None) -> None:
        if self.phase is GenerationPhase.STOPPED:
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, its alarm can no longer be set")
        self._alarm_ms = when_ms
        self._report(EventActorSetAlarm(self.actor.id, self.actor.generation, when_ms))

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if self.phase is GenerationPhase.STOPPED or (self.background is not None and self.background.closed):
            coroutine.close()
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, no task can be spawned")
        if self.background is None:
            self.background = TaskGroup(f"actor {self.actor.id} background", self.actor.log)
        name = getattr(coroutine, "__qualname__", "task")
        return self.background.spawn(coroutine, name=f"actor {self.actor.id}: {name}")

    # Stopping

    def stop(self, reason: StopReason, *, error: str | None = None) -> None:
        """Begin to stop. A stop that is under way goes on, and hurries where the new reason does not wait."""
        if self.phase in (GenerationPhase.STARTING, GenerationPhase.RUNNING):
            self.stop_reason = reason
            self._going_since_ms = self._going_since_ms or _now_ms()
            self.phase = GenerationPhase.STOPPING
            self.stop_clock = StopClock(self.services.config.actor_stop_timeout)
            self._stop_task = self.services.tasks.spawn(
                self._stop(self._start_task, error), name=f"actor {self.actor.id}: stop"
            )
        elif self.phase is GenerationPhase.STOPPING and reason.cut_off:
            self.stop_reason = reason
            self.cut()
        if reason.hurries and self.stop_clock is not None:
            self.stop_clock.hurry(HURRY_SECONDS)

    def cut(self) -> None:
        """The engine does not listen any more: what would wait for it ends now."""
        assert self.stop_reason is not None
        self.actor.kv._close(self.stop_reason.value)
        for ws in [*self.sockets.values()]:
            self.end_socket(ws)

    async def _stop(self, start: asyncio.Task[Any] | None, error: str | None) -> None:
        try:
            await stop_actor(self, start, error)
        finally:
            self.phase = GenerationPhase.STOPPED
            self._open_gate(False)
            self.services.forget(self)

    async def released(self) -> None:
        """Wait until nothing is held back for a WebSocket any more."""
        if self.holding:
            self._released = asyncio.get_running_loop().create_future()
            await self._released

    def hold(self, side: Hibernation) -> None:
        """``side`` holds back what is sent."""
        if self.holding is None:
            self.holding = set()
        self.holding.add(side)

    def let_go(self, side: Hibernation) -> None:
        """``side`` holds nothing back any more."""
        if self.holding is not None:
            self.holding.discard(side)
        if not self.holding and self._released is not None and not self._released.done():
            self._released.set_result(None)

    async def stopped(self) -> None:
        """Wait until this generation has stopped. Cancelling is safe."""
        if self._stop_task is not None:
            await asyncio.wait([self._stop_task])

    async def repeat_alarm(self, timeout: float) -> None:
        """Make sure of an alarm that is due after the actor began to go to sleep.

        The engine loses one that comes due meanwhile, and one that reaches it together with ``Stopped`` (seen: a third of
        them). Set again, and sent before ``Stopped``, none was lost.
        """
        if self._alarm_ms is None or self._going_since_ms is None or self._alarm_ms < self._going_since_ms:
            return
        self._report(EventActorSetAlarm(self.actor.id, self.actor.generation, self._alarm_ms))
        await self.uplink.events_flushed(timeout)

    def report_state(self, state: ActorStateRunning | ActorStateStopped) -> None:
        """Tell the engine that the actor runs, or that it has stopped."""
        self._report(EventActorStateUpdate(self.actor.id, self.actor.generation, state))

    def _report(self, event: Event) -> None:
        """Tell the engine, unless it has forgotten this runner, and this generation with it."""
        if self.stop_reason is not StopReason.FORGOTTEN:
            self.uplink.report(event)


def error_text(error: BaseException) -> str:
    """An error as text that can be sent: of bounded length, and UTF-8 whatever it was made from."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return text[:MAX_ERROR_TEXT].encode("utf-8", "replace").decode()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
