"""HTTP requests to one actor."""

from __future__ import annotations

import struct
import time
from typing import Final

from benchmarks.synthetic.engine import EngineConnection
from benchmarks.synthetic.load import Load
from benchmarks.synthetic.websocket import frame

__all__ = ["HttpRequests"]

GATEWAY_ID: Final = b"http"
HEADERS: Final = {"host": "127.0.0.1:6420", "user-agent": "curl/8.5.0", "accept": "*/*"}


class HttpRequests(Load):
    """GET requests to one actor. Each must be answered with status 200."""

    def __init__(self, connection: EngineConnection, actor_id: str) -> None:
        super().__init__(connection)
        self._tail = b"\0\0" + self._dialect.request_tail(actor_id, "/echo?client=1", HEADERS)
        size = len(self._dialect.message(bytes(8))) + len(self._tail)
        self._head = frame(bytes(size))[:-size] + self._dialect.message(GATEWAY_ID)
        self._sent_at: dict[bytes, float] = {}
        self._next_id = 0

    def _answered(self, body: bytes) -> None:
        if body[11] != self._dialect.RESPONSE_STARTED:
            return self._connection.unexpected(body)
        status = int.from_bytes(body[12:14], "little")
        if status != 200:
            raise ValueError(f"the runner answered a request with status {status}")
        self.count += 1
        self.latencies.append(time.perf_counter() - self._sent_at.pop(body[5:9]))
        return self._one_less() if self.stopping else self._send_next()

    def _send_next(self) -> None:
        request_id = struct.pack(">I", self._next_id)
        self._next_id = (self._next_id + 1) & 0xFFFFFFFF
        self._connection.out.append(self._head + request_id + self._tail)
        self._sent_at[request_id] = time.perf_counter()
