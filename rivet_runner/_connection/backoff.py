"""How long to wait before the next attempt to reach the engine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState

__all__ = ["Backoff"]

FIRST_DELAY: Final = 1.0
"""Seconds before the second attempt."""

LONGEST_DELAY: Final = 30.0
"""Seconds; the delay doubles up to here."""

JITTER: Final = 0.25
"""Up to this share is added, so that runners that lost one engine together do not come back together."""

GOING_AWAY_JITTER: Final = 0.25
"""Seconds at most before the attempt after ``ws.going_away``: a rolling engine update has a successor at hand."""

STABLE_SECONDS: Final = 2.0
STABLE_MESSAGES: Final = 10
"""An initialised connection that lasted this long, or on which so much was received, was a success. Any other counts as
a failed attempt, so that an engine (or a proxy before it) that accepts and closes sees a growing delay and not a storm;
while a network that cuts a busy connection again and again must not make the delay longer than the engine keeps actors."""


class Backoff:
    """Counts failures in a row; usable as tenacity's ``wait``.

    The count outlives one tenacity loop on purpose: tenacity's own attempt number starts over with each dial, and an
    engine that accepts and closes would be dialled once a second for ever.
    """

    def __init__(self, random: Callable[[], float] = random.random) -> None:
        self.failures = 0
        self._random = random

    def __call__(self, retry_state: RetryCallState) -> float:
        """The delay after one more failed dial (tenacity calls this once for each)."""
        return self.next_delay()

    def next_delay(self) -> float:
        """Count one failure and return the seconds to wait, with jitter."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self.failures, 10))
        self.failures += 1
        return delay * (1 + JITTER * self._random())

    def slowest_delay(self) -> float:
        """The delay at the slow end: for an engine that refuses a runner which it had accepted before."""
        self.failures = max(self.failures, 5)
        return self.next_delay()

    def going_away_delay(self) -> float:
        """The short delay after a ``ws.going_away``; a failure in a row like any other."""
        self.failures += 1
        return GOING_AWAY_JITTER * self._random()

    def lasted(self, seconds: float, messages: int) -> None:
        """An initialised connection has ended after so many seconds and messages: start over where it was stable."""
        if seconds >= STABLE_SECONDS or messages >= STABLE_MESSAGES:
            self.failures = 0
