"""Looking for the next message for a moment, before the process goes to sleep.

A process that waits is put to sleep, and to wake it takes the system some 10 to 50 µs: more than a short handler needs, and
most of what a quick conversation takes. So after a read the event loop is kept turning for a moment; each turn looks at
every socket and timer, so nothing else has to wait. It is done only while it pays: whenever a moment has passed in vain,
twice as many of the next reads do without, up to `MAX_SKIPPED`. Whoever gets nothing from it hardly pays for it, and an
idle runner, which reads nothing, does not poll at all.

Linux does the same for idle processors (``haltpoll``), and for sockets where it is asked to (``SO_BUSY_POLL``, which does
nothing for connections within a machine).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

__all__ = ["BusyPoll"]

MAX_SKIPPED: Final = 63
"""Reads between two attempts, while none pays."""


class BusyPoll:
    """Polls for up to ``seconds`` after a read; 0 never does. ``clock`` must be a real one: polling is all that moves on."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds = seconds
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._polling = False
        self._until = 0.0
        self._to_skip = 0
        self._skipped = 0

    def read_done(self) -> None:
        """A read was worked off."""
        if not self._seconds:
            return
        if self._polling:
            self._skipped = 0  # this read is what it was looking for
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
