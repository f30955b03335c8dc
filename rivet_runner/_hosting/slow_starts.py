"""Actors whose start takes long are reported as running before it has ended."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["RUNNING_AT_LATEST", "SlowStarts"]

RUNNING_AT_LATEST: Final = 3.0
"""Seconds after which a slow start is reported as running all the same: its requests then wait here instead of failing at
the gateway (after 10 s), and the engine does not give the actor up (after 30 s). A start that fails sooner is reported as a
crash that never ran."""


class SlowStarts:
    """The starts of the last seconds. They are due in the order in which they began, so one timer serves all."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begun: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, report_running: Callable[[], None]) -> None:
        """A start begins. ``report_running`` is called when it has taken long, also if it has ended by then."""
        self._begun.append((self._loop.time() + RUNNING_AT_LATEST, report_running))
        if self._timer is None:
            self._wait_for_first()

    def close(self) -> None:
        """The runner is down."""
        self._begun.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for_first(self) -> None:
        self._timer = self._loop.call_at(self._begun[0][0], self._report) if self._begun else None

    def _report(self) -> None:
        now = self._loop.time()
        while self._begun and self._begun[0][0] <= now:
            _, report_running = self._begun.popleft()
            report_running()
        self._wait_for_first()
