"""One actor, as the engine's workflow sees it: allocation, start, sleep, wake, alarm, crash, back-off, destroy.

::

               allocated           Running           sleep intent, stop intent, GoingAway
    (waiting) ──────────► STARTING ───────► RUNNING ────────────────────────────► STOPPING
      ▲   ▲                  │ Stopped, Lost   │ Stopped, Lost                       │ Stopped, Lost
      │   │                  └─────────────────┴──────────────┬──────────────────────┘
      │   └── reschedule (restart policy, will wake) ─────────┤
      │                                                       ├── destroyed (graceful, or policy destroy)
      └──────────── Wake (request, message, alarm) ◄── ASLEEP ◄┘ (it asked to sleep, or policy sleep)

While it waits for a runner or for a back-off to pass, the actor takes only its allocation and a destroy. A wake that comes
meanwhile counts afterwards. It has one deadline at a time: that of the start or stop under way, otherwise its alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from rivet_runner.protocol.v3 import (
    ActorConfig,
    ActorIntent,
    ActorIntentSleep,
    ActorState,
    ActorStateRunning,
    CommandStartActor,
    CommandStopActor,
    StopCode,
)
from rivet_runner.testing._simulated.actor_backoff import ActorBackoff
from rivet_runner.testing._simulated.actor_cluster import ActorCluster
from rivet_runner.testing._simulated.actor_spec import ActorSignal, ActorSpec
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timer, Timers

__all__ = ["SimulatedActor"]

NO_CAPACITY: Final = "no_capacity"


class _Wait(msgspec.Struct):
    """The wait of an actor without a runner. ``then`` is called at its end."""

    then: Callable[[], None]
    timer: Timer | None = None
    queued: bool = False


class SimulatedActor:
    """The state of one actor. Fields that end in ``_ts`` are those of the management API, in milliseconds or `None`."""

    def __init__(
        self, spec: ActorSpec, *, cluster: ActorCluster, timers: Timers, random: Random, settings: EngineSettings
    ) -> None:
        self.spec = spec
        self._cluster = cluster
        self._timers = timers
        self.backoff: ActorBackoff = ActorBackoff(timers.now, random, settings)
        self._settings = settings
        self.generation: int = 0
        self.runner_id: str | None = None
        self.sleeping: bool = False
        self.connectable: bool = False
        self.alarm_ts: int | None = None
        self.start_ts: int | None = None
        self.connectable_ts: int | None = None
        self.sleep_ts: int | None = None
        self.pending_allocation_ts: int | None = None
        self.destroy_ts: int | None = None
        self.error: Any = None
        self._stopping = self._going_away = self._will_wake = self._woken_meanwhile = False
        self._gc_deadline: int | None = None
        self._timer: Timer | None = None
        self._waiting: _Wait | None = None
        self._next_generation = 0

    @property
    def id(self) -> str:
        return self.spec.actor_id

    @property
    def gateway_sees_sleeping(self) -> bool:
        """Whether a request has to wake the actor: from the intent to sleep until the next allocation."""
        return self.sleep_ts is not None

    @property
    def waiting(self) -> bool:
        """Whether it waits for a runner, or for a back-off to pass."""
        return self._waiting is not None

    # Create and destroy

    def begin(self) -> None:
        """The first allocation."""
        self._spawn(0, force=False, timeout=None, failed=self._fell_asleep)

    def resume(self, *, was_awake: bool, was_waiting: bool) -> None:
        """Go on after the fields were restored from storage. An actor that was awake counts as lost."""
        if self.destroy_ts is not None:
            return
        if was_awake and not self.sleeping:
            self._ended_awake(graceful=False)
        elif was_waiting and self.start_ts is None:
            self.begin()
        elif was_waiting:
            timeout = self._settings.restart_pending_timeout_ms
            self._reschedule(force=True, timeout=timeout, then=lambda: None, failed=self._fell_asleep)
        self._arm()

    def destroy(self) -> None:
        """End the actor for good. Its runner gets a stop command, without a wait for the answer."""
        if self.destroy_ts is not None:
            return
        if self.runner_id is not None:
            self._send_stop(self.runner_id)
        self._destroyed()

    def _destroyed(self) -> None:
        self._stop_waiting()
        self.destroy_ts = self._timers.now()
        self.connectable = False
        self.connectable_ts = self.pending_allocation_ts = None
        runner_id, self.runner_id = self.runner_id, None
        self._gc_deadline = self.alarm_ts = None
        self._arm()
        self._decided("destroyed")
        if runner_id is not None:
            self._cluster.release_slot(self.spec, runner_id, to_queue=False)
        self._cluster.signal(self.spec, ActorSignal.DESTROYED)

    # Events of its runner

    def state_update(self, runner_id: str, generation: int, state: ActorState) -> None:
        """The runner says that the actor runs, or that it has stopped."""
        if not self._is_on(runner_id, generation):
            return
        if isinstance(state, ActorStateRunning):
            self._running()
        elif state.code is StopCode.OK:
            self.backoff.reset()
            self._ended("stopped", clean=True)
        else:
            self._fail({"crashed": {"message": state.message}})
            self._ended("crashed")

    def intent(self, runner_id: str, generation: int, intent: ActorIntent) -> None:
        """The actor asks to sleep, or to end."""
        if not self._is_on(runner_id, generation):
            return
        if isinstance(intent, ActorIntentSleep):
            if not self.sleeping:
                self.sleeping = True
                self.sleep_ts = self._timers.now()
                self._ask_to_stop(runner_id, "sleep intent")
        elif not self._stopping:
            self._stopping = True
            self._ask_to_stop(runner_id, "stop intent")

    def set_alarm(self, runner_id: str, generation: int, alarm_ts: int | None) -> None:
        """Set the actor's only alarm, which outlives generations. ``alarm_ts`` is in milliseconds."""
        if self._is_on(runner_id, generation):
            self.alarm_ts = alarm_ts
            self._decided("alarm", alarm_ts)
            self._arm()

    def going_away(self, runner_id: str, generation: int) -> None:
        """The runner drains."""
        if self._is_on(runner_id, generation) and not self._going_away:
            self._going_away = True
            self._ask_to_stop(runner_id, "going away")

    def lost(self, runner_id: str, generation: int, *, force_reschedule: bool = False, error: Any = None) -> None:
        """The runner is gone, or was draining when the start command reached it (then ``force_reschedule``)."""
        if not self._is_on(runner_id, generation):
            return
        if force_reschedule:
            self.backoff.reset()
        if error is not None:
            self._fail(error)
        self._ended("lost", lost=True, force_reschedule=force_reschedule)

    def _is_on(self, runner_id: str, generation: int) -> bool:
        return self.runner_id == runner_id and self.generation == generation and self.destroy_ts is None

    def _running(self) -> None:
        now = self._timers.now()
        self._gc_deadline = None
        self.connectable = True
        self.connectable_ts = now
        if self.start_ts is None:
            self.start_ts = now
        self._decided("running", self.generation)
        self._arm()
        self._cluster.signal(self.spec, ActorSignal.READY)

    def _ask_to_stop(self, runner_id: str, why: str) -> None:
        self._gc_deadline = self._timers.now() + self._settings.actor_stop_threshold
        self.connectable, self.connectable_ts = False, None
        self._decided(why, self.generation)
        self._arm()
        self._send_stop(runner_id)

    def _send_stop(self, runner_id: str) -> None:
        self._cluster.send_command(runner_id, self.id, CommandStopActor(self.id, self.generation))

    def _decided(self, what: str, *details: Any) -> None:
        self._cluster.actor_decided(self.id, what, *details)

    def _fail(self, error: Any) -> None:
        """A failure of the runner is not overwritten until the next allocation clears it."""
        if self.error is None or self.error == NO_CAPACITY:
            self.error = error

    # The end of a generation

    def _ended(self, why: str, *, clean: bool = False, lost: bool = False, force_reschedule: bool = False) -> None:
        runner_id, self.runner_id = self.runner_id, None
        assert runner_id is not None
        self._stopping, self._gc_deadline = False, None
        self.connectable, self.connectable_ts = False, None
        self._decided(why, self.generation)
        self._arm()
        self._cluster.release_slot(self.spec, runner_id, to_queue=True)
        if lost:
            self._send_stop(runner_id)
        if force_reschedule:
            self._reschedule(force=True, timeout=None, then=self._told_stopped, failed=self._fell_asleep)
        elif not self.sleeping:
            self._ended_awake(graceful=clean and not self._going_away)
        elif self._will_wake:
            self.sleeping = False
            self._reschedule(force=False, timeout=None, then=self._told_stopped, failed=self._stays_asleep)
        else:
            self._told_stopped()

    def _ended_awake(self, *, graceful: bool) -> None:
        if graceful or self.spec.crash_policy == "destroy":
            self._destroyed()
        elif self.spec.crash_policy == "restart":
            timeout = self._settings.restart_pending_timeout_ms
            self._reschedule(force=False, timeout=timeout, then=self._told_stopped, failed=self._fell_asleep)
        else:
            self._fell_asleep()
            self._told_stopped()

    def _told_stopped(self) -> None:
        self._will_wake = self._going_away = False
        self._cluster.signal(self.spec, ActorSignal.STOPPED)

    def _fell_asleep(self) -> None:
        self.sleep_ts = self._timers.now()
        self._stays_asleep()

    def _stays_asleep(self) -> None:
        self.sleeping = True
        self._decided("asleep")

    # Wake

    def wake(self, *, pending_timeout: int | None) -> None:
        """Wake the actor for a request, a client's message or an alarm.

        Without a runner it waits for one, at most ``pending_timeout`` milliseconds if that is given.
        """
        if self.destroy_ts is not None:
            return
        if self._waiting is not None:
            self._woken_meanwhile = True
            return
        if self.alarm_ts is not None and self.alarm_ts <= self._timers.now():
            self.alarm_ts = None
            self._arm()
        if not self.sleeping:
            return
        if self.runner_id is not None:
            self._will_wake = True
            self._decided("will wake")
            return
        self.sleeping = self._will_wake = False
        self._reschedule(force=True, timeout=pending_timeout, then=lambda: None, failed=self._stays_asleep)

    # Allocation

    def _reschedule(self, *, force: bool, timeout: int | None, then: Callable[[], None], failed: Callable[[], None]) -> None:
        """Start the next generation, at once or after a back-off. ``then`` is called when the outcome is decided."""

        def spawn() -> None:
            self._waiting = None
            self._spawn(self.generation + 1, force=force, timeout=timeout, failed=failed, then=then)

        delay = self.backoff.next_delay()
        if delay == 0:
            spawn()
            return
        self._decided("backs off", delay)
        self._waiting = _Wait(then, self._timers.call_later(delay, spawn))
        self._arm()

    def _spawn(
        self,
        generation: int,
        *,
        force: bool,
        timeout: int | None,
        failed: Callable[[], None],
        then: Callable[[], None] = lambda: None,
    ) -> None:
        queue = force or self.spec.crash_policy != "sleep"
        runner_id = self._cluster.take_slot(self.spec, self.allocated if queue else None)
        if runner_id is not None:
            self._start_on(runner_id, generation)
            then()
            self._look_at_wakes()
            return
        if self.error is None:
            self.error = NO_CAPACITY
        if not queue:
            self._stay_without_runner(failed, then)
            return
        self.pending_allocation_ts = self._timers.now()
        wait = self._waiting = _Wait(then, queued=True)
        self._next_generation = generation
        if timeout is not None:
            wait.timer = self._timers.call_later(timeout, self._gave_up_waiting, failed)
        self._decided("pending", generation)
        self._arm()

    def allocated(self, runner_id: str) -> None:
        """Its turn in the queue has come."""
        wait = self._waiting
        assert wait is not None
        self._stop_waiting(left_queue=True)
        self._start_on(runner_id, self._next_generation)
        wait.then()
        self._look_at_wakes()

    def _gave_up_waiting(self, failed: Callable[[], None]) -> None:
        wait = self._waiting
        assert wait is not None
        self._stop_waiting()
        self.pending_allocation_ts = None
        self._stay_without_runner(failed, wait.then)

    def _stay_without_runner(self, failed: Callable[[], None], then: Callable[[], None]) -> None:
        failed()
        self._arm()
        then()
        self._look_at_wakes()

    def _start_on(self, runner_id: str, generation: int) -> None:
        now = self._timers.now()
        self.generation = generation
        self.runner_id = runner_id
        self.sleeping = False
        self.sleep_ts = self.pending_allocation_ts = self.error = None
        self._gc_deadline = now + self._settings.actor_start_threshold
        self._decided("allocated", generation, runner_id)
        self._arm()
        config = ActorConfig(self.spec.name, self.spec.key, now, self.spec.input)
        self._cluster.send_command(runner_id, self.id, CommandStartActor(self.id, generation, config, []))

    def _stop_waiting(self, *, left_queue: bool = False) -> None:
        wait, self._waiting = self._waiting, None
        if wait is None:
            return
        if wait.timer is not None:
            wait.timer.cancel()
        if wait.queued and not left_queue:
            self._cluster.leave_queue(self.spec)

    def _look_at_wakes(self) -> None:
        if self._woken_meanwhile and self._waiting is None:
            self._woken_meanwhile = False
            self.wake(pending_timeout=self._settings.actor_force_wake_pending_timeout_ms)

    # The one deadline

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting is not None or self.destroy_ts is not None:
            return
        deadline = self._gc_deadline if self._gc_deadline is not None else self.alarm_ts
        if deadline is not None:
            self._timer = self._timers.call_at(deadline, self._deadline_reached)

    def _deadline_reached(self) -> None:
        self._timer = None
        if self._gc_deadline is None:
            self._decided("alarm is due")
            self.wake(pending_timeout=None)
            self._arm()
        elif self.runner_id is not None:
            self.lost(self.runner_id, self.generation, error={"runner_no_response": {"runner_id": self.runner_id}})
