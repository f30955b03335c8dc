"""The delay before the next attempt to reach the engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState

__all__ = ["Backoff"]

FIRST_DELAY: Final = 1.0
"""Seconds before the second attempt."""

LONGEST_DELAY: Final = 30.0
"""Seconds. The delay doubles up to this."""

JITTER: Final = 0.25
"""Maximum share that is added at random, so that runners that lost one engine together do not come back together."""

GOING_AWAY_JITTER: Final = 0.25
"""Maximum seconds before the attempt after ``ws.going_away``. In a rolling update another engine is ready."""

STABLE_SECONDS: Final = 2.0
STABLE_MESSAGES: Final = 10
"""A connection whose init was answered is *stable* if it lasted so many seconds or brought so many messages.

Any other connection counts as a failed attempt. So if an engine, or a proxy in front of it, accepts and closes, the delay
grows and there is no storm of attempts. Messages count too, because a network may cut a busy connection again and again: the
delay must not grow beyond the time for which the engine keeps the actors.
"""


class Backoff:
    """Counts failures in a row. It can be used as tenacity's ``wait``.

    The count outlives one tenacity loop on purpose. Tenacity's own attempt number starts over with each dial, so the runner
    would dial an engine that accepts and closes once a second, for ever.
    """

    def __init__(self, random: Callable[[], float] = random.random, first_delay: float = FIRST_DELAY) -> None:
        self.failures = 0
        self._random = random
        self._first_delay = first_delay

    def __call__(self, retry_state: RetryCallState) -> float:
        """Count a failed dial and return the delay. Tenacity calls this once for each failure."""
        return self.next_delay()

    def next_delay(self) -> float:
        """Count one failure and return the seconds to wait, with jitter."""
        delay = min(LONGEST_DELAY, self._first_delay * 2.0 ** min(self.failures, 10))
        self.failures += 1
        return delay * (1 + JITTER * self._random())

    def slowest_delay(self) -> float:
        """Count one failure and return the longest delay, for an engine that rejects a runner it had accepted before."""
        self.failures = max(self.failures, 5)
        return self.next_delay()

    def going_away_delay(self) -> float:
        """Count one failure and return the short delay after ``ws.going_away``."""
        self.failures += 1
        return GOING_AWAY_JITTER * self._random()

    def lasted(self, seconds: float, messages: int) -> None:
        """A connection whose init was answered has ended. If it was stable, start over with the first delay."""
        if seconds >= STABLE_SECONDS or messages >= STABLE_MESSAGES:
            self.failures = 0
