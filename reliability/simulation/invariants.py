"""The promises of a runner, each as a reader of the trace that complains if the promise is broken.

1. `ClientMessages`: a client message on a hibernatable WebSocket is delivered at least once, in order, none skipped, and
   after its acknowledgement never again
2. `Replies`: a message of an actor on a healthy connection arrives once, in order, and none arrives twice
3. `Generations`: never two running generations of an actor in a process, start and stop once each, nothing after the stop
4. `Values`: a write that returned is there, and no later write is undone by an earlier one
5. `Alarms`: an alarm is not lost while its actor sleeps, moves or crashes
6. `Shutdowns`: a graceful shutdown ends within its bounds, and answers the requests that are under way
7. `Recovery`: after the last fault, everything works again within a stated time

`load` looks for what the trace cannot show: tasks and timers that stay behind.
"""

from __future__ import annotations

from typing import Any, Final

from reliability.simulation.checker import ENDS
from reliability.simulation.invariant import Entry, Invariant, Place
from reliability.simulation.message_invariants import LONGEST_CALL_MS, TOGETHER_MS, ClientMessages, Replies
from rivet_runner.protocol.messages import ActorStateStopped

__all__ = ["ALARM_SECONDS", "INVARIANTS", "OK", "RECOVERY_SECONDS", "Generations", "Recovery", "Shutdowns"]

SHUTDOWN_SECONDS: Final = 45.0
"""Bound of a graceful shutdown with the timeouts of `rivet_runner.Runner` that `load` sets."""

TROUBLED_SECONDS: Final = 60.0
"""A fault of so long ago may still keep an answer from its client."""

OK: Final = 200

RECOVERY_SECONDS: Final = 150.0
"""Most of it is the engine's: 30 s until a runner has its first init after a crash, and 30 s until one counts as lost."""

ALARM_SECONDS: Final = 100.0
"""An alarm may have to wait for a runner, or for the back-off after crashes."""


class Generations(Invariant):
    number = 3

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[tuple[str, str], int] = {}
        self.seen: set[tuple[str, str, int, str]] = set()
        self.stopped: set[Place] = set()

    def app(self, entry: Entry) -> None:
        process, generation = entry.details[:2]
        actor, what = entry.subject, entry.what
        if (actor, generation) in self.stopped:
            self.complain(f"{actor}: {what} of generation {generation} after it was reported as stopped")
        newest = self.running.get((process, actor), -1)
        if newest > generation:
            self.complain(f"{actor}: {what} of generation {generation} while {newest} runs in the same process")
        self.running[process, actor] = max(newest, generation)
        if what in ("start", "stop"):
            self._once(process, actor, generation, what)

    def _once(self, process: str, actor: str, generation: int, what: str) -> None:
        if (process, actor, generation, what) in self.seen:
            self.complain(f"{actor}: {what} of generation {generation} a second time in {process}")
        self.seen.add((process, actor, generation, what))

    def event(self, place: Place, event: Any) -> None:
        if isinstance(getattr(event, "state", None), ActorStateStopped):
            self.stopped.add(place)


class Values(Invariant):
    """A put that failed may be undone: its actor knows of the failure, and repeats of the puts before it may come later."""

    number = 4

    def __init__(self) -> None:
        super().__init__()
        self.failed: set[tuple[str, int]] = set()
        self.put: dict[str, int] = {}
        self.stored: dict[str, int] = {}
        self.asked: dict[tuple[str, str, int], int] = {}

    def app(self, entry: Entry) -> None:
        actor = entry.subject
        reader = (actor, *entry.details[:2])
        if entry.what == "put":
            self.put[actor] = max(self.put.get(actor, 0), entry.details[2])
        elif entry.what == "put failed":
            self.failed.add((actor, entry.details[2]))
        elif entry.what == "gets":
            self.asked[reader] = self.put.get(actor, 0)
        elif entry.what == "got value" and entry.details[2] < self.asked[reader]:
            self.complain(f"{actor}: read {entry.details[2]}, after a put of {self.asked[reader]} had returned")

    def engine(self, entry: Entry) -> None:
        if entry.part == "actor" and entry.what == "destroyed":
            self.put.pop(entry.subject, None)
            self.stored.pop(entry.subject, None)
        elif entry.part == "store":
            self._look(entry.subject, entry.details[0])

    def _look(self, actor: str, value: int) -> None:
        if value < self.put.get(actor, 0):
            self.complain(f"{actor}: the store has {value}, after a put of {self.put[actor]} had returned")
        if value < self.stored.get(actor, 0) and (actor, self.stored[actor]) not in self.failed:
            self.complain(f"{actor}: the store had {self.stored[actor]}, and has {value} now")
        self.stored[actor] = value


