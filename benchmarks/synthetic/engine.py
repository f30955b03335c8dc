"""One runner's connection to the synthetic engine, and the address where it is accepted."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask
from websockets.typing import Subprotocol

from benchmarks.synthetic.dialect import V3
from rivet_runner.protocol.messages import ToServerKvRequest, ToServerPing, ToServerPong

__all__ = ["EngineConnection", "synthetic_engine"]

FINAL_BINARY: Final = 0x82
TUNNEL: Final = 6
"""The tag of a runner's tunnel messages, the same in both versions."""

COMMANDS_IN_MESSAGE: Final = 100
EVENTS_IN_ACK: Final = 500
"""As the real engine does it."""

STALL_SECONDS: Final = 120.0
"""A wait that lasts longer has failed."""


class EngineConnection(asyncio.Protocol):
    """A runner, seen from the engine. A load sets ``on_tunnel`` to receive its tunnel messages.

    Frames that are appended to ``out`` leave in one write when the bytes of a read are worked off, or with `flush`. Binary
    frames are cut out of the bytes here, and the library does the rare things. ``connected`` has the connection once its
    init was answered.
    """

    def __init__(self, dialect: V3, connected: asyncio.Future[EngineConnection]) -> None:
        self._connected = connected
        self._library = ServerProtocol(subprotocols=[Subprotocol("rivet")])
        self._rest = b""
        self.out: list[bytes] = []
        self.transport: asyncio.Transport
        self.dialect = dialect
        self.on_tunnel: Callable[[bytes], None] = self.unexpected
        self.running = self.stopped = 0
        """How many actors the runner has reported as running, and how many as stopped."""
        self.acknowledgements = 0
        self._commands = 0
        self._events_acknowledged = 0
        self._lost = False
        self._read = asyncio.Event()

    async def start_actors(self, count: int) -> list[str]:
        """Start ``count`` actors at once; return their ids when the runner has reported all of them as running."""
        running = self.running + count
        ids = [f"actor-{number:012d}" for number in range(self.running, running)]
        self._command(ids, stop=False)
        await self.until(lambda: self.running >= running)
        return ids

    async def stop_actors(self, ids: list[str]) -> None:
        """Stop actors, and wait until the runner has reported that of each."""
        stopped = self.stopped + len(ids)
        self._command(ids, stop=True)
        await self.until(lambda: self.stopped >= stopped)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds, which is asked after each read.

        Raises `ConnectionError` if the runner goes, and `TimeoutError` after two minutes.
        """
        async with asyncio.timeout(STALL_SECONDS):
            while not condition():
                if self._lost:
                    raise ConnectionError("the runner is gone; its output is above")
                self._read.clear()
                await self._read.wait()

    def flush(self) -> None:
        """Write the frames in ``out``."""
        if self.out:
            self.transport.write(b"".join(self.out))
            self.out.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not derived from those of asyncio.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._library.state is State.CONNECTING:
            self._take_otherwise(data)
            return
        if self._rest:
            data = self._rest + data
        self._rest = data[self._take_frames(data) :]
        self.flush()
        self._read.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._read.set()

    def _take_frames(self, data: bytes) -> int:
        """Hand over every whole frame; return where the first incomplete one begins."""
        message, size, at = self._message, len(data), 0
        while size - at >= 6:
            length, start = data[at + 1] & 0x7F, at + 6
            if length > 125:
                wide = 2 if length == 126 else 8
                start += wide
                length = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
            end = start + length
            if start > size or end > size:
                break
            if data[at] == FINAL_BINARY:
                message(apply_mask(data[start:end], data[start - 4 : start]))
            else:
                self._take_otherwise(data[at:end])
            at = end
        return at

    def _take_otherwise(self, data: bytes) -> None:
        """Have the library answer the upgrade, a ping or a close."""
        self._library.receive_data(data)
        for event in self._library.events_received():
            if isinstance(event, Request):
                self._library.send_response(self._library.accept(event))
        self.out += self._library.data_to_send()
        self.flush()
        if self._library.close_expected():
            self.transport.close()

    def _message(self, body: bytes) -> None:
        if body[0] == TUNNEL:
            self.on_tunnel(body)
        else:
            self._take(self.dialect.codec.decode_to_server(body))

    def unexpected(self, body: bytes) -> None:
        """A tunnel message that no load waits for. Only hibernatable sockets send such: their acknowledgements."""
        if body[11] != self.dialect.ACKNOWLEDGED:
            raise ValueError(f"a tunnel message that no load waits for: kind {body[11]}")
        self.acknowledgements += 1

    def _take(self, message: Any) -> None:
        codec = self.dialect.codec
        if isinstance(message, ToServerKvRequest):
            self.out.append(self.dialect.kv_response(message))
        elif isinstance(message, codec.ToServerEvents):
            self._count_states(message)
        elif isinstance(message, codec.ToServerInit):
            self.out.append(self.dialect.init())
            if not self._connected.done():
                self._connected.set_result(self)
        elif not isinstance(message, ToServerPing | ToServerPong | codec.ToServerAckCommands):
            raise ValueError(f"a message that no benchmark causes: {message}")

    def _count_states(self, events: Any) -> None:
        running, stopped = self.dialect.states(events)
        self.running += running
        self.stopped += stopped
        count = self.running + self.stopped
        if count - self._events_acknowledged >= EVENTS_IN_ACK:
            self._events_acknowledged = count
            if acknowledgement := self.dialect.acknowledge_events(count - 1):
                self.out.append(acknowledgement)

    def _command(self, ids: list[str], *, stop: bool) -> None:
        for at in range(0, len(ids), COMMANDS_IN_MESSAGE):
            some = ids[at : at + COMMANDS_IN_MESSAGE]
            self.out.append(self.dialect.commands(some, self._commands, stop=stop))
            self._commands += len(some)
        self.flush()


@asynccontextmanager
async def synthetic_engine(dialect: V3) -> AsyncIterator[tuple[str, asyncio.Future[EngineConnection]]]:
    """Listen for one runner on a loopback port; yield the endpoint, and the connection once its init was answered.

    Meanwhile our own garbage collector is off, so that it is in no measurement.
    """
    loop = asyncio.get_running_loop()
    connected: asyncio.Future[EngineConnection] = loop.create_future()
    server = await loop.create_server(lambda: EngineConnection(dialect, connected), "127.0.0.1", 0)
    gc.disable()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connected
    finally:
        gc.enable()
        server.close()
        if connected.done() and not connected.cancelled():
            connected.result().transport.abort()
