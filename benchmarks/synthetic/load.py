"""A load: a number of messages always in flight, and the count and the latency of their answers."""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.synthetic.engine import EngineConnection

__all__ = ["STALL_SECONDS", "Load"]

STALL_SECONDS: Final = 120.0
"""A load that makes no progress for this long has failed."""


class Load:
    """Keeps messages in flight. A connection carries one load at a time.

    A subclass sends a message in `_send_next` and takes its answer in `_answered`. There it counts, and sends the next one,
    or calls `_one_less` if the load is ``stopping``. It does so inline, because the engine must cost little.
    """

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._in_flight = 0
        self.stopping = False
        self.count = 0
        """Answers since the last `reset`."""
        self.latencies: list[float] = []
        """Seconds from a message to its answer, for each answer since the last `reset`."""

    def start(self, in_flight: int) -> None:
        """Begin to keep ``in_flight`` messages under way."""
        self.reset()
        self.stopping = False
        self._in_flight = in_flight
        self._connection.on_tunnel = self._answered
        self._connection.load = asyncio.get_running_loop().create_future()
        for _ in range(in_flight):
            self._send_next()
        self._connection.flush()

    def reset(self) -> None:
        """Count from here on."""
        self.count = 0
        self.latencies = []

    async def answered(self, count: int) -> None:
        """Wait until at least ``count`` answers are counted. Raises `ConnectionError` if the runner goes."""
        async with asyncio.timeout(STALL_SECONDS):
            while self.count < count:
                load = self._connection.load
                if load is not None and load.done():
                    load.result()
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Send no more, and wait for the answers that are missing."""
        self.stopping = True
        await self._ended()

    async def _ended(self) -> None:
        assert self._connection.load is not None
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await self._connection.load
        finally:
            self._connection.load = None
            self._connection.on_tunnel = self._connection.unexpected

    def _one_less(self) -> None:
        self._in_flight -= 1
        if not self._in_flight and self._connection.load is not None:
            self._connection.load.set_result(None)

    def _send_next(self) -> None:
        raise NotImplementedError

    def _answered(self, body: bytes) -> None:
        raise NotImplementedError
