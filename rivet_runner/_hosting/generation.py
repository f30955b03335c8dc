"""One generation of one actor: how it starts, and the requests of its hooks. How it stops is in `stopping`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Final

from rivet_runner._alarms.actor_alarm import ActorAlarm
from rivet_runner._hosting.actor_sockets import ActorSockets
from rivet_runner._hosting.generation_state import GenerationPhase
from rivet_runner._hosting.hosted_actor import HostedActor
from rivet_runner._hosting.restoring import Records
from rivet_runner._hosting.services import Services
from rivet_runner._hosting.slow_starts import RUNNING_AT_LATEST
from rivet_runner._hosting.stop_causes import HURRY_SECONDS, StopCause, StopClock
from rivet_runner._hosting.stopping import StoppingGeneration
from rivet_runner._hosting.waking import Waking
from rivet_runner._kv.store import KvStore
from rivet_runner._session.dialect import ActorEvent, SetAlarm, StartActor
from rivet_runner._sockets.hibernatable import Hibernation
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner._tasks import TaskGroup, is_being_cancelled
from rivet_runner.errors import RunnerShutDown
from rivet_runner.kv import KV
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    ActorIntentStop,
    ActorStateRunning,
    ActorStateStopped,
    StopCode,
)

__all__ = ["Generation"]

MAX_ERROR_TEXT: Final = 4096
"""Characters of a crash's text, which the engine shows with the actor."""


