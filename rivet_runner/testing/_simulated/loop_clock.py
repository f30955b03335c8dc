"""Timers and the clock of an engine, on an event loop."""

from __future__ import annotations

import asyncio
from typing import Final

from rivet_runner.testing._simulated.timers import Timers

__all__ = ["LoopClock"]

ROUNDING: Final = 0.01
"""Milliseconds. The loop's seconds are floats, and a timer must not fire a rounding error too early."""


class LoopClock:
    """Milliseconds since the epoch: ``epoch_ms`` when it is made, and from then on as fast as the event loop's clock."""

    def __init__(self, epoch_ms: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._epoch_ms = epoch_ms
        self._began = self._time()
        # The clock of a virtual loop stands for most readings.
        self._read_at, self._now_ms = self._began, epoch_ms
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for: int | None = None
        self.timers = Timers(self.now_ms, self._arm)

    def now_ms(self) -> int:
        now = self._time()
        if now != self._read_at:
            self._read_at = now
            self._now_ms = self._epoch_ms + int((now - self._began) * 1000 + ROUNDING)
        return self._now_ms

    def close(self) -> None:
        """Stop every timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _arm(self, when: int) -> None:
        if self._armed_for is not None and self._armed_for <= when:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = when
        self._handle = self._loop.call_at(self._began + (when - self._epoch_ms) / 1000, self._fire)

    def _fire(self) -> None:
        self._handle = None
        try:
            self.timers.run_due()  # it stays armed for this moment meanwhile, so that no new timer arms it
        finally:
            self._armed_for = None
            due = self.timers.next_due
            if due is not None:
                self._arm(due)
