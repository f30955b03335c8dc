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
    """Counts the starts after the first; each crash makes the next one slower, and every wake counts as a start.

    A clean stop resets it, and so does a long while (`EngineSettings.retry_reset_duration`) without a start.
    """

    def __init__(self, now: Callable[[], int], random: Random, settings: EngineSettings) -> None:
        self._now = now
        self._random = random
        self._settings = settings
        self.retry_count = 0
        self.last_retry_ts: int | None = None
        self.reschedule_ts: int | None = None
        """When the wait under way ends, without its jitter; the management API shows it."""

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
