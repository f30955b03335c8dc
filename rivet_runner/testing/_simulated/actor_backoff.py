"""How long an actor waits before it is started again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from rivet_runner.testing._simulated.settings import EngineSettings

__all__ = ["ActorBackoff"]

JITTER: Final = 500
"""Milliseconds, exclusive, added to a back-off."""


class ActorBackoff:
    """The back-off of one actor. It counts starts after the first, wakes included, and doubles the delay with each of them.

    A clean stop resets the count. So does `EngineSettings.retry_reset_duration` without a start.
    """

    def __init__(self, now: Callable[[], int], random: Random, settings: EngineSettings) -> None:
        self._now = now
        self._random = random
        self._settings = settings
        self.retry_count: int = 0
        self.last_retry_ts: int | None = None
        self.reschedule_ts: int | None = None
        """The end of the wait under way, in milliseconds and without its jitter, as the management API shows it."""

    def reset(self) -> None:
        self.retry_count, self.last_retry_ts = 0, None

    def next_delay(self) -> int:
        """Milliseconds to wait before this start."""
        now = self._now()
        settings = self._settings
        last, self.last_retry_ts = self.last_retry_ts, now
        if last is None or last < now - settings.retry_reset_duration:
            self.retry_count = 0
            self.reschedule_ts = None
            return 0
        delay: int = settings.base_retry_timeout * 2 ** min(self.retry_count, settings.reschedule_backoff_max_exponent)
        self.retry_count += 1
        self.reschedule_ts = now + delay
        return delay + self._random.randrange(JITTER)
