"""The floor: the cost of the WebSocket library and asyncio by themselves, with nothing of the SDK in between.

The sans-I/O core of ``websockets`` on a bare protocol, one write a turn of the event loop, a coroutine handler with a deque
and one future for each socket, and slices instead of a codec. It keeps no promise of the SDK: no order across reconnects, no
bounds, no checks. It knows the messages of the benchmark only, in version 3 of the protocol.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import Final, cast
from urllib.parse import urlsplit

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from benchmarks.process import standard_input_ended
from rivet_runner.protocol import v3

PATH: Final = "/runners/connect?protocol_version=3&namespace=default&runner_key=floor"


class Socket:
    """One open WebSocket: the messages that have arrived, and the handler that waits for the next."""

    __slots__ = ("floor", "head", "index", "queue", "waiter")

    def __init__(self, floor: Floor, key: bytes) -> None:
        self.floor = floor
        self.head = b"\x06" + key
        self.index = 0
        self.queue: deque[bytes] = deque()
        self.waiter: asyncio.Future[None] | None = None

    def send(self, kind: bytes) -> None:
        self.floor.send(self.head + self.index.to_bytes(2, "little") + kind)
        self.index = (self.index + 1) & 0xFFFF

    async def receive(self) -> bytes:
        while not self.queue:
            self.waiter = self.floor.loop.create_future()
            await self.waiter
        return self.queue.popleft()

    async def echo(self) -> None:
        """The handler. A message has the same kind, length, data and flag in both directions."""
        self.send(b"\x04\x00")
        while True:
            self.send(await self.receive())


class Floor(asyncio.Protocol):
    """The connection to the engine."""

    def __init__(self, endpoint: str) -> None:
        self.loop = asyncio.get_running_loop()
        uri = parse_uri(endpoint.replace("http", "ws", 1) + PATH)
        self.protocol = ClientProtocol(uri, subprotocols=[Subprotocol("rivet")])
        self.sockets: dict[bytes, Socket] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._flushing = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.protocol.send_request(self.protocol.connect())
        self._write()

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if not isinstance(event, Frame):
                self.send(v3.encode_to_server(v3.ToServerInit("floor", 1, 100_000, None, None, None)))
            elif event.opcode is Opcode.BINARY:
                self._message(bytes(event.data))
        if self.protocol.state is not State.OPEN:
            self._write()

    def send(self, message: bytes) -> None:
        """Send one message. All of one turn leave in one write."""
        self.protocol.send_binary(message)
        if not self._flushing:
            self._flushing = True
            self.loop.call_soon(self._write)

    def _write(self) -> None:
        self._flushing = False
        self._transport.write(b"".join(self.protocol.data_to_send()))

    def _message(self, body: bytes) -> None:
        if body[0] == 5 and body[11] == 5:
            socket = self.sockets[body[1:9]]
            socket.queue.append(body[11:])
            if socket.waiter is not None and not socket.waiter.done():
                socket.waiter.set_result(None)
        elif body[0] == 5 and body[11] == 4:
            socket = self.sockets[body[1:9]] = Socket(self, body[1:9])
            self.tasks.add(self.loop.create_task(socket.echo()))
        elif body[0] == 2:
            self._start_actor(body)

    def _start_actor(self, body: bytes) -> None:
        """Report the only actor as running."""
        commands = v3.decode_to_client(body)
        assert isinstance(commands, v3.ToClientCommands)
        start = commands.items[0].inner
        state = v3.EventActorStateUpdate(start.actor_id, start.generation, v3.ActorStateRunning())
        self.send(v3.encode_to_server(v3.ToServerEvents([v3.EventWrapper(0, state)])))


async def connect(endpoint: str) -> None:
    """Connect, and serve until standard input ends."""
    host, port = urlsplit(endpoint).netloc.split(":")
    await asyncio.get_running_loop().create_connection(lambda: Floor(endpoint), host, int(port))
    await standard_input_ended()


if __name__ == "__main__":
    asyncio.run(connect(os.environ["RIVET_ENDPOINT"]))
