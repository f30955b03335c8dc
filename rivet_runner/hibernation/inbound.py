"""A client's messages to one hibernatable WebSocket: which is new, which is a repetition, which shows that one is missing.

::

              index ahead of the next            replay asked for
    FLOWING ─────────────────────────► GAP ─────────────────────► REPAIRING
       ▲                                │                             │
       └── the next message arrives ────┴── anything not ahead ───────┘

A message that is ahead is never delivered: the gateway still has it and those before it, and replays them all in order once
it is asked to. In ``REPAIRING``, what is still ahead was under way before the request; the first message that is not ahead
is the replay's first, whether it is new or a repetition.
"""

from __future__ import annotations

import enum
from typing import Final

from rivet_runner.hibernation.index import ahead

__all__ = ["Flow", "InboundStream", "Verdict"]


class Flow(enum.Enum):
    FLOWING = "flowing"
    GAP = "a message is missing"
    REPAIRING = "a replay was asked for"


class Verdict(enum.Enum):
    """What to do with a message."""

    DELIVER = "deliver"
    REPETITION = "drop: it was received before"
    GAP = "drop, and ask for a replay"
    AHEAD = "drop: the replay will bring it"


_FLOWING: Final = Flow.FLOWING


class InboundStream:
    """The order of one socket's client messages. ``last`` is the index of the last one that was delivered."""

    __slots__ = ("flow", "last")

    def __init__(self, last: int) -> None:
        self.last = last
        self.flow = _FLOWING

    def receive(self, index: int) -> Verdict:
        """Judge a message by its index."""
        distance = ahead(index, self.last)
        if distance == 1:
            self.last = index
            self.flow = _FLOWING
            return Verdict.DELIVER
        if distance < 1:
            if self.flow is Flow.REPAIRING:
                self.flow = _FLOWING
            return Verdict.REPETITION
        if self.flow is _FLOWING:
            self.flow = Flow.GAP
            return Verdict.GAP
        return Verdict.AHEAD

    def refuse(self) -> None:
        """The message that was just judged ``DELIVER`` found no room: it counts as missing."""
        self.last = (self.last - 1) % 2**16
        self.flow = Flow.GAP

    def replay_asked(self) -> None:
        """The gateway was asked for a replay."""
        self.flow = Flow.REPAIRING
