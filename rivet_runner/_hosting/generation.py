"""One generation of one actor: how it starts, the requests of its hooks, and the order in which it stops.

There is one way to stop, for every reason. `StopReason` tells the differences: how long tasks may take, whether clients stay
connected, and which report the engine gets. The steps, in the order that loses nothing:

1. ``on_actor_stop``, while its WebSockets and its KV still work
2. the loops of its WebSockets end: hibernatable ones hibernate, others are closed (all of them if it is destroyed)
3. tasks of requests and WebSockets finish, within the deadline, or are cancelled
4. processed messages are stored and acknowledged
5. its background tasks are cancelled
6. everything that it sent has left for the engine, its alarm once more
7. ``Stopped`` is reported: a request without an answer at that moment would run again in the next generation
8. it is forgotten
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from rivet_runner._hosting.actor_sockets import ActorSockets
from rivet_runner._hosting.generation_state import GenerationPhase, GenerationState
from rivet_runner._hosting.restoring import restore_sockets
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.slow_starts import RUNNING_AT_LATEST
from rivet_runner._hosting.stopping import HURRY_SECONDS, StopClock, StopReason
from rivet_runner._kv.store import KvStore
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner._tasks import TaskGroup, is_being_cancelled
from rivet_runner.actor import Actor
from rivet_runner.errors import RivetRunnerError, RunnerShutDown
from rivet_runner.http import Request
from rivet_runner.kv import KV
from rivet_runner.protocol.tunnel_ids import request_key
from rivet_runner.protocol.wire import (
    ActorConfig,
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    CommandStartActor,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    StopCode,
)
from rivet_runner.websocket import WebSocket

__all__ = ["Generation"]

MAX_ERROR_TEXT: Final = 4096
"""Characters of a crash's text, which the engine shows with the actor."""

HOLDING_SECONDS: Final = 3.0
"""For messages that are held back while clients are being attached: more than the longest such hold."""

ACKNOWLEDGEMENT_SECONDS: Final = 0.05
"""From the last acknowledgement to ``Stopped``. They take different ways to the gateway, and one that sees the stop first
takes the message for unprocessed and wakes the actor at once."""

UNKNOWN_REQUEST: Final = Request("GET", "/", {}, b"")
"""The opening request of a listed socket, until its record is loaded."""


class _HostedActor(Actor):
    """An `Actor` whose requests its generation carries out."""

    __slots__ = ("_generation",)

    def __init__(self, generation: Generation, command: CommandStartActor, kv: KV) -> None:
        config: ActorConfig = command.config
        super().__init__(command.actor_id, command.generation, config.name, config.key, config.create_ts, config.input, kv)
        self._generation = generation

    def __repr__(self) -> str:
        return f"<Actor {self.name!r} {self.id} generation {self.generation}, {self._generation.phase.value}>"

    @property
    def websockets(self) -> tuple[WebSocket, ...]:
        return self._generation.open_sockets()

    def sleep(self) -> None:
        self._generation.ask_to_sleep()

    def destroy(self) -> None:
        self._generation.ask_to_destroy()

    def _set_alarm_ms(self, when_ms: int | None) -> None:
        self._generation.set_alarm(when_ms)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        return self._generation.spawn(coroutine)

    async def broadcast(self, message: str | bytes) -> int:
        return await self._generation.broadcast(message)


