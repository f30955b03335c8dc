"""One timer for the alarms of all actors of a runner, by the wall clock."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from collections.abc import Callable
from typing import Final

__all__ = ["AlarmTimer", "Wait"]

LONGEST_WAIT: Final = 30.0
"""Seconds after which the wall clock is looked at again. It may be set while a program runs, and the loop's clock is not."""

FEW_CANCELLED: Final = 64
"""Cancelled waits that may stay in the queue. More than these, and than half of it, are taken out."""


class Wait:
    """One alarm that is waited for. ``callback`` is ``None`` when it is over."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class AlarmTimer:
    """The alarms that are waited for, the earliest first. ``now_ms`` is the wall clock, in milliseconds since the epoch."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._loop = asyncio.get_running_loop()
        # The hook that sets an alarm may set the timer too. No other alarm must see its context variables.
        self._context = contextvars.copy_context()
        self._now_ms = now_ms
        self._waits: list[tuple[int, int, Wait]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many alarms are waited for."""
        return len(self._waits) - self._cancelled

    def call_at(self, due_ms: int, callback: Callable[[], None]) -> Wait:
        """Call ``callback`` once the wall clock shows ``due_ms``, never within this call."""
        wait = Wait(callback)
        heapq.heappush(self._waits, (due_ms, next(self._numbers), wait))
        if self._waits[0][2] is wait:
            self._wait_for_first()
        return wait

    def cancel(self, wait: Wait) -> None:
        """Do not call it. Cancelling one that is over changes nothing."""
        if wait.callback is None:
            return
        wait.callback = None
        self._cancelled += 1
        if self._cancelled > FEW_CANCELLED and self._cancelled > len(self._waits) // 2:
            self._waits = [entry for entry in self._waits if entry[2].callback is not None]
            heapq.heapify(self._waits)
            self._cancelled = 0
            self._wait_for_first()

    def close(self) -> None:
        """The runner is down."""
        self._waits.clear()
        self._cancelled = 0
        self._wait_for_first()

    def _wait_for_first(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waits:
            seconds = (self._waits[0][0] - self._now_ms()) / 1000
            delay = min(max(seconds, 0.0), LONGEST_WAIT)
            self._timer = self._loop.call_later(delay, self._look, context=self._context)

    def _look(self) -> None:
        self._timer = None
        now = self._now_ms()
        while self._waits and self._waits[0][0] <= now:
            wait = heapq.heappop(self._waits)[2]
            callback, wait.callback = wait.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()
        self._wait_for_first()
