"""Open WebSockets of one actor, and the two loads on them: opening more, and echoes."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from benchmarks.synthetic.load import Load
from benchmarks.synthetic.websocket import frame

__all__ = ["MESSAGE_BYTES", "OpenSockets"]

MESSAGE_BYTES: Final = 64
GATEWAY_ID: Final = b"wsgw"
INDEXES: Final = [struct.pack("<H", index) for index in range(2**16)]
OPENS_IN_FLIGHT: Final = 100

HEADERS: Final = {
    "host": "127.0.0.1:6420",
    "connection": "Upgrade",
    "upgrade": "websocket",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "rivet",
}
"""Of a client's opening request. Each socket has a ``sec-websocket-key`` of its own besides."""

perf_counter = time.perf_counter


class OpenSockets(Load):
    """The sockets of one actor, oldest first. Messages are spread over all of them in turn.

    A message carries its index at the front of its data, and an echo must have the oldest one that is missing. A message
    that is lost, repeated, out of order or changed ends the run.
    """

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        super().__init__(connection)
        self._actor_id = actor_id
        self._numbers: dict[bytes, int] = {}
        self._heads: list[bytes] = []
        self._sent: list[int] = []
        self._returned: list[int] = []
        self._sent_at: list[float] = []
        self._middle = self._dialect.payload_head(MESSAGE_BYTES)
        self._filling = bytes(range(MESSAGE_BYTES - 2))
        self._tail = self._filling + b"\1"
        self._next = 0

    def __len__(self) -> int:
        return len(self._heads)

    async def open(self, count: int) -> None:
        """Open ``count`` more, up to 100 at a time waiting for their answer."""
        connection = self._connection
        first = len(self)
        requests = [self._open_request(number) for number in range(first, first + count)]
        requests.reverse()
        self._in_flight = count

        def opened(body: bytes) -> None:
            if body[11] != self._dialect.OPENED:
                return connection.unexpected(body)
            if requests:
                connection.out.append(requests.pop())
            return self._one_less()

        connection.on_tunnel = opened
        connection.load = asyncio.get_running_loop().create_future()
        connection.out += [requests.pop() for _ in range(min(OPENS_IN_FLIGHT, count))]
        connection.flush()
        await self._ended()

    def _open_request(self, number: int) -> bytes:
        request_id = struct.pack(">I", number)
        key = GATEWAY_ID + request_id
        body_size = len(self._dialect.message(key)) + 2 + len(self._middle) + MESSAGE_BYTES + 1
        header = frame(bytes(body_size))[:-body_size]
        self._numbers[request_id] = number
        self._heads.append(header + self._dialect.message(key))
        self._sent.append(0)
        self._returned.append(0)
        self._sent_at.append(0.0)
        headers = {**HEADERS, "sec-websocket-key": f"{number:022d}=="}
        return self._dialect.open(key, self._actor_id, f"/echo?client={number}", headers)

    def start(self, in_flight: int) -> None:
        if in_flight > len(self):
            raise ValueError(f"{in_flight} messages in flight need as many sockets, and there are {len(self)}")
        super().start(in_flight)

    def _answered(self, body: bytes) -> None:
        if body[11] != self._dialect.ECHOED:
            return self._connection.unexpected(body)
        number = self._numbers[body[5:9]]
        returned = self._returned[number] = (self._returned[number] + 1) & 0xFFFF
        if body[13:15] != INDEXES[returned] or body[15:-1] != self._filling:
            raise ValueError(f"socket {number}: message {returned} was expected, and {body[13:].hex()} came")
        self.count += 1
        self.latencies.append(perf_counter() - self._sent_at[number])
        return self._one_less() if self.stopping else self._send_next()

    def _send_next(self) -> None:
        number = self._next
        self._next = number + 1 if number + 1 < len(self._heads) else 0
        sent = self._sent[number] = (self._sent[number] + 1) & 0xFFFF
        index = INDEXES[sent]
        self._connection.out.append(self._heads[number] + index + self._middle + index + self._tail)
        self._sent_at[number] = perf_counter()
