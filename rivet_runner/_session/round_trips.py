"""How far away the engine is: the shortest recent round trip of a barrier.

A round trip is the wire, there and back, plus the time that the engine takes for what came before. The second part is never
negative, so the shortest of many round trips is the wire; TCP's BBR learns its path by the same argument.

A wire can become longer, and then the old minimum would make the engine look slow for ever. So the minimum is dropped when
every round trip of `KEPT` seconds was longer. A silence contradicts nothing and drops nothing.

A new minimum must not contain a queue that this runner has caused. So once the minimum has expired, the pace lets few
messages be under way, until a barrier behind no more than those has brought a new one.

A single round trip may be long because either process was busy for a moment. A queue stands: it makes every round trip long.
So the shortest of the last `RECENT` is compared with the minimum.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["KEPT", "RoundTrips"]

KEPT: Final = 10.0
"""Seconds of longer round trips after which the minimum is dropped."""

JITTER: Final = 1 / 8
JITTER_SECONDS: Final = 0.001
"""A round trip confirms the minimum if it is longer by no more than this share of it and this time."""

RECENT: Final = 4
"""Round trips of which one is short if no queue stands in the engine. More would notice a queue later."""


class RoundTrips:
    """A minimum that expires. ``shortest`` is in seconds, and `None` while it is not known."""

    def __init__(self) -> None:
        self.shortest: float | None = None
        self._doubted_at: float | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)

    @property
    def wire_share(self) -> float | None:
        """The wire's share of a round trip, from 0 to 1, or `None` while it is not known."""
        if self.shortest is None:
            return None
        standing = min(self._recent)
        return self.shortest / standing if standing > self.shortest else 1.0

    def add(self, seconds: float, now: float, *, small: bool) -> None:
        """Note the round trip of a barrier. ``small``: few messages were under way ahead of it."""
        self._recent.append(seconds)
        if self.shortest is not None and seconds > self.shortest * (1 + JITTER) + JITTER_SECONDS:
            if self._doubted_at is None:
                self._doubted_at = now
            if now - self._doubted_at < KEPT:
                return
            self.shortest = None
        self._doubted_at = None
        if self.shortest is not None:
            self.shortest = min(self.shortest, seconds)
        elif small:
            self.shortest = seconds