class Generation(StoppingGeneration):
    """Everything that this runner holds for one actor generation. Made, synchronously, by the start command."""

    __slots__ = (
        "_alarm",
        "_going_since_ms",
        "_running_reported",
        "_start_task",
        "_start_timer",
        "_stop_clock",
        "_stop_task",
        "_waking",
        "intent",
        "requests",
        "stop_commanded",
    )

    def __init__(self, services: Services, command: StartActor) -> None:
        super().__init__(services)
        self.kv_store = KvStore(command.actor_id, services.kv_calls)
        self.actor = HostedActor(self, command, KV(self.kv_store))
        self.stop_commanded = False
        self.intent: StopCause | None = None
        self.requests = 0
        """Requests without an answer."""
        self._alarm: ActorAlarm | None = None
        self._going_since_ms: int | None = None
        self._running_reported = False
        self._start_task: asyncio.Task[Any] | None = None
        self._start_timer: asyncio.TimerHandle | None = None
        self._stop_task: asyncio.Task[Any] | None = None
        self._stop_clock: StopClock | None = None
        self._waking: Waking | None = None
        """Its hibernating WebSockets, until they are restored."""
        if command.hibernating_requests or services.hibernates:
            self._waking = Waking(self, self.sockets, command)
        self.sleep_after = services.config.sleep_after

    @property
    def sockets(self) -> ActorSockets:
        """Its WebSockets."""
        if self._sockets is None:
            self._sockets = ActorSockets(self)
        return self._sockets

    # Starting

    def start(self, after: Generation | None) -> None:
        """Begin to start. ``after`` is an older generation that must have stopped first."""
        start = self._start_task = self.services.tasks.spawn(self._start(after), name=f"actor {self.actor.id}: start")
        if self._waking is not None and self._waking.unlisted:
            self.services.unlisted.start_began()
            start.add_done_callback(lambda _: self.services.unlisted.start_ended())

    async def _start(self, after: Generation | None) -> None:
        if after is not None:
            await after.stopped()
        self._watch_start()
        try:
            if self.services.alarms is not None:
                await self.alarm.load()
            if self._waking is not None:
                await self._waking.count_unlisted()
            with self.services.observer.start(self.actor):
                await self.services.hooks.on_actor_start(self.actor)
            stored = {} if self._waking is None else await self._waking.load()
        except (Exception, asyncio.CancelledError) as error:
            self.open_gate(False)
            if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                raise
            self.actor.log.exception("on_actor_start raised; the actor is reported as crashed")
            self.stop(StopCause.CRASHED, error=error_text(error))
            return
        finally:
            self._stop_watching_start()
        self.start_succeeded = True
        if self.phase is GenerationPhase.STARTING:
            self.phase = GenerationPhase.RUNNING
        self._report_running()
        if self._waking is not None:
            self._restore_clients(self._waking, stored)
        self.open_gate(True)
        self._start_task = None
        if self.phase is GenerationPhase.RUNNING:
            self._begin_features()

    def _restore_clients(self, waking: Waking, stored: Records) -> None:
        """Restore the sockets of clients that hibernated. Without any, an idle actor keeps nothing for them."""
        had_clients = stored or waking.count
        waking.restore(stored)
        self._waking = None
        if not had_clients and self._sockets is not None and self._sockets.may_be_dropped:
            self._sockets = None

    def _begin_features(self) -> None:
        """Alarms are called, and idleness counts, from the start on until a stop begins."""
        if self._alarm is not None:
            self._alarm.start()
        if self._activity is not None:
            self._activity.start()

    def _end_features(self) -> None:
        if self._alarm is not None:
            self._alarm.stop()
        if self._activity is not None:
            self._activity.stop()

    def _watch_start(self) -> None:
        """Look after a start that takes long. One that is quick needs no timer of its own."""
        self.services.slow_starts.watch(self._start_is_slow)
        timeout = self.services.config.actor_start_timeout
        if timeout is not None and timeout <= RUNNING_AT_LATEST:
            self._give_up_start_in(timeout)

    def _start_is_slow(self) -> None:
        if self._start_task is None or self._start_task.done():
            return
        timeout = self.services.config.actor_start_timeout
        if timeout is not None and timeout > RUNNING_AT_LATEST:
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
            self.stop(StopCause.CRASHED, error=text)

    def _stop_watching_start(self) -> None:
        if self._start_timer is not None:
            self._start_timer.cancel()
            self._start_timer = None

    def _report_running(self) -> None:
        """Tell the engine, once, that the actor runs."""
        if not self._running_reported and self.may_begin:
            self._running_reported = True
            self._report(ActorStateRunning())

    # What runs for it

    def request_began(self) -> None:
        """An HTTP request is being answered."""
        self.requests += 1
        self.work_began()

    def request_ended(self) -> None:
        """It was answered, or needs no answer any more."""
        self.requests -= 1
        self.work_ended()

    # Requests of its hooks

    def open_sockets(self) -> tuple[ClientSocket, ...]:
        """The WebSockets that are open now."""
        return () if self._sockets is None else self._sockets.opened()

    def hibernations(self) -> list[Hibernation]:
        """The bookkeeping of its open hibernatable WebSockets, empty unless it is running."""
        return [] if self._sockets is None else self._sockets.hibernations()

    async def restored_websockets(self) -> tuple[ClientSocket, ...]:
        """See `Actor.restored_websockets`."""
        if self.phase is not GenerationPhase.STARTING and self._start_task is None:
            raise RuntimeError("restored_websockets is for on_actor_start; afterwards there is actor.websockets")
        return () if self._waking is None else await self._waking.websockets()

    async def broadcast(self, message: str | bytes) -> int:
        return 0 if self._sockets is None else await self._sockets.broadcast(message)

    def ask_to_sleep(self) -> None:
        if self.intent is None:
            self._ask(StopCause.ASLEEP)
            if self._sockets is not None:
                self._sockets.flush_soon()

    def ask_to_destroy(self) -> None:
        if self.intent is not StopCause.DESTROYED:
            self._ask(StopCause.DESTROYED)

    def _ask(self, cause: StopCause) -> None:
        if not self.may_begin:
            return
        self.intent = cause
        self._going_since_ms = self.services.now_ms()
        self._report_running()
        intent = ActorIntentSleep() if cause is StopCause.ASLEEP else ActorIntentStop()
        self._report(intent)

    def spawn(self, coroutine: Coroutine[Any, Any, Any], *, keep_awake: bool = True) -> asyncio.Task[Any]:
        if self.phase is GenerationPhase.STOPPED or (self._background is not None and self._background.closed):
            coroutine.close()
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, no task can be spawned")
        if self._background is None:
            self._background = TaskGroup(f"actor {self.actor.id} background", self.actor.log)
        name = getattr(coroutine, "__qualname__", "task")
        task = self._background.spawn(coroutine, name=f"actor {self.actor.id}: {name}")
        if keep_awake:
            self._keep_awake_during(task)
        return task

    def _keep_awake_during(self, task: asyncio.Task[Any]) -> None:
        self.work_began()
        task.add_done_callback(lambda _: self.work_ended())

    @property
    def heard(self) -> int | None:
        return 0 if self._sockets is None else self._sockets.heard

    @property
    def hibernating(self) -> int:
        """How many hibernating clients the gateway holds."""
        if self._waking is not None:
            return self._waking.count
        return 0 if self._sockets is None else self._sockets.hibernating

    def owns(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether ``task`` is one of this actor's."""
        return any(task in group for group in (self._work, self._background) if group is not None)

    # Its alarm

    @property
    def alarm(self) -> ActorAlarm:
        """Its alarm. Made when it is first needed."""
        if self._alarm is None:
            self._alarm = ActorAlarm(self, self.services.alarms)
            if self.phase is GenerationPhase.RUNNING:
                self._alarm.start()
        return self._alarm

    @property
    def alarm_time(self) -> datetime | None:
        """See `Actor.alarm`."""
        return None if self._alarm is None else self._alarm.time

    async def set_alarm(self, when_ms: int | None) -> None:
        """See `Actor.set_alarm`."""
        if self.phase is GenerationPhase.STOPPED:
            raise RunnerShutDown(f"actor {self.actor.id}: this generation has stopped, its alarm can no longer be set")
        await self.alarm.set(when_ms)

    @property
    def seconds_until_lost(self) -> float:
        """How long after the end of this process, at the latest, the engine puts the actor to sleep or elsewhere."""
        return self.services.seconds_until_lost()

    def report_alarm(self, due_ms: int | None) -> None:
        """Tell the engine when to wake the actor."""
        self._report(SetAlarm(due_ms))

    async def alarm_reported(self) -> None:
        """Wait until what was told has left for the engine, but no longer than a key-value call may take."""
        await self.services.uplink.events_flushed(self.services.config.kv_timeout)

    def spawn_alarm_call(self, call: Coroutine[Any, Any, None]) -> None:
        """Run a call of the hook as work of the actor."""
        self._keep_awake_during(self.work.spawn(call, name=f"actor {self.actor.id}: on_alarm"))

    async def repeat_alarm(self, timeout: float) -> None:
        """Make sure of an alarm that is due after the actor began to go to sleep, or whose call has not returned.

        The engine loses one that comes due meanwhile, and one that reaches it together with ``Stopped`` (seen: a third of
        them). Set again, and sent before ``Stopped``, no alarm was lost.
        """
        due_ms = None if self._alarm is None else self._alarm.due_ms
        if self._alarm is None or due_ms is None or self._going_since_ms is None:
            return
        if self._alarm.is_stored or due_ms >= self._going_since_ms:
            self._report(SetAlarm(due_ms))
            await self.services.uplink.events_flushed(timeout)

    # Stopping

    @property
    def outlives_a_stop(self) -> bool:
        """Whether something of this generation is to go on in the next: a hibernatable client, or an alarm.

        While it starts, it may not know of them yet.
        """
        if self._start_task is not None and (self._waking is not None or self.services.alarms is not None):
            return True
        has_alarm = self._alarm is not None and self._alarm.due_ms is not None
        if has_alarm or any(ws.hibernatable for ws in self.open_sockets()):
            return True
        return self._sockets is not None and self._sockets.awaits_clients

    def stop(self, cause: StopCause, *, error: str | None = None, hurry: bool = False, waited: float = 0.0) -> None:
        """Begin to stop. A stop that is under way goes on, and hurries if it is asked to or the new cause does not wait.

        ``waited`` is how many seconds ago the engine has told to stop.
        """
        if self.may_begin:
            self.stop_cause = cause
            self._going_since_ms = self._going_since_ms or self.services.now_ms()
            self.phase = GenerationPhase.STOPPING
            self._end_features()
            drained = self.intent is None and cause in (StopCause.DRAINED, StopCause.DESTROYED)
            self._stop_clock = StopClock(self.services.stop_seconds(drained) - waited)
            stop = self._stop(self._start_task, self._stop_clock, error)
            self._stop_task = self.services.tasks.spawn(stop, name=f"actor {self.actor.id}: stop")
        elif self.phase is GenerationPhase.STOPPING and cause.cut_off:
            self.stop_cause = cause
            self.cut_off_now(cause)
        if (hurry or cause.hurries) and self._stop_clock is not None:
            self._stop_clock.hurry(HURRY_SECONDS)

    async def stopped(self) -> None:
        """Wait until this generation has stopped. Cancelling is safe."""
        if self._stop_task is not None:
            await asyncio.wait([self._stop_task])

    async def _stop(self, start: asyncio.Task[Any] | None, clock: StopClock, error: str | None) -> None:
        try:
            with self.services.observer.stop(self.actor, lambda: self.actor.stop_reason):
                await self.run_steps(start, clock)
            self._report_stopped(error)
        finally:
            self.end_all()
            self.phase = GenerationPhase.STOPPED
            self.open_gate(False)
            self.services.stopped(self.actor.id, self.actor.generation)

    # Reports

    def _report_stopped(self, error: str | None) -> None:
        """Report the end of this generation, if the engine does not know of it.

        ``Stopped(OK)`` that the engine did not ask for destroys the actor. So it is only ever an answer to a stop command. A
        stop of our own making is left to the engine, which sees the runner go.
        """
        if self.stop_cause is StopCause.CRASHED:
            self._report(ActorStateStopped(StopCode.ERROR, error))
        elif self.stop_cause is StopCause.LOST:
            self._report(ActorStateStopped(StopCode.ERROR, self.stop_cause.value))
        elif self.stop_commanded and self.stop_cause is not StopCause.FORGOTTEN:
            self._report(ActorStateStopped(StopCode.OK, None))

    def _report(self, event: ActorEvent) -> None:
        """Tell the engine, unless it has forgotten this runner, and this generation with it."""
        if self.stop_cause is not StopCause.FORGOTTEN:
            self.services.uplink.report(self.actor.id, self.actor.generation, event)


def error_text(error: BaseException) -> str:
    """An error as text that can be sent: of bounded length, and always UTF-8."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:
        text = type(error).__name__
    return text[:MAX_ERROR_TEXT].encode("utf-8", "replace").decode()