class Alarms(Invariant):
    """An alarm is over if its actor runs after it was due, or if the engine took the actor to run when it was due.

    The engine may be wrong there: it learns only later that a process was killed.
    """

    number = 5

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, tuple[int, int, Place]] = {}
        self.running: dict[Place, str] = {}
        self.set: set[tuple[str, int]] = set()
        self.told: set[tuple[str, int]] = set()
        self.gone: set[Place] = set()
        self.allocated: set[str] = set()
        self.destroyed: set[str] = set()
        self.clock_is_wrong = False

    def app(self, entry: Entry) -> None:
        place = (entry.subject, entry.details[1])
        if entry.what == "alarm":
            self.set.add((entry.subject, entry.details[2]))
        if entry.what == "alarm" and entry.subject not in self.destroyed:
            self.waiting[entry.subject] = (entry.time + entry.details[3], entry.details[2], place)
        elif entry.what == "start":
            self.running[place] = entry.details[0]
            self._is_over_if_due(entry)
        elif entry.what == "stop" and self.running.pop(place, None) is not None:
            self._is_over_if_due(entry)

    def _is_over_if_due(self, entry: Entry) -> None:
        """The actor runs at the time of ``entry``."""
        if entry.subject in self.waiting and self.waiting[entry.subject][0] <= entry.time:
            del self.waiting[entry.subject]

    def engine(self, entry: Entry) -> None:
        actor = entry.subject
        if entry.what == "clock_steps":
            self.clock_is_wrong = True
        elif entry.what == "kill":
            self._process_is_gone(actor)
        elif entry.part == "actor":
            self._decided(entry)

    def _decided(self, entry: Entry) -> None:
        actor = entry.subject
        if entry.what == "allocated":
            self.allocated.add(actor)
        elif entry.what == "destroyed":
            self.waiting.pop(actor, None)
            self.destroyed.add(actor)
        elif entry.what in ("stopped", "crashed", "lost"):
            self.allocated.discard(actor)
            if entry.what == "lost":
                self.gone.add((actor, entry.details[0]))
        elif entry.what == "alarm is due" and actor in self.allocated:
            self.waiting.pop(actor, None)

    def _process_is_gone(self, process: str) -> None:
        for place in [place for place, its in self.running.items() if its == process]:
            del self.running[place]
            self.gone.add(place)

    def event(self, place: Place, event: Any) -> None:
        alarm_ts = getattr(event, "alarm_ts", None)
        if alarm_ts is not None:
            self._told((place[0], alarm_ts))

    def _told(self, alarm: tuple[str, int]) -> None:
        self.told.add(alarm)
        if alarm not in self.set:
            self.complain(f"{alarm[0]}: the engine was told of an alarm at {alarm[1]}, which the actor has not set")

    @property
    def waits(self) -> bool:
        return bool(self.waiting)

    def tick(self, now: int) -> None:
        for actor, (due, alarm_ts, place) in list(self.waiting.items()):
            if now < due:
                continue
            if any(running == actor for running, _ in self.running):
                del self.waiting[actor]
            elif now > due + ALARM_SECONDS * 1000:
                del self.waiting[actor]
                never_told = (actor, alarm_ts) not in self.told and place in self.gone
                if not never_told and not self.clock_is_wrong:
                    self.complain(f"{actor}: it was not woken by its alarm of {due / 1000:.3f}")


class Shutdowns(Invariant):
    number = 6

    def __init__(self) -> None:
        super().__init__()
        self.began: dict[str, tuple[int, list[int]]] = {}
        self.serving: dict[int, str] = {}
        self.statuses: dict[int, int] = {}
        self.troubled_at = -TROUBLED_SECONDS * 1000

    def app(self, entry: Entry) -> None:
        if entry.what == "request":
            process, _, _, number = entry.details
            self.serving[number] = process

    def client(self, entry: Entry) -> None:
        if entry.what == "has answer":
            number, self.statuses[number] = entry.details[1:]
            self.serving.pop(number, None)

    def engine(self, entry: Entry) -> None:
        process = entry.subject
        if entry.what == "shuts down":
            self.began[process] = (entry.time, [number for number, its in self.serving.items() if its == process])
        elif entry.what == "is down" and process in self.began:
            self._look(process, entry.time, *self.began.pop(process))
        elif entry.part == "left":
            self.complain(f"left behind at the end: {process} {entry.what}")
        elif entry.part == "fault" or entry.what == "disconnected":
            self.troubled_at = entry.time

    def _look(self, process: str, now: int, began: int, under_way: list[int]) -> None:
        if now - began > SHUTDOWN_SECONDS * 1000:
            self.complain(f"{process}: the shutdown took {(now - began) / 1000:.1f} s")
        if self.troubled_at > began - TROUBLED_SECONDS * 1000:
            return
        unanswered = [number for number in under_way if self.statuses.get(number) != OK]
        if unanswered:
            self.complain(f"{process}: the requests {unanswered} had no answer, or a bad one")


class Recovery(Invariant):
    """An actor of protocol 3 is excused if the engine lost one of its events on a connection that was held up.

    A runner keeps its messages of events apart. They come together all the same if a stall or a slow call holds them up, and
    then the engine may drop one. It waits half an hour for an actor whose stop it has dropped.
    """

    number = 7

    def __init__(self) -> None:
        super().__init__()
        self.held_up: list[tuple[int, int]] = []
        self.lost_events: list[tuple[int, str]] = []

    def engine(self, entry: Entry) -> None:
        now = entry.time
        if entry.what in ENDS:
            self.held_up.append((now - TOGETHER_MS, now + TOGETHER_MS))
        elif entry.what == "slow key-value call":
            self.held_up.append((now, now + LONGEST_CALL_MS + TOGETHER_MS))
        elif entry.what == "lost an event of":
            self.lost_events.append((now, entry.details[0]))
        elif entry.part == "calm" and entry.what == "does not work" and not self._is_excused(entry.subject):
            self.complain(f"{entry.subject} did not work {RECOVERY_SECONDS:g} s after the last fault: {entry.details[0]}")

    def _is_excused(self, actor: str) -> bool:
        lost_at = [when for when, whose in self.lost_events if whose == actor]
        return any(begin <= when <= end for when in lost_at for begin, end in self.held_up)


INVARIANTS: Final = (ClientMessages, Replies, Generations, Values, Alarms, Shutdowns, Recovery)
