"""How much may be under way: as much as the wire holds, and a queue at the engine.

Messages beyond the last answered barrier are in one of two places. The wire's share is on its way, or has been taken while
the answer is on its way back: it is as much as the engine takes during the shortest round trip, and does no harm. The rest
waits in the engine. If ``beyond`` was under way when a barrier left, and its answer took ``seconds``, the wire's share of it
was ``shortest / seconds`` (TCP Vegas reckons the same way). A window is that much and a fixed ``queue``.

The wire's share grows while the engine keeps pace, by no more than ``queue`` in a round trip. It falls as soon as more than
half of ``queue`` waits in the engine. A sender with little to say does not lower it: little under way proves nothing.
"""

from __future__ import annotations

from typing import Final, TypeAlias

__all__ = ["PROBE", "Place", "Window"]

PROBE: Final = 4
"""This part of ``queue`` may be under way while the round trip is measured anew."""

Place: TypeAlias = "tuple[Window, int, int]"
"""A window, how much had been sent on it when a barrier left, and how much of that was under way."""


class Window:
    """One window, in messages or in bytes. ``queue`` may wait in the engine, and ``largest`` is the window's largest size.

    Add to ``sent`` what leaves.
    """

    __slots__ = ("_confirmed", "_largest", "_queue", "_wire", "end", "sent", "size")

    def __init__(self, queue: int, largest: int) -> None:
        self._queue = queue
        self._largest = largest
        self._wire = 0.0
        self._confirmed = 0
        self.size = queue
        """How much may be under way."""
        self.sent = 0
        """How much was ever sent."""
        self.end = queue
        """Up to which count may be sent. A single message that is larger than the window goes beyond."""

    @property
    def beyond(self) -> int:
        """How much is under way: sent, but not known to be taken by the engine."""
        return self.sent - self._confirmed

    @property
    def small(self) -> bool:
        """Whether so little is under way that its time in the engine is no more than jitter."""
        return self.sent - self._confirmed <= self._queue // PROBE

    def place(self) -> Place:
        """The window as a barrier finds it that leaves now. The barrier's answer is reckoned from this."""
        return self, self.sent, self.sent - self._confirmed

    def confirm(self, sent: int) -> None:
        """The engine has taken everything before ``sent``."""
        self._confirmed = max(self._confirmed, sent)
        self.end = self._confirmed + self.size

    def learn(self, sent: int, beyond: int, wire_share: float) -> None:
        """The same, and of ``beyond`` that was under way when the barrier left the wire had ``wire_share`` (0 to 1)."""
        wire = beyond * wire_share
        if wire > self._wire or 2 * (beyond - wire) > self._queue:
            self._wire = wire
        self.size = size = min(self._largest, self._queue + int(self._wire))
        if sent > self._confirmed:
            self._confirmed = sent
        self.end = self._confirmed + size

    def probe(self) -> None:
        """Let no more be under way than `small` until the wire is known again."""
        self.size = self._queue // PROBE
        self.end = self._confirmed + self.size

    def reset(self) -> None:
        """The connection has ended: nothing is under way, and the next one may be another wire."""
        self._wire = 0.0
        self.size = self._queue
        self.confirm(self.sent)
