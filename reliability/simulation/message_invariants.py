"""The promises about the messages of WebSockets. `reliability.simulation.invariants` lists all promises."""

from __future__ import annotations

import math
from typing import Any, Final

from reliability.simulation.checker import ENDS
from reliability.simulation.invariant import Entry, Invariant
from rivet_runner.protocol.messages import (
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
)

__all__ = ["LONGEST_CALL_MS", "TOGETHER_MS", "ClientMessages", "Replies"]

TOGETHER_MS: Final = 200
"""Messages that were held up are with the engine so soon after the end of that."""

LONGEST_CALL_MS: Final = 3_000

GIVEN_UP: Final = "ws.message_index_skip"
"""The reason with which a runner closes such a client."""


class ClientMessages(Invariant):
    """A runner gives a client up that lacks a message for seconds. Nothing here loses a message for so long."""

    number = 1

    def __init__(self) -> None:
        super().__init__()
        self.may_lack_records = False
        self.staying: dict[str, bool] = {}
        self.expected: dict[str, int] = {}
        self.in_serve: dict[int, int] = {}
        self.names: dict[bytes, str] = {}
        self.numbers: dict[tuple[bytes, int], int] = {}
        self.acknowledged: dict[str, int] = {}
        self.delivered_by: dict[tuple[str, int], str] = {}

    def client(self, entry: Entry) -> None:
        if entry.what == "connects":
            name, stays = entry.details
            self.staying[name], self.expected[name] = stays, 1
        elif entry.what == "is closed" and entry.details[2] == GIVEN_UP and not self.may_lack_records:
            self.complain(f"{entry.details[0]}: it was given up for a message that the gateway does not have")

    def engine(self, entry: Entry) -> None:
        if entry.what.endswith("key-value call"):
            self.may_lack_records = True

    def app(self, entry: Entry) -> None:
        if entry.what != "got":
            return
        process, _, name, serve, number = entry.details
        before = self.in_serve.get(serve)
        self.in_serve[serve] = number
        if before is not None and number <= before:
            self.complain(f"{name}: a handler got message {number} after {before}")
        if not self.staying[name]:
            return
        if number > self.expected[name] or (before is not None and number > before + 1):
            self.complain(f"{name}: message {self.expected[name]} was skipped, {number} came")
        if number <= self.acknowledged.get(name, 0) and self.delivered_by.get((name, number)) == process:
            self.complain(f"{name}: message {number} came again after its acknowledgement")
        self.delivered_by[name, number] = process
        self.expected[name] = max(self.expected[name], number + 1)

    def tunnel(self, key: bytes, index: int, kind: Any) -> None:
        if isinstance(kind, ToClientWebSocketOpen):
            self.names[key] = kind.path.rsplit("/", 1)[-1]
        elif isinstance(kind, ToClientWebSocketMessage):
            self.numbers[key, index] = int(kind.data)
        elif isinstance(kind, ToServerWebSocketMessageAck) and (key, kind.index) in self.numbers:
            name, number = self.names[key], self.numbers[key, kind.index]
            self.acknowledged[name] = max(number, self.acknowledged.get(name, 0))
            if number >= self.expected[name]:
                self.complain(f"{name}: message {number} was acknowledged and never delivered")


class Replies(Invariant):
    """The gateway drops what reaches it while it attaches a client, so nothing may reach it then on a healthy connection."""

    number = 2

    def __init__(self) -> None:
        super().__init__()
        self.attached: set[str] = set()
        self.decided: dict[str, str] = {}
        self.held_up_until: dict[str, float] = {}
        self.sent: dict[str, dict[int, int]] = {}
        self.received: dict[str, int] = {}
        self.lines = 0
        self.disturbed_at = 0
        self.actor_disturbed_at: dict[str, int] = {}

    def app(self, entry: Entry) -> None:
        self.lines += 1
        if entry.what == "sends":
            _, _, name, number = entry.details
            self.sent.setdefault(name, {})[number] = self.lines
        elif entry.what == "could not send":
            _, _, name, number = entry.details
            self.sent[name].pop(number)
        elif entry.what == "serves":
            # The gateway has asked again, and listens to the new handler alone.
            self.sent.pop(entry.details[2], None)

    def engine(self, entry: Entry) -> None:
        self.lines += 1
        if entry.part == "actor":
            self.actor_disturbed_at[entry.subject] = self.lines
            self.decided[entry.subject] = entry.what
        elif entry.part in ("fault", "runner"):
            self.disturbed_at = self.lines
            self._note_what_holds_up(entry)
        elif entry.what == "attached":
            self.attached.add(entry.details[0])
        elif entry.what == "dropped" and entry.details[1] == ToServerWebSocketMessage.__name__:
            self._look_at_dropped(entry)

    def _note_what_holds_up(self, entry: Entry) -> None:
        if entry.what in ("stalls", "partition"):
            self.held_up_until[entry.subject] = math.inf
        elif entry.what in ENDS:
            for one in [entry.subject] if entry.subject else [*self.held_up_until]:
                self.held_up_until[one] = entry.time + TOGETHER_MS
        elif entry.what == "slow key-value call":
            self.held_up_until[entry.what] = entry.time + LONGEST_CALL_MS + TOGETHER_MS

    def _look_at_dropped(self, entry: Entry) -> None:
        runs = self.decided.get(entry.subject) in ("running", "alarm", "alarm is due")
        held_up = any(entry.time <= until for until in self.held_up_until.values())
        if runs and not held_up and entry.details[0] in self.attached:
            self.complain(f"{entry.subject}: a message came while the gateway attached {entry.details[0]} again")

    def client(self, entry: Entry) -> None:
        if entry.what != "receives":
            return
        name, number = entry.details
        sent, before = self.sent.get(name, {}), self.received.get(name, 0)
        self.received[name] = number
        if number <= before:
            self.complain(f"{name}: reply {number} arrived after {before}")
        disturbed_at = max(self.disturbed_at, self.actor_disturbed_at.get(entry.subject, 0))
        lost = [one for one in range(before + 1, number) if sent.get(one, 0) > disturbed_at]
        if lost:
            self.complain(f"{name}: replies {lost} did not arrive, and nothing was in their way")
