"""A promise of a runner as a reader of the trace, and the messages of the protocol that such readers see."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Protocol

from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    MessageId,
    ToClientTunnelMessage,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerTunnelMessage,
    ToServerWebSocketMessageAck,
)

__all__ = ["Entry", "Invariant", "Place", "Violation", "is_read"]

Place = tuple[str, int]
"""An actor's id and a generation."""


class Entry(Protocol):
    """One line of the trace."""

    @property
    def time(self) -> int: ...
    @property
    def part(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def details(self) -> tuple[Any, ...]: ...
    @property
    def message(self) -> Any: ...


class Violation(NamedTuple):
    """``number`` is that of the invariant."""

    number: int
    text: str

    def __str__(self) -> str:
        return f"invariant {self.number}: {self.text}"


class Invariant:
    """Reads the trace line by line. `broken` has the complaints so far."""

    number: int

    def __init__(self) -> None:
        self.broken: list[Violation] = []

    def complain(self, text: str) -> None:
        self.broken.append(Violation(self.number, text))

    def app(self, entry: Entry) -> None:
        """A hook of an actor noted something. ``entry.details`` begins with its process and its generation."""

    def client(self, entry: Entry) -> None:
        """A client noted something."""

    def engine(self, entry: Entry) -> None:
        """The engine decided something, or a fault struck."""

    def event(self, place: Place, event: Any) -> None:
        """A runner reported an event of an actor."""

    def tunnel(self, key: bytes, index: int, kind: Any) -> None:
        """An open or a message to an actor's WebSocket passed, or an acknowledgement of one. ``key`` is the client's."""

    @property
    def waits(self) -> bool:
        """Whether the promise can still be broken by nothing more than time."""
        return False

    def tick(self, now: int) -> None:
        """Time passed, also without anything in the trace. ``now`` is in milliseconds, as in its lines."""


# Most messages are of no interest to any invariant. Two of their bytes tell, without decoding them.

_ID: Final = MessageId(bytes(4), bytes(4), 0)
KIND_AT: Final = 11
"""The place of the byte that tells what a tunnel message is about."""

EVENTS: Final = 1
"""The first byte of a message of events."""


def _kinds() -> frozenset[tuple[int, str, int, int]]:
    """Version, direction and the two bytes of the tunnel messages that are read."""
    kinds = set()
    for version, codec in ((3, v3), (7, v7)):
        for kind in (ToClientWebSocketOpen("", "", {}), ToClientWebSocketMessage(b"", False)):
            frame = codec.encode_to_client(ToClientTunnelMessage(_ID, kind))
            kinds.add((version, "<-", frame[0], frame[KIND_AT]))
        frame = codec.encode_to_server(ToServerTunnelMessage(_ID, ToServerWebSocketMessageAck(0)))
        kinds.add((version, "->", frame[0], frame[KIND_AT]))
    return frozenset(kinds)


KINDS: Final = _kinds()


def is_read(frame: bytes, direction: str, version: int) -> bool:
    """Whether an invariant may look at this message."""
    kind = frame[0]
    if kind == EVENTS:
        return direction == "->"
    return len(frame) > KIND_AT and (version, direction, kind, frame[KIND_AT]) in KINDS
