"""Open WebSockets of one runner, and the two loads on them: opening more, and keeping messages in flight."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from benchmarks.synthetic.websocket import frame

__all__ = ["MESSAGE_BYTES", "OpenSockets"]

MESSAGE_BYTES: Final = 64

GATEWAY_ID: Final = b"wsgw"

INDEXES: Final = [struct.pack("<H", index) for index in range(2**16)]

HEADERS: Final = {
    "host": "127.0.0.1:6420",
    "connection": "Upgrade",
    "upgrade": "websocket",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "sec-websocket-version": "13",
    "sec-websocket-protocol": "rivet",
}
"""What a client's opening request brings along; each socket has a ``sec-websocket-key`` of its own besides."""

OPENS_IN_FLIGHT: Final = 100
STALL_SECONDS: Final = 120.0
"""A load that makes no progress for this long has failed."""

perf_counter = time.perf_counter


class OpenSockets:
    """The sockets of one actor, oldest first. One load at a time.

    The messages of a socket carry its message index at the front of their data, and an echo must have the oldest one that is
    missing: a message that is lost, repeated, out of order or changed ends the run.
    """

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        self._connection = connection
        self._actor_id = actor_id
        self._dialect = connection.dialect
        self._numbers: dict[bytes, int] = {}
        self._heads: list[bytes] = []
        self._sent: list[int] = []
        self._returned: list[int] = []
        self._sent_at: list[float] = []
        self._middle = self._dialect.payload_head(MESSAGE_BYTES)
        filling = bytes(range(MESSAGE_BYTES - 2))
        self._data_tail = filling
        self._tail = filling + b"\1"
        self._next = 0
        self._in_flight = 0
        self._stopping = False
        self.count = 0
        """Echoes since the last `reset`."""
        self.latencies: list[float] = []
        """Seconds from sending a message to its echo, of each echo since the last `reset`."""

    def __len__(self) -> int:
        return len(self._heads)

    # Opening

    async def open(self, count: int) -> None:
        """Open ``count`` more, up to 100 at a time waiting for their answer."""
        connection = self._connection
        first = len(self._numbers)
        requests = [self._open_request(number) for number in range(first, first + count)]
        requests.reverse()
        waiting = count

        def opened(body: bytes) -> None:
            nonlocal waiting
            if body[11] != self._dialect.OPENED:
                return connection.unexpected(body)
            waiting -= 1
            if requests:
                connection.out.append(requests.pop())
            elif not waiting and connection.load is not None:
                connection.load.set_result(None)
            return None

        connection.on_tunnel = opened
        connection.load = asyncio.get_running_loop().create_future()
        connection.send([requests.pop() for _ in range(min(OPENS_IN_FLIGHT, count))])
        await self._finished(connection.load)

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

    # Echo

    def start(self, in_flight: int) -> None:
        """Begin to keep ``in_flight`` messages under way, spread over all sockets in turn."""
        if in_flight > len(self):
            raise ValueError(f"{in_flight} messages in flight need as many sockets, and there are {len(self)}")
        connection = self._connection
        self.reset()
        self._stopping = False
        self._in_flight = in_flight
        connection.on_tunnel = self._echoed
        connection.load = asyncio.get_running_loop().create_future()
        for _ in range(in_flight):
            self._send_next()
        connection.flush()

    def reset(self) -> None:
        """Count from here on."""
        self.count = 0
        self.latencies = []

    async def stop(self) -> None:
        """Send no more, and wait until what is in flight has come back."""
        assert self._connection.load is not None
        self._stopping = True
        await self._finished(self._connection.load)

    async def echoed(self, count: int) -> None:
        """Wait until at least ``count`` echoes are counted. Raises where that takes too long."""
        async with asyncio.timeout(STALL_SECONDS):
            while self.count < count:
                self._raise_failure()
                await asyncio.sleep(0.005)

    def _echoed(self, body: bytes) -> None:
        if body[11] != self._dialect.ECHOED:
            return self._connection.unexpected(body)
        number = self._numbers[body[5:9]]
        returned = self._returned[number] = (self._returned[number] + 1) & 0xFFFF
        if body[13:15] != INDEXES[returned] or body[15:-1] != self._data_tail:
            raise ValueError(f"socket {number}: message {returned} was expected, and {body[13:].hex()} came")
        self.count += 1
        self.latencies.append(perf_counter() - self._sent_at[number])
        if not self._stopping:
            return self._send_next()
        self._in_flight -= 1
        if not self._in_flight and self._connection.load is not None:
            self._connection.load.set_result(None)
        return None

    def _send_next(self) -> None:
        number = self._next
        self._next = number + 1 if number + 1 < len(self._heads) else 0
        sent = self._sent[number] = (self._sent[number] + 1) & 0xFFFF
        index = INDEXES[sent]
        self._connection.out.append(self._heads[number] + index + self._middle + index + self._tail)
        self._sent_at[number] = perf_counter()

    # Ending

    async def _finished(self, load: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                await load
        finally:
            self._connection.load = None
            self._connection.on_tunnel = self._connection.unexpected

    def _raise_failure(self) -> None:
        load = self._connection.load
        if load is not None and load.done():
            load.result()
