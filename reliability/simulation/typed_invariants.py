"""The promises of typed actors, each as a reader of the trace that complains if the promise is broken.

8. `Acknowledged`: what an actor has acknowledged is in its state, after whatever happened
9. `Calls`: a call over a connection runs to its end at least once, calls start in their order, none is skipped, and after
   its acknowledgement none runs again
10. `Schedules`: what is scheduled runs at least once

`typed_life` has 11 to 13.

Those of plain runners that need no message of their own hold too: 3, 6 and 7.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from reliability.simulation.invariant import Entry, Invariant
from reliability.simulation.invariants import Generations, Recovery, Shutdowns
from reliability.simulation.typed_life import FLEETING, Life, RawRoutes, Recurring
from rivet_runner.protocol.messages import ToClientWebSocketMessage, ToClientWebSocketOpen, ToServerWebSocketMessageAck

__all__ = ["TYPED_INVARIANTS"]

ACKNOWLEDGED_AFTER: Final = 20_000
"""Milliseconds after which a call is acknowledged though it still runs."""

CONNECT: Final = "/connect"

STOP_SECONDS: Final = 9
"""A stop that takes longer may have been cut short before its last save."""


class Messages:
    """The calls of clients as they pass between the engine and the runners, by request key and message index."""

    def __init__(self) -> None:
        self.opened_at: dict[bytes, int] = {}
        self.calls: dict[bytes, dict[int, str | None]] = {}
        """The id of the call of each message, or ``None`` for a message that is no call."""
        self.places: dict[str, tuple[bytes, int]] = {}
        self.acknowledged: dict[bytes, int] = {}

    def read(self, key: bytes, index: int, kind: Any) -> list[str]:
        """Take note of a message. Return the calls that it acknowledges."""
        if isinstance(kind, ToClientWebSocketOpen):
            if kind.path.partition("?")[0] == CONNECT:
                self.opened_at[key] = self.acknowledged[key] = index
                self.calls.setdefault(key, {})
        elif key not in self.opened_at:
            pass  # a raw WebSocket
        elif isinstance(kind, ToClientWebSocketMessage):
            call = self.calls[key][index] = _call_of(kind.data)
            if call is not None:
                self.places[call] = (key, index)
        elif isinstance(kind, ToServerWebSocketMessageAck):
            self.acknowledged[key] = max(kind.index, self.acknowledged[key])
            return self._calls_up_to(key, kind.index)
        return []

    def _calls_up_to(self, key: bytes, upto: int) -> list[str]:
        calls = self.calls[key]
        found = (calls.get(index) for index in range(self.opened_at[key] + 1, upto + 1))
        return [call for call in found if call is not None]


def _call_of(data: bytes) -> str | None:
    body = cbor2.loads(data)["body"]
    return str(body["val"]["args"][0]) if body["tag"] == "ActionRequest" else None


class Acknowledged(Invariant):
    """A call is acknowledged when `DurableActor.save` has returned, when its message is acknowledged at the gateway, and
    when the actor has fallen asleep afterwards.
    """

    number = 8

    def __init__(self) -> None:
        super().__init__()
        self.messages = Messages()
        self.changed: dict[str, tuple[str, int]] = {}
        """For each call that has changed a state: the actor and its generation."""
        self.promised: dict[str, dict[str, tuple[int, str]]] = {}
        """For each actor: each call that must be in its state, with the generation since which, and the reason."""
        self.of_connection: dict[bytes, tuple[int, int]] = {}
        """For each connection: the number of the last call that must be in its own state, and the generation since which."""
        self.stopping: dict[tuple[str, int], int] = {}
        """When a generation was told to stop, or has asked for it. One whose last save has failed is left out."""

    def app(self, entry: Entry) -> None:
        actor, generation = place = entry.subject, entry.details[1]
        if entry.what in ("changed", "ran later"):
            self.changed[entry.details[2]] = place
        elif entry.what == "runs":
            self.changed.pop(entry.details[2], None)  # that was in a generation that died, and this time it may raise
            self._look_at_connection(generation, *entry.details[2:])
        elif entry.what == "failed" and entry.details[2] == "save":
            self.stopping.pop(place, None)
        elif entry.what == "saved":
            self._promise(entry.details[2], "save() had returned")
        elif entry.what == "holds":
            self._look(actor, generation - 1, entry.details[2:])
        elif entry.what == "reports":
            self._look(actor, generation, entry.details[2:])

    def engine(self, entry: Entry) -> None:
        if entry.part != "actor":
            return
        if entry.what == "destroyed":
            self.promised.pop(entry.subject, None)
        elif entry.what in ("sleep intent", "going away"):
            self.stopping.setdefault((entry.subject, entry.details[0]), entry.time)
        elif entry.what == "stopped":
            place = (entry.subject, entry.details[0])
            if entry.time - self.stopping.get(place, -STOP_SECONDS * 1000) < STOP_SECONDS * 1000:
                for call in [call for call, its in self.changed.items() if its == place]:
                    self._promise(call, "the actor had fallen asleep")

    def tunnel(self, key: bytes, index: int, kind: Any) -> None:
        for call in self.messages.read(key, index, kind):
            if call in self.changed:
                self._promise(call, "its message was acknowledged")
                self.of_connection[key] = (int(call.rsplit(".", 1)[-1]), self.changed[call][1])

    def _promise(self, call: str, why: str) -> None:
        if call not in self.changed:
            return  # another generation has begun it anew
        actor, generation = self.changed[call]
        self.promised.setdefault(actor, {}).setdefault(call, (generation, why))

    def _look_at_connection(self, generation: int, call: str, _: str, last: int) -> None:
        promised, since = self.of_connection.get(self.messages.places[call][0], (0, 0))
        if last < promised and since <= generation:
            self.complain(f"{call}: the state of its connection knows of call {last}, and {promised} was acknowledged")

    def _look(self, actor: str, upto: int, held: tuple[str, ...]) -> None:
        """The state of ``actor`` holds these calls, and should hold all that generations up to ``upto`` have promised."""
        promised = self.promised.get(actor, {})
        for call in [call for call, (generation, _) in promised.items() if generation <= upto and call not in held]:
            self.complain(f"{actor}: {call} is not in the state, though {promised.pop(call)[1]}")


class Calls(Invariant):
    number = 9

    def __init__(self) -> None:
        super().__init__()
        self.messages = Messages()
        self.started: dict[str, str] = {}
        """For each call that has started: the process."""
        self.last: dict[tuple[str, str, int], int] = {}
        """For each connection, process and generation: the index of the message that has started last."""
        self.running: dict[str, int] = {}
        """When each call has started that has not ended, in milliseconds."""
        self.fleeting: set[str] = set()
        """Actors whose connections cannot hibernate: what a client sends them while the link is cut is lost."""
        self.now = 0

    def engine(self, entry: Entry) -> None:
        if entry.part == "actor" and entry.what == "created" and FLEETING in entry.details:
            self.fleeting.add(entry.subject)

    def app(self, entry: Entry) -> None:
        self.now = entry.time
        if entry.what in ("changed", "raises"):
            self.running.pop(entry.details[2], None)
        elif entry.what == "runs":
            self._starts(entry)

    def _starts(self, entry: Entry) -> None:
        process, generation, call, connection, _ = entry.details
        key, index = self.messages.places[call]
        place = (connection, process, generation)
        if index <= self.last.get(place, 0):
            self.complain(f"{call} started after a later call of its connection, or twice")
        self.last[place] = index
        known_from = index if entry.subject in self.fleeting else self.messages.opened_at[key] + 1
        for earlier in range(known_from, index):
            other = self.messages.calls[key].get(earlier, f"the message {earlier}")
            if other is not None and other not in self.started:
                self.complain(f"{other} was skipped, {call} started")
        if index <= self.messages.acknowledged[key] and self.started.get(call) == process:
            self.complain(f"{call} started again after its acknowledgement")
        self.started[call] = process
        self.running[call] = entry.time

    def tunnel(self, key: bytes, index: int, kind: Any) -> None:
        for call in self.messages.read(key, index, kind):
            if call not in self.started:
                self.complain(f"{call} was acknowledged and never started")
            elif call in self.running and self.now - self.running[call] < ACKNOWLEDGED_AFTER:
                self.complain(f"{call} was acknowledged and has not ended")


class Schedules(Invariant):
    number = 10

    def __init__(self) -> None:
        super().__init__()
        self.waiting: dict[str, str] = {}
        """The actor of each entry that has not run."""
        self.ran: dict[str, str] = {}
        self.destroyed: set[str] = set()
        """Actors of which nothing is expected, also not what they note while they end."""

    def app(self, entry: Entry) -> None:
        if entry.subject in self.destroyed:
            return
        if entry.what == "scheduled" and entry.details[2] not in self.ran:
            self.waiting[entry.details[2]] = entry.subject
        elif entry.what == "ran later":
            self.waiting.pop(entry.details[2], None)
            self.ran[entry.details[2]] = entry.subject
        elif entry.what == "reports":
            for one in [one for one, actor in self.ran.items() if actor == entry.subject and one not in entry.details]:
                self.complain(f"{entry.subject}: {one} ran, and its change of the state was lost")

    def engine(self, entry: Entry) -> None:
        if entry.part == "actor" and entry.what == "destroyed":
            self.destroyed.add(entry.subject)
            for one in (self.waiting, self.ran):
                for name in [name for name, actor in one.items() if actor == entry.subject]:
                    del one[name]
        elif entry.part == "calm" and entry.what == "is over":
            for name, actor in self.waiting.items():
                self.complain(f"{actor}: {name} was scheduled and never ran")


TYPED_INVARIANTS: Final = (
    Generations,
    Shutdowns,
    Recovery,
    Acknowledged,
    Calls,
    Schedules,
    Recurring,
    Life,
    RawRoutes,
)
