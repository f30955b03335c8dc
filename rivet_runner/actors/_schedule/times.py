"""Times and spans of the schedule, as whole milliseconds. Times count from the epoch."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Final

__all__ = ["LAST_MS", "milliseconds_of", "span_of"]

LAST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999, beyond which `datetime` cannot go."""

MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds_of(when: datetime) -> int:
    """Return the time of ``when``. Raises `ValueError` for a naive datetime, whose meaning would depend on the machine."""
    if not isinstance(when, datetime):
        raise TypeError(f"a schedule takes an aware datetime, not {type(when).__name__}")
    if when.utcoffset() is None:
        raise ValueError("a schedule needs an aware datetime, for example self.now() + timedelta(minutes=5)")
    return min(math.floor(when.timestamp() * 1000 + 0.5), LAST_MS)


def span_of(span: float | timedelta) -> int:
    """Return ``span``, seconds or a timedelta. Raises `ValueError` if it is not finite."""
    if isinstance(span, timedelta):
        return span // MILLISECOND
    if isinstance(span, bool) or not isinstance(span, int | float):
        raise TypeError(f"a schedule takes seconds or a timedelta, not {type(span).__name__}")
    if not math.isfinite(span):
        raise ValueError(f"a schedule takes a finite number of seconds, not {span}")
    return round(span * 1000)
