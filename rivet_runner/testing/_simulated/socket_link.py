"""A runner's connection over a real WebSocket. It is the engine's end: see `memory_link` for one without a network."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from rivet_runner._asgi_types import Receive, Send
from rivet_runner._tasks import TaskGroup
from rivet_runner.testing._simulated.runner_socket import RunnerSocket

__all__ = ["SocketLink"]

log = logging.getLogger("rivet_runner.testing")

RING: Final = 1024
"""Tunnel messages that wait for a runner that does not read. The oldest is dropped beyond that, as in the engine."""

CANCEL_SECONDS: Final = 1.0


class SocketLink:
    """One connection. `connect` attaches the engine's state of it, and `serve` carries messages until either side ends.

    ``abort`` breaks the connection without a close frame. ``hold`` has the server stop reading, pings included, or go on.
    """

    def __init__(self, receive: Receive, send: Send, abort: Callable[[], None], hold: Callable[[bool], None]) -> None:
        self._receive = receive
        self._send = send
        self._abort = abort
        self._hold = hold
        self._socket: RunnerSocket | None = None
        self._outgoing: deque[bytes] = deque()
        self._tunnel_waiting = 0
        self._close: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._has_room = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_read.set()
        self._may_write.set()

    def connect(self, socket: RunnerSocket) -> None:
        self._socket = socket

    @property
    def runner_id(self) -> str | None:
        """The runner of this connection, or `None` before init."""
        runner = None if self._socket is None else self._socket.runner
        return None if runner is None else runner.runner_id

    # The transport, for the engine's state

    def send(self, frame: bytes) -> None:
        assert self._socket is not None
        if self._socket.is_tunnel_to_runner(frame):
            if self._tunnel_waiting >= RING:
                self._drop_oldest(self._socket)
            self._tunnel_waiting += 1
        self._outgoing.append(frame)
        self._wake.set()

    def _drop_oldest(self, socket: RunnerSocket) -> None:
        place = next(place for place, frame in enumerate(self._outgoing) if socket.is_tunnel_to_runner(frame))
        del self._outgoing[place]
        self._tunnel_waiting -= 1

    def close(self, code: int, reason: str) -> None:
        self._close = (code, reason)
        self._wake.set()

    # Faults

    @property
    def is_silent(self) -> bool:
        return not (self._may_read.is_set() and self._may_write.is_set())

    def silence(self, *, up: bool = True, down: bool = True) -> None:
        """Hold back the messages to the engine (``up``), to the runner (``down``), or both. Pings count as messages."""
        if up:
            self._may_read.clear()
            self._hold(True)
        if down:
            self._may_write.clear()

    def heal(self) -> None:
        """Deliver the messages that were held back."""
        self._hold(False)
        self._may_read.set()
        self._may_write.set()

    def close_from_engine(self, name: str) -> None:
        """Have the engine close it with a close frame. ``name`` is the error."""
        if self._socket is not None:
            self._socket.close(name)

    def cut(self) -> None:
        """Break the connection, without a close frame."""
        if self._socket is not None:
            self._socket.lost()
        self._abort()

    # Moving

    async def serve(self) -> None:
        """Carry messages until either side ends. Cancelling breaks the connection."""
        socket = self._socket
        assert socket is not None
        tasks = TaskGroup("runner connection", log)
        reading = tasks.spawn(self._read(socket), name="read from a runner")
        writing = tasks.spawn(self._write(socket), name="write to a runner", on_error=_ignore)
        try:
            await asyncio.wait([reading, writing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            socket.lost()
            await tasks.cancel_all(CANCEL_SECONDS)

    async def _read(self, socket: RunnerSocket) -> None:
        while (message := await self._receive())["type"] == "websocket.receive":
            if not self._may_read.is_set():
                self._hold(True)  # the server has gone on reading with this message
                await self._may_read.wait()
            frame = message.get("bytes")
            socket.receive(message["text"] if frame is None else frame)
            # The engine writes the answer to a call before it looks at the next message.
            while len(self._outgoing) > RING:
                self._has_room.clear()
                await self._has_room.wait()

    async def _write(self, socket: RunnerSocket) -> None:
        while True:
            await self._may_write.wait()
            if self._outgoing:
                frame = self._outgoing.popleft()
                self._tunnel_waiting -= socket.is_tunnel_to_runner(frame)
                self._has_room.set()
                await self._send({"type": "websocket.send", "bytes": frame})
            elif self._close is not None:
                code, reason = self._close
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
                return
            else:
                self._wake.clear()
                await self._wake.wait()


def _ignore(_: BaseException) -> None:
    """The runner has gone."""
