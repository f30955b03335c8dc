"""The loads on one actor: echoes on its WebSockets, and HTTP requests.

A load keeps a number of messages in flight, and has the latency of each answer. Its frames are encoded beforehand and
cut into pieces around the bytes that differ.
"""

from __future__ import annotations

import struct
from time import perf_counter
from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from rivet_runner.protocol.messages import ToClientRequestStart, ToClientWebSocketMessage, ToClientWebSocketOpen

__all__ = ["MESSAGE_BYTES", "HttpRequests", "Load", "OpenSockets"]

MESSAGE_BYTES: Final = 64
INDEXES: Final = [struct.pack("<H", index) for index in range(2**16)]
OPENS_IN_FLIGHT: Final = 100

REQUEST_HEADERS: Final = {"host": "127.0.0.1:6420", "user-agent": "curl/8.5.0", "accept": "*/*"}
OPENING_HEADERS: Final = {
    "host": "127.0.0.1:6420",
    "connection": "Upgrade",
    "upgrade": "websocket",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "sec-websocket-version": "13",
}
"""Each socket has a ``sec-websocket-key`` of its own besides, and offers `OpenSockets.protocols`."""


class Load:
    """Keeps messages in flight. A connection carries one load at a time.

    A subclass sends a message in `_send_next` and takes its answer in `_answered`. There it notes the latency, and
    sends the next one unless the load is stopping. It does so inline, because the engine must cost little.
    """

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._in_flight = 0
        self._stopping = False
        self.latencies: list[float] = []
        """Seconds from a message to its answer, for each answer since the start or since the caller made a new list."""

    def start(self, in_flight: int) -> None:
        """Begin to keep ``in_flight`` messages under way."""
        self.latencies = []
        self._stopping = False
        self._in_flight = in_flight
        self._connection.on_tunnel = self._answered
        for _ in range(in_flight):
            self._send_next()
        self._connection.flush()

    async def answered(self, count: int) -> None:
        """Wait until there are at least ``count`` latencies. Raises as `EngineConnection.until` does."""
        await self._connection.until(lambda: len(self.latencies) >= count)

    async def stop(self) -> None:
        """Send no more, and wait for the answers that are missing."""
        self._stopping = True
        await self._ended()

    async def _ended(self) -> None:
        try:
            await self._connection.until(lambda: not self._in_flight)
        finally:
            self._connection.on_tunnel = self._connection.unexpected

    def _send_next(self) -> None:
        raise NotImplementedError

    def _answered(self, body: bytes) -> None:
        raise NotImplementedError


class HttpRequests(Load):
    """GET requests to one actor. Each must be answered with status 200."""

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        super().__init__(connection)
        self._head, self._tail = self._dialect.tunnel(b"http----", self.request(actor_id)).split(b"----", 1)
        self._sent_at: dict[bytes, float] = {}
        self._next_id = 0

    def request(self, actor_id: str) -> ToClientRequestStart:
        """What is asked."""
        return ToClientRequestStart(actor_id, "GET", "/echo?client=1", REQUEST_HEADERS, None, False)

    def _answered(self, body: bytes) -> None:
        if body[11] != self._dialect.RESPONSE_STARTED:
            self._connection.unexpected(body)
            return
        status = int.from_bytes(body[12:14], "little")
        if status != 200:
            raise ValueError(f"the runner answered a request with status {status}")
        self.latencies.append(perf_counter() - self._sent_at.pop(body[5:9]))
        if self._stopping:
            self._in_flight -= 1
        else:
            self._send_next()

    def _send_next(self) -> None:
        request_id = struct.pack(">I", self._next_id)
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        self._connection.out.append(self._head + request_id + self._tail)
        self._sent_at[request_id] = perf_counter()


class OpenSockets(Load):
    """The sockets of one actor, oldest first. Messages are spread over all of them in turn.

    A message carries a mark in its data, which is made of its index, and an echo must have the oldest one that is missing. A
    message that is lost, repeated, out of order or changed ends the run. ``message`` and ``answer`` have the first mark.
    """

    path = "/echo?client={}"
    protocols = "rivet"
    greets = False
    """Whether the actor sends a message once it has accepted a socket."""
    marks = INDEXES
    message = INDEXES[0] + bytes(range(MESSAGE_BYTES - 2))
    answer = message

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        super().__init__(connection)
        self._actor_id = actor_id
        self._numbers: dict[bytes, int] = {}
        self._heads: list[bytes] = []
        self._sent: list[int] = []
        self._returned: list[int] = []
        self._sent_at: list[float] = []
        self._head, rest = self._dialect.tunnel(b"wsgw----", ToClientWebSocketMessage(self.message, True)).split(b"----", 1)
        # After the index of two bytes. Behind the data, a byte says that it is binary.
        self._middle, self._tail = rest[2:].split(self.marks[0], 1)
        self._before, self._after = self.answer.split(self.marks[0], 1)
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._heads)

    async def open(self, count: int) -> None:
        """Open ``count`` more, up to 100 at a time waiting for their answer."""
        connection = self._connection
        first = len(self)
        requests = [self._open_request(number) for number in range(first, first + count)]
        requests.reverse()
        self._in_flight = count
        last = self._dialect.ECHOED if self.greets else self._dialect.OPENED

        def opened(body: bytes) -> None:
            if body[11] != last:
                if body[11] != self._dialect.OPENED:
                    connection.unexpected(body)
                return
            if requests:
                connection.out.append(requests.pop())
            self._in_flight -= 1

        connection.on_tunnel = opened
        connection.out += [requests.pop() for _ in range(min(OPENS_IN_FLIGHT, count))]
        connection.flush()
        await self._ended()

    def _open_request(self, number: int) -> bytes:
        request_id = struct.pack(">I", number)
        self._numbers[request_id] = number
        self._heads.append(self._head + request_id)
        self._sent.append(0)
        self._returned.append(0)
        self._sent_at.append(0.0)
        headers = {
            **OPENING_HEADERS,
            "sec-websocket-protocol": self.protocols,
            "sec-websocket-key": f"{number:022d}==",
        }
        opening = ToClientWebSocketOpen(self._actor_id, self.path.format(number), headers)
        return self._dialect.tunnel(b"wsgw" + request_id, opening)

    def start(self, in_flight: int) -> None:
        if in_flight > len(self):
            raise ValueError(f"{in_flight} messages in flight need as many sockets, and there are {len(self)}")
        super().start(in_flight)

    def _answered(self, body: bytes) -> None:
        if body[11] != self._dialect.ECHOED:
            self._connection.unexpected(body)
            return
        number = self._numbers[body[5:9]]
        returned = self._returned[number] = (self._returned[number] + 1) & 0xFFFF
        if body[13:-1] != self._before + self.marks[returned] + self._after:
            raise ValueError(f"socket {number}: message {returned} was expected, and {body[13:].hex()} came")
        self.latencies.append(perf_counter() - self._sent_at[number])
        if self._stopping:
            self._in_flight -= 1
        else:
            self._send_next()

    def _send_next(self) -> None:
        number = self._next_number
        self._next_number = number + 1 if number + 1 < len(self._heads) else 0
        sent = self._sent[number] = (self._sent[number] + 1) & 0xFFFF
        self._connection.out.append(self._heads[number] + INDEXES[sent] + self._middle + self.marks[sent] + self._tail)
        self._sent_at[number] = perf_counter()
