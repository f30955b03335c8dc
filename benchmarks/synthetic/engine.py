"""One runner's connection to the synthetic engine, and the address where it is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self

from benchmarks.synthetic.dialect import V3
from benchmarks.synthetic.websocket import FrameServer

__all__ = ["EngineConnection", "SyntheticEngine"]

INIT, EVENTS, KV_REQUEST, TUNNEL = 0, 1, 5, 6
"""Tags of a runner's messages, the same in both versions."""

EVENTS_IN_ACK: Final = 500
"""As the real engine does it."""


class EngineConnection(FrameServer):
    """A runner, seen from the engine. A load sets ``on_tunnel`` to receive its tunnel messages."""

    def __init__(self, engine: SyntheticEngine) -> None:
        super().__init__()
        self._engine = engine
        self.dialect = engine.dialect
        self.on_tunnel: Callable[[bytes], None] = self.unexpected
        self.running = 0
        self.stopped = 0
        self.kv_requests = 0
        self.acknowledgements = 0
        self.load: asyncio.Future[None] | None = None
        """Done when the load under way has ended. It fails if the runner goes."""
        self._events_acknowledged = 0
        self._changed = asyncio.Event()

    def message(self, body: bytes) -> None:
        tag = body[0]
        if tag == TUNNEL:
            self.on_tunnel(body)
        elif tag == KV_REQUEST:
            self.kv_requests += 1
            self.out.append(self.dialect.kv_response(body))
        elif tag == EVENTS:
            self._take_events(body)
        elif tag == INIT:
            self.out.append(self.dialect.init())
            self._engine.accepted(self)
        elif tag not in self.dialect.PINGS:
            raise ValueError(f"a message that no benchmark causes: tag {tag}, {len(body)} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        if self.load is not None and not self.load.done():
            self.load.set_exception(ConnectionError("the runner is gone; its output is above"))

    async def states(self, *, running: int, stopped: int, timeout: float) -> None:
        """Wait until this many actors have been reported in all. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while self.running < running or self.stopped < stopped:
                self._changed.clear()
                await self._changed.wait()

    def unexpected(self, body: bytes) -> None:
        """A tunnel message that no load waits for. Only hibernatable sockets send such: their acknowledgements."""
        if body[11] != self.dialect.ACKNOWLEDGED:
            raise ValueError(f"a tunnel message that no load waits for: kind {body[11]}")
        self.acknowledgements += 1

    def _take_events(self, body: bytes) -> None:
        running, stopped = self.dialect.states(body)
        self.running += running
        self.stopped += stopped
        events = self.running + self.stopped
        if events - self._events_acknowledged >= EVENTS_IN_ACK:
            self._events_acknowledged = events
            if acknowledgement := self.dialect.acknowledge_events(events - 1):
                self.out.append(acknowledgement)
        self._changed.set()


class SyntheticEngine:
    """Listens for one runner on a loopback port of its own."""

    def __init__(self, dialect: V3) -> None:
        self.dialect = dialect
        self._connection: asyncio.Future[EngineConnection] = asyncio.get_running_loop().create_future()
        self._server: asyncio.Server
        self.endpoint = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(lambda: EngineConnection(self), "127.0.0.1", 0)
        self.endpoint = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self._connection.done() and not self._connection.cancelled():
            self._connection.result().transport.abort()

    async def runner(self, timeout: float) -> EngineConnection:
        """Return the runner once its init was answered. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            return await asyncio.shield(self._connection)

    def accepted(self, connection: EngineConnection) -> None:
        """A runner has sent its init."""
        if not self._connection.done():
            self._connection.set_result(connection)
