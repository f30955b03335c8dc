"""Promises of typed actors about what goes on by itself, and about raw routes.

11. `Recurring`: a recurring schedule goes on until it is cancelled and not after that, never overlaps itself, and makes up
    for missed ticks with one
12. `Life`: a stop hook runs after ``run()``, the ticks and the connections that cannot hibernate have ended, and ``run()``
    begins once, after ``on_start``
13. `RawRoutes`: a raw request gets the answer to it, and messages of a raw WebSocket come in their order, none twice. They
    may be lost while the link is cut
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from reliability.simulation.invariant import Entry, Invariant, Place
from reliability.simulation.typed_subject import SHORTEST_INTERVAL

__all__ = ["FLEETING", "Life", "RawRoutes", "Recurring"]

FLEETING: Final = "fleeting"
"""The name of the actors whose connections cannot hibernate."""

SPARE_TICKS: Final = 2
"""In a generation: the one for all that were missed, and the one at its begin."""


class Recurring(Invariant):
    number = 11

    def __init__(self) -> None:
        super().__init__()
        self.asking: dict[str, Counter[str]] = defaultdict(Counter)
        """For each actor: how many calls to repeat and to rest have begun and not ended, as far as is known."""
        self.repeating: set[str] = set()
        self.resting: dict[str, int] = {}
        """Actors that must not tick, with the generation since which."""
        self.ticking: set[Place] = set()
        self.first_tick: dict[Place, int] = {}
        self.ticks: Counter[Place] = Counter()
        self.last_tick: dict[str, int] = {}
        self.destroyed: set[str] = set()
        self.waits_since = 0

    def app(self, entry: Entry) -> None:
        place = (entry.subject, entry.details[1])
        if entry.what == "tick begins":
            self._begins(place, entry.time)
        elif entry.what == "tick ends":
            self.ticking.discard(place)
            if entry.details[2]:
                self._ended_well(place, entry.time)
        else:
            self._change(place, entry.what)

    def _begins(self, place: Place, now: int) -> None:
        actor, generation = place
        if place in self.ticking:
            self.complain(f"{actor}: a tick began before the last one had ended")
        if actor in self.resting and generation >= self.resting[actor]:
            self.complain(f"{actor}: it ticked after that was cancelled")
        self.ticking.add(place)
        self.first_tick.setdefault(place, now)

    def _ended_well(self, place: Place, now: int) -> None:
        self.ticks[place] += 1
        self.last_tick[place[0]] = now
        # A tick that was under way when another schedule took its place counts for that one.
        most = (now - self.first_tick.setdefault(place, now)) / 1000 / SHORTEST_INTERVAL + SPARE_TICKS
        if self.ticks[place] > most:
            self.complain(f"{place[0]}: it ticked {self.ticks[place]} times, and {most:.1f} were due")

    def _change(self, place: Place, what: str) -> None:
        actor, generation = place
        asking = self.asking[actor]
        if what == "asks to repeat":
            asking["repeat"] += 1
            self.resting.pop(actor, None)
            # What replaces a schedule begins with a tick of its own.
            self.first_tick.pop(place, None)
            self.ticks.pop(place, None)
        elif what == "asks to rest":
            asking["rest"] += 1
            self.repeating.discard(actor)
        elif what == "repeats":
            asking["repeat"] -= 1
            if not asking["rest"] and actor not in self.destroyed:
                self.repeating.add(actor)
        elif what == "rests":
            asking["rest"] -= 1
            if not asking["repeat"]:
                self.resting[actor] = generation

    def engine(self, entry: Entry) -> None:
        if entry.part == "actor" and entry.what == "destroyed":
            self.destroyed.add(entry.subject)
            self.repeating.discard(entry.subject)
        elif entry.part == "calm" and entry.what == "waits":
            self.waits_since = entry.time
        elif entry.part == "calm" and entry.what == "is over":
            for actor in sorted(self.repeating):
                if self.last_tick.get(actor, -1) < self.waits_since:
                    self.complain(f"{actor}: it ticks no more, and that was not cancelled")


class Life(Invariant):
    number = 12

    def __init__(self) -> None:
        super().__init__()
        self.started: set[Place] = set()
        self.looped: set[Place] = set()
        self.going_on: dict[Place, list[str]] = defaultdict(list)
        """What has begun and not ended: loops, ticks, and connections of actors whose connections cannot hibernate."""
        self.fleeting: set[str] = set()

    def engine(self, entry: Entry) -> None:
        if entry.part == "actor" and entry.what == "created" and FLEETING in entry.details:
            self.fleeting.add(entry.subject)

    def app(self, entry: Entry) -> None:
        place = (entry.subject, entry.details[1])
        going_on = self.going_on[place]
        if entry.what == "has started":
            self.started.add(place)
        elif entry.what == "loop begins":
            if place not in self.started or place in self.looped:
                self.complain(f"{place[0]}: run() began before on_start had ended, or twice")
            self.looped.add(place)
            going_on.append("run()")
        elif entry.what == "loop ends":
            going_on.remove("run()")
        elif entry.what == "tick begins":
            going_on.append("a tick")
        elif entry.what == "tick ends":
            going_on.remove("a tick")
        elif entry.what in ("joins", "leaves") and entry.subject in self.fleeting:
            self._connection(entry, going_on)
        elif entry.what == "stop" and going_on:
            self.complain(f"{place[0]}: its stop hook was called before {going_on} had ended")
        elif entry.what == "reports" and place not in self.looped:
            self.complain(f"{place[0]}: run() never began")

    def _connection(self, entry: Entry, going_on: list[str]) -> None:
        name = f"connection {entry.details[2]}"
        if entry.what == "joins":
            going_on.append(name)
        elif name in going_on:
            going_on.remove(name)
        else:
            self.complain(f"{entry.subject}: {name} left twice, or never joined")


class RawRoutes(Invariant):
    number = 13

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, int] = defaultdict(int)

    def client(self, entry: Entry) -> None:
        if entry.what == "has a wrong answer":
            self.complain(f"{entry.subject}: the raw request {entry.details[1]} got another one's answer")
        elif entry.what == "hears":
            name, number = entry.details
            if number <= self.heard[name]:
                self.complain(f"{name}: {number} came back after {self.heard[name]}")
            self.heard[name] = number
