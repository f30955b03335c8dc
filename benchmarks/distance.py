"""Distance: a TCP relay that hands every byte on a fixed time later, in order, and as many as come.

A relay that sleeps before each piece limits how much passes in a second. A real distance does not: much is under way at
once. So each piece is noted with the time at which it is due, and all that are due leave together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self, cast
from urllib.parse import urlsplit

__all__ = ["MAX_UNDER_WAY", "DelayingProxy", "at_distance"]

MAX_UNDER_WAY: Final = 4 * 1024 * 1024
"""Bytes of one direction that may be under way: 80 MB/s at a round trip of 100 ms. At the bound the sender is not read until
half of them have arrived."""

PUNCTUAL: Final = 0.000_5
"""Seconds by which a piece may be early: the timers of uvloop count whole milliseconds."""


class _Wire:
    """One direction of one connection, from the socket ``source`` to the socket ``target``."""

    def __init__(self, delay: float) -> None:
        self.source: asyncio.Transport | None = None
        self.target: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._delay = delay
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False

    def carry(self, data: bytes) -> None:
        """Deliver ``data`` when its time has come. Empty data is the end: it closes the target."""
        self._under_way.append((self._loop.time() + self._delay, data))
        self._bytes += len(data)
        if self._bytes > MAX_UNDER_WAY and self.source is not None:
            self.source.pause_reading()
        self.deliver_later()

    def block(self, blocked: bool) -> None:
        """Deliver nothing while the target takes nothing."""
        self._blocked = blocked
        self.deliver_later()

    def deliver_later(self) -> None:
        """Set the timer for the oldest piece; it is set once the target is connected."""
        if self._timer is None and self._under_way and not self._blocked and self.target is not None:
            self._timer = self._loop.call_at(self._under_way[0][0], self._deliver, self.target)

    def cut(self) -> None:
        """Lose what is under way."""
        self._under_way.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _deliver(self, target: asyncio.Transport) -> None:
        self._timer = None
        due, arrived = self._loop.time() + PUNCTUAL, []
        while self._under_way and self._under_way[0][0] <= due:
            arrived.append(self._under_way.popleft()[1])
        data = b"".join(arrived)
        self._bytes -= len(data)
        if self._bytes <= MAX_UNDER_WAY // 2 and self.source is not None:
            self.source.resume_reading()
        if data:
            target.write(data)
        if b"" in arrived:
            target.close()
        self.deliver_later()


class _Socket(asyncio.Protocol):
    """One of the two sockets of a connection: what it reads goes ``out``, and what comes ``home`` is written to it."""

    def __init__(self, out: _Wire, home: _Wire, open_sockets: set[_Socket]) -> None:
        self._out = out
        self._home = home
        self._open_sockets = open_sockets
        self.transport: asyncio.Transport
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not derived from those of asyncio.
        self.transport = self._out.source = self._home.target = cast(asyncio.Transport, transport)
        self._open_sockets.add(self)
        self._home.deliver_later()

    def data_received(self, data: bytes) -> None:
        self._out.carry(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_sockets.discard(self)
        self._out.source = self._home.target = None
        self._home.cut()
        self._out.carry(b"")
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._home.block(True)

    def resume_writing(self) -> None:
        self._home.block(False)


class DelayingProxy:
    """Forwards a loopback port to ``target_port``: everything half of ``round_trip`` (seconds) later, both ways.

    ``endpoint`` is its http URL. It runs in the event loop that enters it; a loop that is busy adds to the delay.
    """

    def __init__(self, target_port: int, round_trip: float) -> None:
        self._target_port = target_port
        self._delay = round_trip / 2
        self._server: asyncio.Server
        self._dials: set[asyncio.Task[None]] = set()
        self._open_sockets: set[_Socket] = set()
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for dial in self._dials:
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        for socket in self._open_sockets:
            socket.transport.abort()
        await asyncio.gather(*(socket.lost for socket in self._open_sockets))

    def _accept(self) -> _Socket:
        to_target, to_client = _Wire(self._delay), _Wire(self._delay)
        dial = asyncio.ensure_future(self._dial(_Socket(to_client, to_target, self._open_sockets)))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)
        return _Socket(to_target, to_client, self._open_sockets)

    async def _dial(self, socket: _Socket) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: socket, "127.0.0.1", self._target_port)
        except OSError as error:
            socket.connection_lost(error)


@asynccontextmanager
async def at_distance(endpoint: str, round_trip: float) -> AsyncIterator[str]:
    """The address by which the loopback ``endpoint`` is ``round_trip`` seconds away; 0 is the endpoint itself."""
    if not round_trip:
        yield endpoint
        return
    port = urlsplit(endpoint).port
    assert port is not None
    async with DelayingProxy(port, round_trip) as proxy:
        yield proxy.endpoint