class Generation(GenerationState):
    """Everything that this runner holds for one actor generation. Made, synchronously, by the start command."""

    __slots__ = (
        "_alarm_ms",
        "_background",
        "_going_since_ms",
        "_listed",
        "_running_reported",
        "_sockets",
        "_start_task",
        "_start_timer",
        "_stop_clock",
        "_stop_task",
        "intent",
        "requests",
        "stop_commanded",
    )

    def __init__(self, services: Services, command: CommandStartActor) -> None:
        super().__init__(services)
        self.kv_store = KvStore(command.actor_id, services.kv_calls)
        self.actor = _HostedActor(self, command, KV(self.kv_store))
        self.stop_commanded = False
        self.intent: StopReason | None = None
        self.requests = 0
        """Requests without an answer."""
        self._sockets: ActorSockets | None = None
        self._background: TaskGroup | None = None
        self._alarm_ms: int | None = None
        self._going_since_ms: int | None = None
        self._running_reported = False
        self._start_task: asyncio.Task[Any] | None = None
        self._start_timer: asyncio.TimerHandle | None = None
        self._stop_task: asyncio.Task[Any] | None = None
        self._stop_clock: StopClock | None = None
        self._listed: dict[bytes, ClientSocket] = {}
        """The hibernating WebSockets that the engine has listed, until they are restored."""
        for request in command.hibernating_requests:
            key = request_key(request)
            if not services.sockets.take_departed(key):
                self._listed[key] = self.sockets.add(key, UNKNOWN_REQUEST)

    @property
    def sockets(self) -> ActorSockets:
        """Its WebSockets."""
        if self._sockets is None:
            self._sockets = ActorSockets(self)
        return self._sockets

    # Starting

    def start(self, after: Generation | None) -> None:
        """Begin to start. ``after`` is an older generation that must have stopped first."""
        self._start_task = self.services.tasks.spawn(self._start(after), name=f"actor {self.actor.id}: start")

    async def _start(self, after: Generation | None) -> None:
        if after is not None:
            await after.stopped()
        self._watch_start()
        try:
            await self.services.hooks.on_actor_start(self.actor)
            may_hibernate = self._listed or self.services.hibernates
            stored = await self.sockets.shared.journal.load_all() if may_hibernate else {}
        except (Exception, asyncio.CancelledError) as error:
            self.open_gate(False)
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            self.actor.log.exception("on_actor_start raised; the actor is reported as crashed")
            self.stop(StopReason.CRASHED, error=error_text(error))
            return
        finally:
            self._stop_watching_start()
        self.start_succeeded = True
        if self.phase is GenerationPhase.STARTING:
            self.phase = GenerationPhase.RUNNING
        self._report_running()
        if self._listed or stored:
            listed, self._listed = self._listed, {}
            restore_sockets(self, self.sockets, listed, stored)
        self.open_gate(True)
        self._start_task = None

    def _watch_start(self) -> None:
        """Look after a start that takes long. One that is quick needs no timer of its own."""
        self.services.slow_starts.watch(self._start_is_slow)
        timeout = self.services.config.actor_start_timeout
        if timeout is not None and timeout <= RUNNING_AT_LATEST:
            self._give_up_start_in(timeout)

    def _start_is_slow(self) -> None:
        timeout = self.services.config.actor_start_timeout
        if self._start_task is not None and timeout is not None and timeout > RUNNING_AT_LATEST:
            self._give_up_start_in(timeout - RUNNING_AT_LATEST)
        self._report_running()

    def _give_up_start_in(self, seconds: float) -> None:
        self._start_timer = asyncio.get_running_loop().call_later(seconds, self._give_up_start)

    def _give_up_start(self) -> None:
        timeout = self.services.config.actor_start_timeout
        text = f"on_actor_start did not return within {timeout:g} s (actor_start_timeout), so it was cancelled"
        if self._start_task is not None and self.may_begin:
            self.actor.log.error("%s; the actor is reported as crashed", text)
            self._start_task.cancel()
            self.stop(StopReason.CRASHED, error=text)

    def _stop_watching_start(self) -> None:
        if self._start_timer is not None:
            self._start_timer.cancel()
            self._start_timer = None

    def _report_running(self) -> None:
        """Tell the engine, once, that the actor runs."""
        if not self._running_reported and self.may_begin:
            self._running_reported = True
            self._report_state(ActorStateRunning())

    # Requests of its hooks

    def open_sockets(self) -> tuple[ClientSocket, ...]:
        """The WebSockets that are open now."""
        return () if self._sockets is None else self._sockets.opened()

    def hibernations(self) -> list[Hibernation]:
        """The bookkeeping of its open hibernatable WebSockets, empty unless it is running."""
        return [] if self._sockets is None else self._sockets.hibernations()

    async def broadcast(self, message: str | bytes) -> int:
        return 0 if self._sockets is None else await self._sockets.broadcast(message)

    def ask_to_sleep(self) -> None:
        if self.intent is None:
            self._ask(StopReason.ASLEEP)
            if self._sockets is not None:
                self._sockets.flush_soon()

    def ask_to_destroy(self) -> None:
        if self.intent is not StopReason.DESTROYED:
            self._ask(StopReason.DESTROYED)

    def _ask(self, reason: StopReason) -> None:
        if not self.may_begin:
            return
        self.intent = reason
        self._going_since_ms = self.services.now_ms()
        self._report_running()
        intent = ActorIntentSleep() if reason is StopReason.ASLEEP else ActorIntentStop()
        self._report(EventActorIntent(self.actor.id, self.actor.generation, intent))

    def set_alarm(self, when_ms: int | None) -> None:
        if self.phase is GenerationPhase.STOPPED:
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, its alarm can no longer be set")
        self._alarm_ms = when_ms
        self._report(EventActorSetAlarm(self.actor.id, self.actor.generation, when_ms))

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        if self.phase is GenerationPhase.STOPPED or (self._background is not None and self._background.closed):
            coroutine.close()
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, no task can be spawned")
        if self._background is None:
            self._background = TaskGroup(f"actor {self.actor.id} background", self.actor.log)
        name = getattr(coroutine, "__qualname__", "task")
        return self._background.spawn(coroutine, name=f"actor {self.actor.id}: {name}")

    def owns(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether ``task`` is one of this actor's."""
        return any(task in group for group in (self._work, self._background) if group is not None)

    # Stopping

    @property
    def outlives_a_stop(self) -> bool:
        """Whether something of this generation is to go on in the next: a hibernatable client, or an alarm."""
        return self._alarm_ms is not None or any(ws.hibernatable for ws in self.open_sockets())

    def stop(self, reason: StopReason, *, error: str | None = None, hurry: bool = False) -> None:
        """Begin to stop. A stop that is under way goes on, and hurries if it is asked to or the new reason does not wait."""
        if self.may_begin:
            self.stop_reason = reason
            self._going_since_ms = self._going_since_ms or self.services.now_ms()
            self.phase = GenerationPhase.STOPPING
            self._stop_clock = StopClock(self.services.config.actor_stop_timeout)
            stop = self._stop(self._start_task, self._stop_clock, error)
            self._stop_task = self.services.tasks.spawn(stop, name=f"actor {self.actor.id}: stop")
        elif self.phase is GenerationPhase.STOPPING and reason.cut_off:
            self.stop_reason = reason
            self._cut_off(reason)
        if (hurry or reason.hurries) and self._stop_clock is not None:
            self._stop_clock.hurry(HURRY_SECONDS)

    async def stopped(self) -> None:
        """Wait until this generation has stopped. Cancelling is safe."""
        if self._stop_task is not None:
            await asyncio.wait([self._stop_task])

    def _cut_off(self, reason: StopReason) -> None:
        """The engine does not listen any more: end everything that would wait for it."""
        self.kv_store.close(reason.value)
        if self._sockets is not None:
            self._sockets.end_all()
            self._sockets.close()  # another runner may write the records by now

    async def _stop(self, start: asyncio.Task[Any] | None, clock: StopClock, error: str | None) -> None:
        try:
            await self._run_steps(start, clock)
            self._report_stopped(error)
        finally:
            self.phase = GenerationPhase.STOPPED
            self.open_gate(False)
            self.services.stopped(self.actor.id, self.actor.generation)

    async def _run_steps(self, start: asyncio.Task[Any] | None, clock: StopClock) -> None:
        """Run all steps. No step's failure keeps the next from running. ``start``: the start that is under way, if any."""
        if self.stop_reason is not None and self.cut_off:
            self._cut_off(self.stop_reason)
        if start is not None and not await clock.ended(start):
            start.cancel()
            await asyncio.wait([start], timeout=clock.cancel_seconds)
        if self.start_succeeded:
            await self._call_stop_hook(clock)
        if self._sockets is not None:
            self._sockets.end_all()
        await self._finish_work(clock)
        if self._sockets is not None:
            await self._store_sockets(self._sockets, clock)
        if self._background is not None:
            self._background.close()
            await self._background.cancel_all(clock.cancel_seconds)
        if not self.cut_off and not await self.services.uplink.flushed(clock.remaining_for_step):
            self.actor.log.warning("stopped before everything that it sent had left")
        if self._sockets is not None and self._sockets.acknowledged_recently:
            await asyncio.sleep(ACKNOWLEDGEMENT_SECONDS)
        if not self.cut_off and not self.destroyed:
            await self._repeat_alarm(clock.remaining_for_step)
        if self._sockets is not None:
            self._sockets.close()
        self.kv_store.close("this generation of the actor has stopped")

    async def _call_stop_hook(self, clock: StopClock) -> None:
        async def call() -> None:
            await self.services.hooks.on_actor_stop(self.actor)

        task = self.services.tasks.spawn(
            call(),
            name=f"actor {self.actor.id}: on_actor_stop",
            on_error=lambda error: self.actor.log.error(
                "on_actor_stop raised; the actor stops all the same", exc_info=error
            ),
        )
        if not await clock.ended(task, at_least=HURRY_SECONDS):
            self.actor.log.warning("on_actor_stop did not return in time; it is cancelled")
            task.cancel()
            await asyncio.wait([task], timeout=clock.cancel_seconds)

    async def _finish_work(self, clock: StopClock) -> None:
        """Let requests and handlers finish. After a hook that took all the time, they get a moment of their own."""
        if not self._work:
            return
        idle = self.services.tasks.spawn(self._work.wait_idle(), name=f"actor {self.actor.id}: finish")
        if not await clock.ended(idle, at_least=clock.cancel_seconds):
            self.actor.log.warning("%d requests or WebSocket handlers did not finish in time; cancelled", len(self._work))
            await self._work.cancel_all(clock.cancel_seconds)
        idle.cancel()

    async def _store_sockets(self, sockets: ActorSockets, clock: StopClock) -> None:
        holding = min(clock.remaining_for_step, HOLDING_SECONDS)
        await self._bounded(sockets.released(), holding, "messages held back for a WebSocket did not leave in time")
        if not self.cut_off and not self.destroyed:  # a destroyed actor has no records, nor a store
            await self._bounded(sockets.flush(), clock.remaining_for_step, "the hibernation records were not stored")

    async def _bounded(self, step: Coroutine[Any, Any, None], seconds: float, failure: str) -> None:
        try:
            async with asyncio.timeout(seconds):
                await step
        except TimeoutError:
            self.actor.log.error("%s: no time left", failure)
        except RivetRunnerError as error:
            self.actor.log.error("%s: %s", failure, error)
        except Exception:
            self.actor.log.exception("%s", failure)

    async def _repeat_alarm(self, timeout: float) -> None:
        """Make sure of an alarm that is due after the actor began to go to sleep.

        The engine loses one that comes due meanwhile, and one that reaches it together with ``Stopped`` (seen: a third of
        them). Set again, and sent before ``Stopped``, no alarm was lost.
        """
        if self._alarm_ms is None or self._going_since_ms is None or self._alarm_ms < self._going_since_ms:
            return
        self._report(EventActorSetAlarm(self.actor.id, self.actor.generation, self._alarm_ms))
        await self.services.uplink.events_flushed(timeout)

    # Reports

    def _report_stopped(self, error: str | None) -> None:
        """Report the end of this generation, if the engine does not know of it.

        ``Stopped(OK)`` that the engine did not ask for destroys the actor. So it is only ever an answer to a stop command. A
        stop of our own making is left to the engine, which sees the runner go.
        """
        if self.stop_reason is StopReason.CRASHED:
            self._report_state(ActorStateStopped(StopCode.ERROR, error))
        elif self.stop_reason is StopReason.LOST:
            self._report_state(ActorStateStopped(StopCode.ERROR, self.stop_reason.value))
        elif self.stop_commanded and self.stop_reason is not StopReason.FORGOTTEN:
            self._report_state(ActorStateStopped(StopCode.OK, None))

    def _report_state(self, state: ActorStateRunning | ActorStateStopped) -> None:
        self._report(EventActorStateUpdate(self.actor.id, self.actor.generation, state))

    def _report(self, event: Event) -> None:
        """Tell the engine, unless it has forgotten this runner, and this generation with it."""
        if self.stop_reason is not StopReason.FORGOTTEN:
            self.services.uplink.report(event)


def error_text(error: BaseException) -> str:
    """An error as text that can be sent: of bounded length, and always UTF-8."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return text[:MAX_ERROR_TEXT].encode("utf-8", "replace").decode()
