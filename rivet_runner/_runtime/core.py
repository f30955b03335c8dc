"""One runner, put together: each decision of the session goes to the room that it is for.

`Core` is the part that `rivet_runner.Runner` hides from its subclasses. It owns the runner's tasks, and is the only place
that knows every room. The order in which everything is taken down is in `rivet_runner._runtime.shutdown`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final

import msgspec

from rivet_runner._alarms.actor_alarm import AlarmHook
from rivet_runner._alarms.timer import AlarmTimer
from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.environment import Environment
from rivet_runner._connection.reading import Reading
from rivet_runner._connection.reconnecting import ReconnectLoop
from rivet_runner._connection.uplink import Uplink
from rivet_runner._health.monitor import Monitor
from rivet_runner._hosting.hooks import Hooks
from rivet_runner._hosting.registry import ActorRegistry
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.slow_starts import SlowStarts
from rivet_runner._hosting.socket_table import SocketTable
from rivet_runner._hosting.stop_causes import StopCause, stop_seconds
from rivet_runner._hosting.tunnel import Tunnel
from rivet_runner._hosting.unlisted import UnlistedClients
from rivet_runner._kv.calls import KvCalls
from rivet_runner._lifecycle import Lifecycle, LifecycleEvent
from rivet_runner._observing.observer import Observer
from rivet_runner._observing.report import Report
from rivet_runner._runtime.shutdown import Shutdown
from rivet_runner._session.dialect import CloseRequested, KvAnswered, RunnerInit, StartActor, StopActor
from rivet_runner._session.dialects import new_dialect
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import Initialised, Session, WindowMoved
from rivet_runner._sockets.replays import Replays
from rivet_runner._sockets.turns import ReplayTurns
from rivet_runner._tasks import TaskGroup
from rivet_runner._tracing import find_tracer
from rivet_runner.actor import Actor, Alarm
from rivet_runner.config import RunnerConfig
from rivet_runner.errors import DecodeError, EngineRejected, RunnerEvicted, RunnerShutDown
from rivet_runner.protocol.messages import ActorName, ToClientTunnelMessage

__all__ = ["Core"]

log = logging.getLogger("rivet_runner")

USUAL_LOST_THRESHOLD: Final = 15.0
LOST_MARGIN: Final = 10.0
"""Seconds without a runner after which the engine (2.3.19) counts it as lost by default, and for it to act on that."""

SHOWN_BYTES: Final = 32
"""Bytes of a frame that cannot be decoded, in the log."""


class Core:
    """The insides of one runner. Made on the event loop that it runs on, by `Runner.start`.

    ``own_hooks`` are the names of the hooks that the user has written: some work is done only for these.
    """

    def __init__(
        self,
        hooks: Hooks,
        config: RunnerConfig,
        lifecycle: Lifecycle,
        *,
        own_hooks: Collection[str],
        environment: Environment,
    ) -> None:
        self._hooks = hooks
        self._config = config
        self._lifecycle = lifecycle
        self._environment = environment
        self._tasks = TaskGroup("runner", log)
        self._last_hooks = TaskGroup("last hooks", log)
        """Hooks that a shutdown waits for."""
        self._actor_tasks = TaskGroup("actors", log)
        self._lost_timer: asyncio.TimerHandle | None = None
        self._drained_by_engine = False
        """Whether the engine has taken an actor away from this runner to run it elsewhere."""
        self.first_init: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.registry = ActorRegistry()
        dialect = new_dialect(config.protocol, _init(config))
        pace = Pace(config.send_rate, lambda: next(iter(self.registry.actors), None), dialect.encode)
        self.session = Session(dialect, max_buffered=config.max_buffered, pace=pace)
        self._uplink = Uplink(self.session)
        self._reading = Reading(self._uplink, BusyPoll(config.busy_poll if environment.real_time else 0))
        self._observer = Observer(find_tracer())
        self._kv_calls = KvCalls(self.session, self._uplink, config.kv_timeout, self._observer)
        self._services = self._new_services(own_hooks)
        self._tunnel = Tunnel(self._services, self.registry)
        self._connection = self._new_connection()
        self.monitor = self._new_monitor()
        self.shutdown = self._new_shutdown()
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            ToClientTunnelMessage: self._tunnel.receive,
            StartActor: self._start_actor,
            StopActor: self._stop_actor,
            KvAnswered: self._kv_answered,
            WindowMoved: self._send_on,
            Initialised: self._initialised,
            CloseRequested: self._close_requested,
        }

    def _new_services(self, own_hooks: Collection[str]) -> Services:
        turns = ReplayTurns(lambda: self._kv_calls.round_trip)
        return Services(
            hooks=self._hooks,
            config=self._config,
            uplink=self._uplink,
            arrivals=self._reading.arrivals,
            kv_calls=self._kv_calls,
            observer=self._observer,
            tasks=self._actor_tasks,
            sockets=SocketTable(),
            unlisted=UnlistedClients(),
            slow_starts=SlowStarts(),
            turns=turns,
            replays=Replays(self._uplink, turns, self._tasks, self.registry.hibernations),
            stopped=self._actor_stopped,
            alarms=self._alarm_hook() if "on_alarm" in own_hooks else None,
            tells_stops="on_actor_stop" in own_hooks,
            hibernates="can_hibernate" in own_hooks,
            stop_seconds=self._stop_seconds,
            seconds_until_lost=lambda: (self.session.lost_threshold or USUAL_LOST_THRESHOLD) + LOST_MARGIN,
            deletion_lag=self.session.deletion_lag,
            now_ms=self._environment.now_ms,
        )

    def _alarm_hook(self) -> AlarmHook:
        async def call(actor: Actor, alarm: Alarm) -> None:
            with self._observer.alarm(actor):
                await self._hooks.on_alarm(actor, alarm)

        now_ms = self._environment.now_ms
        return AlarmHook(call, self._config.alarm_retries, AlarmTimer(now_ms), now_ms)

    def _stop_seconds(self, drained: bool) -> float:
        return stop_seconds(
            self._config.actor_stop_timeout,
            threshold=self.session.stop_threshold,
            grace=self.session.drain_grace if drained else None,
        )

    def _new_connection(self) -> ReconnectLoop:
        config = self._config
        return ReconnectLoop(
            url=config.connect_url(),
            endpoint=config.endpoint,
            subprotocols=config.subprotocols,
            init_timeout=config.init_timeout,
            environment=self._environment,
            lifecycle=self._lifecycle,
            session=self.session,
            uplink=self._uplink,
            reading=self._reading,
            events=self,
        )

    def _new_shutdown(self) -> Shutdown:
        return Shutdown(
            lifecycle=self._lifecycle,
            registry=self.registry,
            session=self.session,
            uplink=self._uplink,
            connection=self._connection,
            stop_timeout=self._config.stop_timeout,
            actor_stop_timeout=self._config.actor_stop_timeout,
            last_hooks=self._last_hooks,
            start_last_hook=lambda: self._run_hook(self._hooks.on_shutdown, "on_shutdown", self._last_hooks),
            tasks=(self._actor_tasks, self._tasks, self._last_hooks),
            close_monitor=self.monitor.close,
            down=self._down,
        )

    def _new_monitor(self) -> Monitor:
        config = self._config
        return Monitor(
            self._observer.statistics,
            host=config.health_host,
            port=config.health_port,
            limit=config.health_timeout,
            registry=config.metrics,
            block_warning=config.block_warning if self._environment.real_time else None,
        )

    def _report(self) -> Report:
        """The state and the numbers now. Called in any thread, so it only reads."""
        outbox_messages, outbox_bytes = self.session.outbox_size
        return Report(
            runner=self._config.runner_name,
            state=self._lifecycle.state.value,
            connected=int(self.session.connected),
            blocked=self.monitor.blocked,
            actors=len(self.registry),
            outbox_messages=outbox_messages,
            outbox_bytes=outbox_bytes,
            kv_calls=len(self._kv_calls),
            statistics=self._observer.statistics,
        )

    def begin(self) -> None:
        """Start to connect. Raises `OSError` if the port for health cannot be had."""
        self.monitor.start(self._report)
        self._connection.start(self._tasks, self._connection_failed)

    def owns_current_task(self) -> bool:
        """Whether the caller is one of this runner's own tasks, which the shutdown waits for."""
        task = asyncio.current_task()
        return self.registry.owns(task) or any(task in group for group in (self._tasks, self._last_hooks, self._actor_tasks))

    # Events of the connection

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
        self._tunnel.disconnected()
        if not was_connected:
            return
        self._observer.statistics.disconnects += 1
        if not self._lifecycle.closed and self.session.lost_threshold is not None:
            seconds = self.shutdown.seconds_until_lost(self.session.lost_threshold)
            self._lost_timer = asyncio.get_running_loop().call_later(seconds, self._lost)
        self._run_hook(lambda: self._hooks.on_disconnected(code, reason), "on_disconnected", self._last_hooks)
        self.shutdown.connection_ended()

    def rejected(self, error: EngineRejected) -> None:
        self.shutdown.begin(immediate=True, error=error)

    def told_to_shut_down(self) -> None:
        self.shutdown.begin(immediate=True)

    def evicted(self) -> None:
        where = f"{self._config.endpoint} as {self._config.runner_name!r}"
        if self._drained_by_engine:
            text = f"the engine drained this runner, which was connected to {where}: a newer version takes its actors"
        else:
            text = (
                f"another runner connected to {where} with the key {self._config.runner_key!r}; give each process a key "
                "of its own"
            )
        self.shutdown.begin(immediate=True, error=RunnerEvicted(text, drained=self._drained_by_engine))

    def _connection_failed(self, error: BaseException) -> None:
        """The reconnect loop has raised, which it must not: nothing can go on without it."""
        log.error("the connection to the engine failed unexpectedly; the runner shuts down", exc_info=error)
        self.shutdown.begin(immediate=True, error=error)

    # Decisions of the session

    def _initialised(self, decision: Initialised) -> None:
        first = not self._lifecycle.was_initialised
        self._lifecycle.move(LifecycleEvent.INITIALISED)
        self._observer.statistics.connections += 1
        self._observer.statistics.reconnects += not first
        self._cancel_lost_timer()
        self._connection.init_answered()
        if decision.forgotten:
            self._forgotten(decision)
        elif not first:
            self._services.replays.reconnected()
        self._uplink.flush_soon()
        log.info("%s to %s as runner %s", "connected" if first else "reconnected", self._config.endpoint, decision.runner_id)
        if not self.first_init.done():
            self.first_init.set_result(None)
        self._run_hook(self._hooks.on_connected, "on_connected", self._tasks)

    def _forgotten(self, decision: Initialised) -> None:
        if len(self.registry):
            log.warning("the engine has forgotten this runner; its %d actors are stopped here", len(self.registry))
        self._kv_calls.fail([*decision.dropped_calls], StopCause.FORGOTTEN.value)
        self._uplink.outbox_dropped()
        self.registry.stop_all(StopCause.FORGOTTEN)

    def _start_actor(self, command: StartActor) -> None:
        if not self.shutdown.immediate:
            self.registry.start(command, self._services)

    def _stop_actor(self, command: StopActor) -> None:
        draining = self._lifecycle.shutting_down
        if draining or not self.registry.may_be_drained(command):
            self.registry.stop(command, draining=draining)
        else:
            self._actor_tasks.spawn(self._stop_or_move(command), name=f"actor {command.actor_id}: stop or move")

    async def _stop_or_move(self, command: StopActor) -> None:
        if await self.registry.stop_or_move(command):
            self._drained_by_engine = True

    def _kv_answered(self, decision: KvAnswered) -> None:
        self._reading.got_answer()
        self._kv_calls.answered(decision.request_id, decision.answer)

    def _send_on(self, _: WindowMoved) -> None:
        self._reading.got_answer()
        self._uplink.flush_soon()

    def _close_requested(self, _: CloseRequested) -> None:
        log.warning("the engine asked for the connection to be closed")
        self._connection.drop()

    # Runner lost

    def _lost(self) -> None:
        """The engine has given this runner's actors away by now: their work here would be done twice."""
        self._lost_timer = None
        if len(self.registry):
            log.error(
                "the engine has been away for so long that it counts this runner's %d actors as lost; they are stopped here",
                len(self.registry),
            )
        self.session.drop_tunnel_messages()
        self._uplink.outbox_dropped()
        self.registry.stop_all(StopCause.LOST, hurry=self._lifecycle.shutting_down)

    def _cancel_lost_timer(self) -> None:
        if self._lost_timer is not None:
            self._lost_timer.cancel()
            self._lost_timer = None

    # The end

    def _actor_stopped(self, actor_id: str, generation: int) -> None:
        self.registry.forget(actor_id, generation)
        self.session.generation_ended(actor_id, generation)
        self.shutdown.actor_stopped()

    def _run_hook(self, hook: Callable[[], Coroutine[Any, Any, None]], name: str, tasks: TaskGroup) -> None:
        """Run one of the runner's own hooks in a task. An exception is logged."""

        async def call() -> None:
            await hook()

        tasks.spawn(call(), name=name, on_error=lambda error: log.error("%s raised", name, exc_info=error))

    def _down(self, error: BaseException | None) -> None:
        """Nothing runs any more."""
        self._cancel_lost_timer()
        self._services.slow_starts.close()
        if self._services.alarms is not None:
            self._services.alarms.timer.close()
        self._uplink.close()
        if not self.first_init.done():
            if error is None:
                error = RunnerShutDown("the runner was shut down before the engine had answered")
            self.first_init.set_exception(error)
            self.first_init.exception()  # mark as retrieved: there may be no waiter


def _init(config: RunnerConfig) -> RunnerInit:
    names = {
        name: ActorName(msgspec.json.encode(metadata).decode()) for name, metadata in config.prepopulate_actor_names.items()
    }
    return RunnerInit(
        name=config.runner_name,
        version=config.version,
        total_slots=config.total_slots,
        actor_names=names or None,
        metadata=msgspec.json.encode(config.metadata).decode(),
    )
