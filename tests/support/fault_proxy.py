"""A TCP proxy that misbehaves on request: between a runner and its engine, for what a network does to both.

It forwards bytes in both directions, and can cut every connection, stall or delay one direction, or let bytes drip.
`FaultProxy.inject` does one of these for a while and undoes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
from types import TracebackType
from typing import Final, Self

__all__ = ["Direction", "Fault", "FaultProxy"]

CHUNK: Final = 64 * 1024
DRIP_BYTES: Final = 7
"""Odd on purpose: no frame and no length field ends where a piece does."""

DELAY_SECONDS: Final = 0.05
"""Of `Fault.DELAY`, for each piece."""


class Fault(enum.Enum):
    """What `FaultProxy.inject` does to all connections."""

    CUT = "cut"
    REFUSE = "cut, and refuse new ones"
    STALL_TO_ENGINE = "stall towards the engine"
    STALL_TO_RUNNER = "stall towards the runner"
    STALL_AND_CUT = "stall towards the engine, then cut: what it was sent meanwhile is lost"
    DELAY = "delay both ways"
    DRIP = "drip both ways"


class Direction:
    """What happens to the bytes of one direction."""

    def __init__(self) -> None:
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.delay = 0.0
        """Seconds before each piece is forwarded."""
        self.drip = False

    def stall(self) -> None:
        """Forward nothing until `resume`."""
        self.flowing.clear()

    def resume(self) -> None:
        self.flowing.set()
        self.delay, self.drip = 0.0, False


class FaultProxy:
    """Forwards ``127.0.0.1:port`` to ``target_port``; ``endpoint`` is its http URL."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.to_engine = Direction()
        self.to_runner = Direction()
        self.refusing = False
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._writers) // 2

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """End every connection at once, as a pulled plug does: both sides get a reset."""
        for writer in [*self._writers]:
            writer.transport.abort()

    async def inject(self, fault: Fault, seconds: float) -> None:
        """Do ``fault``, and undo it after ``seconds``. Cancelling undoes it too."""
        try:
            self._begin(fault)
            await asyncio.sleep(seconds)
            if fault is Fault.STALL_AND_CUT:
                self.cut()
        finally:
            self.refusing = False
            self.to_engine.resume()
            self.to_runner.resume()

    def _begin(self, fault: Fault) -> None:
        if fault in (Fault.CUT, Fault.REFUSE):
            self.refusing = fault is Fault.REFUSE
            self.cut()
        elif fault in (Fault.STALL_TO_ENGINE, Fault.STALL_AND_CUT):
            self.to_engine.stall()
        elif fault is Fault.STALL_TO_RUNNER:
            self.to_runner.stall()
        else:
            for direction in (self.to_engine, self.to_runner):
                direction.delay = DELAY_SECONDS if fault is Fault.DELAY else 0.0
                direction.drip = fault is Fault.DRIP

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            engine_reader, engine_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self.accepted += 1
        self._writers |= {writer, engine_writer}
        pipes = [
            asyncio.create_task(self._pipe(reader, engine_writer, self.to_engine)),
            asyncio.create_task(self._pipe(engine_reader, writer, self.to_runner)),
        ]
        self._tasks.update(pipes)
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._writers -= {writer, engine_writer}
            for pipe in pipes:
                pipe.cancel()
            self._tasks.difference_update(pipes)
            for end in (writer, engine_writer):
                end.transport.abort()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if direction.delay:
                    await asyncio.sleep(direction.delay)
                await direction.flowing.wait()
                while data and direction.drip:
                    writer.write(data[:DRIP_BYTES])
                    data = data[DRIP_BYTES:]
                    await asyncio.sleep(0)
                writer.write(data)
                await writer.drain()
