"""The order of a client's messages to one hibernatable WebSocket: new, repeated, or behind a gap.

::

              index ahead of the next            replay asked for
    FLOWING ─────────────────────────► GAP ─────────────────────► REPAIRING ◄────── asked for again ──────┐
       ▲                                │                             │                                   │
       │                                └── the next message arrives ─┴── anything not ahead ───► REPLAYING
       └──────────── the message that is the furthest ahead of all that were seen has arrived ────────┘

A message that is ahead is never delivered: the gateway still has it and those before it, and replays them all in order once
it is asked to. In ``REPAIRING``, messages that are still ahead were under way before the request. The first message that is
not ahead is the replay's first, whether it is new or a repetition. A replay is a burst, of which the engine may lose any
part, its end as well. So the gap is closed only when the furthest message that is known of has come.

What the engine loses of a burst is mostly not the end. So the end of a replay that has brought too little shows as well: the
indexes have gone back, which only a replay does, and have reached the furthest message again.
"""

from __future__ import annotations

import enum
from typing import Final

from rivet_runner.protocol.tunnel_ids import INDEX_SPACE

__all__ = ["Flow", "InboundStream", "Verdict", "ahead"]


class Flow(enum.Enum):
    FLOWING = "flowing"
    GAP = "a message is missing"
    REPAIRING = "a replay was asked for"
    REPLAYING = "a replay has begun"


class Verdict(enum.Enum):
    """The treatment of a message."""

    DELIVER = "deliver"
    REPETITION = "drop: it was received before"
    GAP = "drop, and ask for a replay"
    AHEAD = "drop: the replay will bring it"


_FLOWING: Final = Flow.FLOWING


def ahead(index: int, than: int) -> int:
    """How far ``index`` is ahead of ``than``: 1 for the next one, 0 for the same, negative for an older one.

    Message indexes wrap. Of two indexes, the one that is up to half the circle ahead is the newer. The gateway holds at most
    65,535 messages that are not acknowledged, and this library far fewer, so two indexes that are compared are never further
    apart.
    """
    distance = (index - than) % INDEX_SPACE
    return distance if distance < INDEX_SPACE // 2 else distance - INDEX_SPACE


class InboundStream:
    """The order of one socket's client messages.

    ``last`` is the index of the last message that was delivered. While a message is missing, ``furthest`` is the index of
    the newest that was seen, and ``replay_is_over`` tells whether the end of the replay that was asked for has come.
    """

    __slots__ = ("_dropped", "_first", "_previous", "_replay_ends_at", "flow", "furthest", "last", "replay_is_over")

    def __init__(self, last: int) -> None:
        self._first = self.last = self.furthest = self._previous = last
        self._dropped = 0
        self.flow = _FLOWING
        self.replay_is_over = False
        self._replay_ends_at: int | None = None

    @property
    def arrived(self) -> int:
        """How many messages have come so far, delivered or not. It wraps at `INDEX_SPACE`."""
        return (self.last - self._first + self._dropped) % INDEX_SPACE

    def arrived_since(self, arrived: int) -> int:
        """How many messages have come since `arrived` was this."""
        return (self.arrived - arrived) % INDEX_SPACE

    def receive(self, index: int) -> Verdict:
        """Judge a message by its index."""
        distance = ahead(index, self.last)
        if distance == 1:
            self.last = index
            if self.flow is not _FLOWING:
                self._follow_replay(index)
                self._replaying()
            return Verdict.DELIVER
        self._dropped += 1
        if self.flow is not _FLOWING:
            self._follow_replay(index)
        if distance < 1:
            if self.flow is Flow.REPAIRING:
                self._replaying()
            return Verdict.REPETITION
        if self.flow is _FLOWING:
            self.flow = Flow.GAP
            self.furthest = self._previous = index
            return Verdict.GAP
        if ahead(index, self.furthest) > 0:
            self.furthest = index
        return Verdict.AHEAD

    def _follow_replay(self, index: int) -> None:
        if ahead(index, self._previous) <= 0:
            self._replay_ends_at = self.furthest
        if self._replay_ends_at is not None and ahead(index, self._replay_ends_at) >= 0:
            self._replay_ends_at = None
            self.replay_is_over = True
        self._previous = index

    def _replaying(self) -> None:
        self.flow = Flow.REPLAYING if ahead(self.furthest, self.last) > 0 else _FLOWING

    def refuse(self) -> None:
        """The message that was just judged ``DELIVER`` found no room: it counts as missing."""
        if self.flow is _FLOWING:
            self.furthest = self._previous = self.last
        self.last = (self.last - 1) % INDEX_SPACE
        self._dropped += 1
        self.flow = Flow.GAP

    def replay_asked(self) -> None:
        """The gateway was asked for a replay."""
        self.flow = Flow.REPAIRING
        self.replay_is_over = False
        self._replay_ends_at = None
