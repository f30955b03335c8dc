"""A timer on the event loop that shows how late the loop is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["BEAT_SECONDS", "Heartbeat"]

BEAT_SECONDS: Final = 0.25
"""Between two beats. Each costs some 20 µs of CPU time."""


class Heartbeat:
    """Beats on the event loop on which it was started. ``observe`` gets the seconds by which each beat came late."""

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self.due: float | None = None
        """The time of the next beat, by `time.monotonic`. It may be read in any thread."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._schedule()

    def stop(self) -> None:
        """Beat no more. From now on the loop is not late."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.due = None

    @property
    def late(self) -> float:
        """Seconds by which the next beat is late. Safe in any thread."""
        due = self.due
        return 0.0 if due is None else max(0.0, monotonic() - due)

    def _schedule(self) -> None:
        # The clock of the process, as that of a loop may be coarse or virtual.
        self.due = monotonic() + BEAT_SECONDS
        self._timer = asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._observe(self.late)
        self._schedule()
