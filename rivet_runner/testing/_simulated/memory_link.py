"""A runner's connection in memory: whole messages, in order, delivered in the next turn of the event loop.

The runner's end has the surface of `rivet_runner._connection.engine_socket.EngineSocket`, the engine's end is a
`RunnerTransport`. Neither end is ever called from within a call of its own, as with a real socket.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from rivet_runner._connection.engine_socket import (
    CLOSE_TIMEOUT,
    MESSAGES_AT_ONCE,
    PING_INTERVAL,
    SILENT_PINGS,
)
from rivet_runner.testing._simulated.runner_socket import RunnerSocket

__all__ = ["EngineEnd", "MemoryLink"]

NO_CLOSE_FRAME: Final = 1006

GIVE_UP_SECONDS: Final = PING_INTERVAL * (SILENT_PINGS + 1)
"""A runner drops a connection after so many silent seconds."""


def _nothing() -> None:
    pass


class MemoryLink:
    """One connection. `connect` attaches the engine's end before anything moves.

    `silence` holds back both directions, closes included, until `heal`. The runner gives the connection up meanwhile if it
    takes as long as for a real connection that is dead.
    """

    needs_pings = False
    congested = False

    def __init__(self, on_message: Callable[[bytes], None], on_ended: Callable[[MemoryLink], None]) -> None:
        self._on_message = on_message
        self._on_ended = on_ended
        self._on_read: Callable[[], None] = _nothing
        self._loop = asyncio.get_running_loop()
        self._socket: RunnerSocket | None = None
        self._up: deque[bytes] = deque()
        self._down: deque[bytes] = deque()
        self._up_due = self._down_due = False
        self._close_from_engine: tuple[int, str] | None = None
        self._runner_has_left = False
        self._silent = False
        self._keepalive: asyncio.TimerHandle | None = None
        self._ended: asyncio.Future[tuple[int, str]] = self._loop.create_future()
        self.messages_received = 0

    def connect(self, socket: RunnerSocket) -> None:
        self._socket = socket

    @property
    def runner_id(self) -> str | None:
        """The runner of this connection, or `None` before init."""
        runner = None if self._socket is None else self._socket.runner
        return None if runner is None else runner.runner_id

    # The runner's end

    @property
    def is_open(self) -> bool:
        return not self._ended.done() and not self._runner_has_left

    def on_writable(self, callback: Callable[[], None]) -> None:
        """There is always room."""

    def on_read(self, callback: Callable[[], None]) -> None:
        self._on_read = callback

    def acknowledge_at_once(self) -> None:
        """There is no kernel that delays anything."""

    def send_frames(self, messages: list[bytes]) -> None:
        self._up.extend(messages)
        self._deliver_up_soon()

    async def wait_ended(self) -> tuple[int, str]:
        return await asyncio.shield(self._ended)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after the messages that were sent. Cancelling is safe."""
        if self._ended.done():
            return
        self._leave()
        if self._silent:
            await asyncio.wait([self._ended], timeout=CLOSE_TIMEOUT)
        self._end(code, reason)

    def abort(self) -> None:
        if not self._ended.done():
            self._leave()
            self._end(NO_CLOSE_FRAME, "")

    def _leave(self) -> None:
        """Tell the engine, after the messages that were sent before."""
        if not self._runner_has_left:
            self._runner_has_left = True
            self._deliver_up_soon()

    # The engine's end

    def push(self, frame: bytes) -> None:
        """A message to the runner."""
        self._down.append(frame)
        self._deliver_down_soon()

    def push_close(self, code: int, reason: str) -> None:
        """Close the runner's end, after the messages that were sent before."""
        if self._close_from_engine is None:
            self._close_from_engine = (code, reason)
            self._deliver_down_soon()

    def cut(self) -> None:
        """Break the connection. Both ends lose it, and messages on the way are lost."""
        self._up.clear()
        self._down.clear()
        if self._socket is not None:
            self._socket.lost()
        self._end(NO_CLOSE_FRAME, "")
        self._on_ended(self)

    # Partitions

    def silence(self) -> None:
        if not self._silent:
            self._silent = True
            self._keepalive = self._loop.call_later(GIVE_UP_SECONDS, self.abort)

    def heal(self) -> None:
        """Deliver the messages that were held back."""
        if self._silent:
            self._silent = False
            if self._keepalive is not None:
                self._keepalive.cancel()
                self._keepalive = None
            self._deliver_up_soon()
            self._deliver_down_soon()

    # Moving

    def _deliver_up_soon(self) -> None:
        if not self._up_due and not self._silent:
            self._up_due = True
            self._loop.call_soon(self._deliver_up)

    def _deliver_up(self) -> None:
        self._up_due = False
        socket = self._socket
        if self._silent or socket is None:
            return
        while self._up:
            socket.receive(self._up.popleft())
        if self._runner_has_left:
            socket.lost()
            self._on_ended(self)

    def _deliver_down_soon(self) -> None:
        if not self._down_due and not self._silent:
            self._down_due = True
            self._loop.call_soon(self._deliver_down)

    def _deliver_down(self) -> None:
        self._down_due = False
        if self._silent or self._ended.done():
            return
        for _ in range(min(len(self._down), MESSAGES_AT_ONCE)):
            self.messages_received += 1
            self._on_message(self._down.popleft())
            if self._ended.done():
                return  # the runner has let go of it
        self._on_read()
        if self._down:
            self._deliver_down_soon()
        elif self._close_from_engine is not None:
            self._end(*self._close_from_engine)

    def _end(self, code: int, reason: str) -> None:
        if not self._ended.done():
            if self._keepalive is not None:
                self._keepalive.cancel()
                self._keepalive = None
            self._ended.set_result((code, reason))
            if not self._runner_has_left:
                self._on_ended(self)


class EngineEnd:
    """The engine's end of a link."""

    def __init__(self, link: MemoryLink) -> None:
        self._link = link

    def send(self, frame: bytes) -> None:
        self._link.push(frame)

    def close(self, code: int, reason: str) -> None:
        self._link.push_close(code, reason)
