"""The spacing between two messages of events.

The engine (2.3.19) may take two messages of events that follow each other closely out of order. It then ignores the events
with the lower indexes for ever: of 500 starts, 12 lost their ``Running`` that way, and none with this spacing. So events are
collected, and leave at most ten times a second.
"""

from __future__ import annotations

from typing import Final

__all__ = ["EVENT_SPACING", "EventSpacing"]

EVENT_SPACING: Final = 0.1
"""Minimum seconds between two messages of events."""


class EventSpacing:
    """Tells when the next message of events may leave. Times are in seconds, on any clock that only goes forward."""

    __slots__ = ("_next_at",)

    def __init__(self) -> None:
        self._next_at = 0.0

    def may_send(self, now: float) -> bool:
        """Whether a message of events may leave."""
        return now >= self._next_at

    def sent(self, now: float) -> None:
        """A message of events leaves."""
        self._next_at = now + EVENT_SPACING

    def wait(self, now: float) -> float:
        """Seconds until the next message may leave."""
        return max(0.0, self._next_at - now)
