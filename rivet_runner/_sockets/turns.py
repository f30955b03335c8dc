"""Turns: no more messages are replayed at once than the engine can queue for a runner.

The engine queues some 1,000 messages for a runner and drops the rest, without a sign. A replay is a burst too, so replays
take turns: only so many at once that at most `SAFE_BURST` messages are on their way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

__all__ = ["SAFE_BURST", "SHARE", "ReplayTurns"]

SAFE_BURST: Final = 512
"""Messages: half of the engine's queue."""

SHARE: Final = 64
"""Messages. Turns are counted in these, so a replay may be as long as one of them in any case."""

ATTACH_SECONDS: Final = 0.15
ATTACH_SECONDS_EACH: Final = 0.005
ATTACH_ROUND_TRIPS: Final = 20
MAX_ATTACH_SECONDS: Final = 2.0
"""How long the gateway may take to attach a client. It counts from ``Running`` (not from the start command), more if many
are attached at once, and more if the engine is slow, as the last key-value call has shown. Measured: 7 to 29 ms for one,
some 5 ms for each further one, with key-value round trips of 1 to 8 ms."""


class ReplayTurns:
    """The turns of one runner. ``round_trip`` tells how many seconds the last key-value call took."""

    def __init__(self, round_trip: Callable[[], float]) -> None:
        self._round_trip = round_trip
        self._shares = asyncio.Semaphore(SAFE_BURST // SHARE)
        self._queue = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(self, messages: int) -> AsyncIterator[None]:
        """Wait until so many messages may be replayed, first come, first served. Cancelling is safe."""
        wanted, taken = min(-(-messages // SHARE), SAFE_BURST // SHARE), 0
        try:
            async with self._queue:
                while taken < wanted:
                    await self._shares.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._shares.release()

    def attach_seconds(self, sockets: int) -> float:
        """Seconds to hold back an actor's messages while so many of its clients are being attached."""
        expected = max(ATTACH_SECONDS + ATTACH_SECONDS_EACH * sockets, ATTACH_ROUND_TRIPS * self._round_trip())
        return min(expected, max(MAX_ATTACH_SECONDS, ATTACH_SECONDS_EACH * sockets))
