"""When something that repeats comes due: its ticks."""

from __future__ import annotations

import zoneinfo
from datetime import datetime
from typing import Final

import cronsim
import msgspec

from rivet_runner._alarms.actor_alarm import time_of

__all__ = ["SHORTEST_INTERVAL_MS", "Cron", "Every", "Repeating"]

SHORTEST_INTERVAL_MS: Final = 1

LONGEST_EXPRESSION: Final = 256
"""Characters of a cron expression."""


class Every(msgspec.Struct, frozen=True, array_like=True, tag="every"):
    """A tick each ``interval_ms`` milliseconds, counted from any other tick."""

    interval_ms: int

    def check(self) -> None:
        """Raise `ValueError` if there are no such ticks."""
        if self.interval_ms < SHORTEST_INTERVAL_MS:
            raise ValueError("the interval of a schedule must be positive, and at least a millisecond")

    def tick_after(self, tick_ms: int, after_ms: int) -> int:
        """Return the first tick after ``after_ms``. ``tick_ms`` is any tick, before or after that."""
        return tick_ms + ((after_ms - tick_ms) // self.interval_ms + 1) * self.interval_ms


class Cron(msgspec.Struct, frozen=True, array_like=True, tag="cron"):
    """The ticks of a cron expression, by the clocks of a time zone.

    If the clocks are put forward over a tick at a fixed hour, it is put off until they show an hour that exists. If they
    are put back, such a tick comes once. That is what Debian's cron does.
    """

    expression: str
    tz: str

    def check(self) -> None:
        """Raise `ValueError` if the expression cannot be read, or the time zone is not known."""
        if len(self.expression) > LONGEST_EXPRESSION:
            raise ValueError(f"a cron expression has at most {LONGEST_EXPRESSION} characters")
        self._ticks(0)

    def tick_after(self, tick_ms: int, after_ms: int) -> int | None:
        """Return the first tick after ``after_ms``, or `None` if there is none within 50 years."""
        try:
            for tick in self._ticks(after_ms):
                found_ms = round(tick.timestamp() * 1000)
                if found_ms > after_ms:  # in an hour that comes twice, the library may begin with one that has passed
                    return found_ms
        except OverflowError:
            pass
        return None

    def _ticks(self, after_ms: int) -> cronsim.CronSim:
        try:
            zone = zoneinfo.ZoneInfo(self.tz)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{self.tz!r} is not a time zone of this system, such as 'Europe/Berlin'") from None
        try:
            return cronsim.CronSim(self.expression, _in_zone(after_ms, zone))
        except cronsim.CronSimError as error:
            raise ValueError(f"{self.expression!r} is not a cron expression: {error}") from None


Repeating = Every | Cron


def _in_zone(milliseconds: int, zone: zoneinfo.ZoneInfo) -> datetime:
    return time_of(milliseconds).astimezone(zone)
