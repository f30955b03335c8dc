"""The two loads that are not WebSockets: HTTP requests, and actors that start."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from benchmarks.synthetic.websocket import frame

__all__ = ["Actors", "HttpRequests"]

GATEWAY_ID: Final = b"http"
COMMANDS_IN_MESSAGE: Final = 100
STALL_SECONDS: Final = 120.0
HEADERS: Final = {
    "host": "127.0.0.1:6420",
    "user-agent": "curl/8.5.0",
    "accept": "*/*",
}


class HttpRequests:
    """GET requests to one actor, a number of them always under way."""

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._tail = b"\0\0" + self._dialect.request_tail(actor_id, "/echo?client=1", HEADERS)
        size = len(self._dialect.message(bytes(8))) + len(self._tail)
        self._head = frame(bytes(size))[:-size] + self._dialect.message(GATEWAY_ID)
        self._sent_at: dict[bytes, float] = {}
        self._next_id = 0
        self._stopping = False
        self.count = 0
        self.latencies: list[float] = []

    def start(self, in_flight: int) -> None:
        """Begin to keep ``in_flight`` requests under way."""
        self.reset()
        self._stopping = False
        self._connection.on_tunnel = self._answered
        self._connection.load = asyncio.get_running_loop().create_future()
        for _ in range(in_flight):
            self._send_next()
        self._connection.flush()

    def reset(self) -> None:
        """Count from here on."""
        self.count = 0
        self.latencies = []

    async def echoed(self, count: int) -> None:
        """Wait until at least ``count`` answers are counted."""
        async with asyncio.timeout(STALL_SECONDS):
            while self.count < count:
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Send no more, and wait for the answers that are missing."""
        load = self._connection.load
        assert load is not None
        self._stopping = True
        async with asyncio.timeout(STALL_SECONDS):
            await load
        self._connection.load = None
        self._connection.on_tunnel = self._connection.unexpected

    def _answered(self, body: bytes) -> None:
        if body[11] != self._dialect.RESPONSE_STARTED:
            return self._connection.unexpected(body)
        status = int.from_bytes(body[12:14], "little")
        if status != 200:
            raise ValueError(f"the runner answered a request with status {status}")
        self.count += 1
        self.latencies.append(time.perf_counter() - self._sent_at.pop(body[5:9]))
        if not self._stopping:
            self._send_next()
        elif not self._sent_at and self._connection.load is not None:
            self._connection.load.set_result(None)
        return None

    def _send_next(self) -> None:
        request_id = struct.pack(">I", self._next_id)
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        self._connection.out.append(self._head + request_id + self._tail)
        self._sent_at[request_id] = time.perf_counter()


class Actors:
    """Starts actors, and stops them again."""

    def __init__(self, connection: EngineConnection) -> None:
        self._connection = connection
        self._commands = 0
        self._started = 0

    async def start(self, count: int) -> list[str]:
        """Start ``count`` actors at once; return their ids when the runner has reported all of them as running."""
        ids = [f"actor-{number:012d}" for number in range(self._started, self._started + count)]
        self._started += count
        connection = self._connection
        running = connection.running + count
        connection.send([connection.dialect.start_actors(part, self._number(part)) for part in _parts(ids)])
        await connection.states(running=running, stopped=connection.stopped, timeout=STALL_SECONDS)
        return ids

    async def stop(self, ids: list[str]) -> None:
        """Stop actors, and wait until the runner has reported that of each."""
        connection = self._connection
        stopped = connection.stopped + len(ids)
        connection.send([connection.dialect.stop_actors(part, self._number(part)) for part in _parts(ids)])
        await connection.states(running=connection.running, stopped=stopped, timeout=STALL_SECONDS)

    def _number(self, commands: list[str]) -> int:
        """The index of the first of these commands."""
        first, self._commands = self._commands, self._commands + len(commands)
        return first


def _parts(ids: list[str]) -> list[list[str]]:
    return [ids[at : at + COMMANDS_IN_MESSAGE] for at in range(0, len(ids), COMMANDS_IN_MESSAGE)]
