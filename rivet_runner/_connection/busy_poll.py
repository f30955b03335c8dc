"""Polling for the next message for a moment, before the process goes to sleep.

The system takes some 10 to 50 µs to wake a sleeping process. That is more than a short handler needs, and most of the time
of a quick exchange. So after a read the event loop is kept turning for a moment. Each turn polls every socket and timer, so
nothing else has to wait.

Polling goes on only while it pays. Each fruitless poll doubles the number of reads that skip polling, up to `MAX_SKIPPED`.
So a runner that gains nothing pays next to nothing, and an idle runner, which reads nothing, does not poll at all.

Linux does the same for idle processors (``haltpoll``), and on request for sockets (``SO_BUSY_POLL``, which has no effect on
connections within a machine).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

__all__ = ["BusyPoll"]

MAX_SKIPPED: Final = 63
"""Maximum number of reads between two polls, while no poll pays."""


class BusyPoll:
    """Polls for up to ``seconds`` after a read, or never with 0. ``clock`` must be a real one, or polling does not end."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._polling = False
        self._until = 0.0
        self._to_skip = 0
        self._skipped = 0

    def read_done(self) -> None:
        """The messages of a read were handled. Begin to poll, unless this read is to be skipped."""
        if not self._seconds:
            return
        if self._polling:
            self._skipped = 0  # polling has found this read
        elif self._to_skip:
            self._to_skip -= 1
            return
        else:
            self._polling = True
            self._loop.call_soon(self._poll)
        self._until = self._clock() + self._seconds

    def _poll(self) -> None:
        if self._clock() < self._until:
            self._loop.call_soon(self._poll)
            return
        self._polling = False
        self._skipped = self._to_skip = min(2 * self._skipped + 1, MAX_SKIPPED)
