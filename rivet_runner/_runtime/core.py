"""Puts one runner together: each decision of the session goes to the layer that it is for.

`Core` is what `Runner` hides from its subclasses. It owns the runner's tasks and its lifecycle, and is the only place that
knows every layer. What happens in which order when the runner goes down is in `rivet_runner._runtime.shutdown`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import msgspec

from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.reading import Reading
from rivet_runner._connection.reconnecting import ReconnectLoop
from rivet_runner._connection.uplink import Uplink
from rivet_runner._hosting.registry import ActorRegistry
from rivet_runner._hosting.services import DepartedClients, Services
from rivet_runner._hosting.slow_starts import SlowStarts
from rivet_runner._hosting.stopping import StopReason
from rivet_runner._hosting.tunnel import Tunnel
from rivet_runner._kv.calls import KvCalls
from rivet_runner._kv.records import KvHibernationStore
from rivet_runner._lifecycle import Lifecycle, LifecycleEvent
from rivet_runner._runtime.shutdown import Shutdown
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import CloseRequested, Initialised, KvAnswered, Session, WindowMoved
from rivet_runner._sockets.replays import Replays
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import DecodeError, EngineRejected, RunnerEvicted, RunnerShutDown
from rivet_runner.protocol.wire import (
    PROTOCOL_VERSION,
    ActorName,
    CommandStartActor,
    CommandStopActor,
    ToClientTunnelMessage,
    ToServerInit,
)

if TYPE_CHECKING:
    from rivet_runner.config import RunnerConfig
    from rivet_runner.runner import Runner

__all__ = ["Core"]

log = logging.getLogger("rivet_runner")

SHOWN_BYTES: Final = 32
"""Of a frame that cannot be decoded, in the log."""


class Core:
    """One runner's insides. Made on the event loop that it runs on, by the first `Runner.start`."""

    def __init__(self, runner: Runner, config: RunnerConfig, lifecycle: Lifecycle) -> None:
        self.runner = runner
        self.config = config
        self.lifecycle = lifecycle
        self.tasks = TaskGroup("runner", log)
        self.last_hooks = TaskGroup("last hooks", log)
        """Hooks that a shutdown waits for."""
        self.actor_tasks = TaskGroup("actors", log)
        self.registry = ActorRegistry()
        pace = Pace(config.send_rate, lambda: next(iter(self.registry.actors), None))
        self.session = Session(_hello(config), max_buffered=config.max_buffered, pace=pace)
        self.uplink = Uplink(self.session)
        self.reading = Reading(self.uplink, BusyPoll(config.busy_poll))
        self.kv_calls = KvCalls(self.session, self.uplink, config.kv_timeout)
        self.services = self._new_services()
        self.tunnel = Tunnel(self.services, self.registry)
        self.connection = ReconnectLoop(
            url=config.connect_url(PROTOCOL_VERSION),
            endpoint=config.endpoint,
            subprotocols=config.subprotocols,
            init_timeout=config.init_timeout,
            lifecycle=lifecycle,
            session=self.session,
            uplink=self.uplink,
            reading=self.reading,
            events=self,
        )
        self.shutdown = Shutdown(self)
        self.first_init: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lost_timer: asyncio.TimerHandle | None = None
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            ToClientTunnelMessage: self.tunnel.receive,
            CommandStartActor: self._start_actor,
            CommandStopActor: self._stop_actor,
            KvAnswered: self._kv_answered,
            WindowMoved: self._send_on,
            Initialised: self._initialised,
            CloseRequested: self._close_requested,
        }

    def _new_services(self) -> Services:
        return Services(
            hooks=self.runner,
            config=self.config,
            uplink=self.uplink,
            arrivals=self.reading.arrivals,
            kv_calls=self.kv_calls,
            tasks=self.actor_tasks,
            store=self.config.hibernation_store or (lambda actor: KvHibernationStore(actor.kv)),
            sockets={},
            departed_clients=DepartedClients(),
            slow_starts=SlowStarts(),
            replays=Replays(self.uplink, self.kv_calls, self.tasks, self.registry.hibernations),
            forget=self._actor_stopped,
            hibernates=_overrides_can_hibernate(self.runner),
        )

    def begin(self) -> None:
        """Start to connect."""
        self.connection.start(self.tasks, self.failed)

    def failed(self, error: BaseException) -> None:
        """The connection loop has raised what it must not: nothing can go on without it."""
        log.error("the connection to the engine failed in a way that is not understood", exc_info=error)
        self.shutdown.begin(immediate=True, error=error)

    # What the connection tells

    def frame_received(self, frame: bytes) -> None:
        """One message from the engine. Nothing that it causes may reach the reader as an exception."""
        try:
            decisions = self.session.receive(frame)
        except DecodeError as error:
            log.error(
                "the engine sent %d bytes that are not a message (%s); they are ignored: %s…",
                len(frame),
                error,
                frame[:SHOWN_BYTES].hex(),
            )
            return
        for decision in decisions:
            try:
                self._handlers[type(decision)](decision)
            except Exception:
                log.exception("a %s from the engine could not be handled; it is dropped", type(decision).__name__)

    def connection_ended(self, code: int, reason: str, *, was_connected: bool) -> None:
        self.tunnel.disconnected()
        if not was_connected:
            return
        if not self.lifecycle.closed and self.session.lost_threshold is not None:
            self._lost_timer = asyncio.get_running_loop().call_later(self.session.lost_threshold, self._lost)
        self.run_hook(lambda: self.runner.on_disconnected(code, reason), "on_disconnected", self.last_hooks)
        self.shutdown.connection_ended()

    def connection_finished(self, error: EngineRejected | None) -> None:
        self.shutdown.begin(immediate=True, error=error)

    def evicted(self) -> None:
        error = RunnerEvicted(
            f"another runner connected to {self.config.endpoint} as {self.config.runner_name!r} with the key "
            f"{self.config.runner_key!r}; give each process a key of its own"
        )
        self.shutdown.begin(immediate=True, error=error)

    # What the session decides

    def _initialised(self, decision: Initialised) -> None:
        first = not self.lifecycle.was_initialised
        self.lifecycle.move(LifecycleEvent.INITIALISED)
        self._cancel_lost_timer()
        self.connection.init_answered()
        if decision.forgotten:
            self._forgotten(decision)
        elif not first:
            self.services.replays.reconnected()
        self.uplink.flush_soon()
        log.info("%s to %s as runner %s", "connected" if first else "reconnected", self.config.endpoint, decision.runner_id)
        if not self.first_init.done():
            self.first_init.set_result(None)
        self.run_hook(self.runner.on_connected, "on_connected", self.tasks)

    def _forgotten(self, decision: Initialised) -> None:
        if len(self.registry):
            log.warning("the engine has forgotten this runner; its %d actors are stopped here", len(self.registry))
        self.kv_calls.fail([*decision.dropped_calls], StopReason.FORGOTTEN.value)
        self.uplink.outbox_dropped()
        self.registry.stop_all(StopReason.FORGOTTEN)

    def _start_actor(self, command: CommandStartActor) -> None:
        if not self.shutdown.immediate:
            self.registry.start(command, self.services)

    def _stop_actor(self, command: CommandStopActor) -> None:
        if self.runner._engine_may_drain:
            self.actor_tasks.spawn(self.registry.stop_or_move(command), name=f"actor {command.actor_id}: stop or move")
        else:
            self.registry.stop(command, draining=self.lifecycle.shutting_down)

    def _kv_answered(self, decision: KvAnswered) -> None:
        self.reading.got_answer()
        self.kv_calls.answered(decision.request_id, decision.data)

    def _send_on(self, _: WindowMoved) -> None:
        self.reading.got_answer()
        self.uplink.flush_soon()

    def _close_requested(self, _: CloseRequested) -> None:
        log.warning("the engine asked for the connection to be closed")
        self.connection.drop()

    # Runner lost

    def _lost(self) -> None:
        """The engine has given this runner's actors away by now: what they did here would be done twice."""
        self._lost_timer = None
        if len(self.registry):
            log.error(
                "the engine has been away for %.0f s, so it counts this runner's %d actors as lost; they are stopped here",
                self.session.lost_threshold,
                len(self.registry),
            )
        self.registry.stop_all(StopReason.LOST)

    def _cancel_lost_timer(self) -> None:
        if self._lost_timer is not None:
            self._lost_timer.cancel()
            self._lost_timer = None

    # For the shutdown

    def _actor_stopped(self, host: Any) -> None:
        self.registry.forget(host)
        self.shutdown.actor_stopped()

    def owns_current_task(self) -> bool:
        """Whether the caller is one of this runner's own tasks, which the shutdown waits for."""
        task = asyncio.current_task()
        return any(task in group for group in (self.tasks, self.last_hooks, self.actor_tasks, *self.registry.task_groups()))

    def run_hook(self, hook: Callable[[], Coroutine[Any, Any, None]], name: str, tasks: TaskGroup) -> asyncio.Task[Any]:
        """Run one of the runner's own hooks in a task; what it raises is logged."""

        async def call() -> None:
            await hook()

        return tasks.spawn(call(), name=name, on_error=lambda error: log.error("%s raised", name, exc_info=error))

    def down(self, error: BaseException | None) -> None:
        """Nothing runs any more."""
        self._cancel_lost_timer()
        self.services.slow_starts.close()
        if not self.first_init.done():
            if error is None:
                error = RunnerShutDown("the runner was shut down before the engine had answered")
            self.first_init.set_exception(error)
            self.first_init.exception()  # whoever waits gets it; nobody need


def _hello(config: RunnerConfig) -> ToServerInit:
    names = {
        name: ActorName(msgspec.json.encode(metadata).decode()) for name, metadata in config.prepopulate_actor_names.items()
    }
    return ToServerInit(
        name=config.runner_name,
        version=config.version,
        total_slots=config.total_slots,
        last_command_idx=None,
        prepopulate_actor_names=names or None,
        metadata=msgspec.json.encode(config.metadata).decode(),
    )


def _overrides_can_hibernate(runner: Runner) -> bool:
    from rivet_runner.runner import Runner

    return type(runner).can_hibernate is not Runner.can_hibernate
