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
from rivet_runner.testing._simulated.fault_injection import FaultInjector
from rivet_runner.testing._simulated.runner_socket import RunnerSocket

__all__ = ["EngineEnd", "MemoryLink"]

NO_CLOSE_FRAME: Final = 1006

GIVE_UP_SECONDS: Final = PING_INTERVAL * (SILENT_PINGS + 1)
"""A runner drops a connection after so many silent seconds."""

TAKEN_AT_ONCE: Final = 128
"""Messages that the engine puts on the wire in a turn of the event loop, if they come through its ring."""

BUFFERED: Final = 256
"""Messages that are on the wire at most while the runner does not read."""


def _nothing() -> None:
    pass


class MemoryLink:
    """One connection. `connect` attaches the engine's end before anything moves.

    `silence` holds back one direction or both, closes included, until `heal`. The runner gives the connection up meanwhile
    if it takes as long as for a real connection that is dead.

    ``faults`` draws how long messages are on their way, and how long the engine takes for a call.
    """

    needs_pings = False
    congested = False

    def __init__(
        self, on_message: Callable[[bytes], None], on_ended: Callable[[MemoryLink], None], faults: FaultInjector
    ) -> None:
        self._faults = faults
        self._on_message = on_message
        self._on_ended = on_ended
        self._on_read: Callable[[], None] = _nothing
        self._loop = asyncio.get_running_loop()
        self._socket: RunnerSocket | None = None
        self._up: deque[bytes] = deque()
        self._down: deque[bytes] = deque()
        self._waiting: deque[bytes] = deque()
        """Messages to the runner that are not on the wire yet."""
        self._tunnel_waiting = 0
        """How many of them are of clients, which the engine's ring may drop."""
        self._take_due = False
        self._up_due = self._down_due = False
        self._close_from_engine: tuple[int, str] | None = None
        self._runner_has_left = False
        self._up_silent = self._down_silent = False
        self._call_is_slow = False
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
        if self._up_silent or self._down_silent:
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
        """A message to the runner. Of the messages that wait for the connection, only the newest are kept."""
        ring, socket = self._faults.faults.ring, self._socket
        if ring is None or socket is None:
            self._down.append(frame)
            self._deliver_down_soon()
            return
        if self._tunnel_waiting >= ring:
            self._drop_oldest(socket)
        self._waiting.append(frame)
        self._tunnel_waiting += frame[:1] == socket.wire.tunnel_down
        self._take_soon()

    def _drop_oldest(self, socket: RunnerSocket) -> None:
        place = next(place for place, frame in enumerate(self._waiting) if frame[:1] == socket.wire.tunnel_down)
        del self._waiting[place]
        self._tunnel_waiting -= 1

    def _take_soon(self) -> None:
        if not self._take_due and not (self._down_silent and len(self._down) >= BUFFERED):
            self._take_due = True
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        """Put messages on the wire, which are not lost any more unless it breaks."""
        self._take_due = False
        assert self._socket is not None
        tunnel_down = self._socket.wire.tunnel_down
        for _ in range(min(len(self._waiting), TAKEN_AT_ONCE)):
            frame = self._waiting.popleft()
            self._tunnel_waiting -= frame[:1] == tunnel_down
            self._down.append(frame)
        self._deliver_down_soon()
        if self._waiting:
            self._take_soon()

    def push_close(self, code: int, reason: str) -> None:
        """Close the runner's end, after the messages that were sent before."""
        if self._close_from_engine is None:
            self._close_from_engine = (code, reason)
            self._deliver_down_soon()

    def close_from_engine(self, name: str) -> None:
        """Have the engine close it with a close frame. ``name`` is the error."""
        if self._socket is not None:
            self._socket.close(name)

    def cut(self) -> None:
        """Break the connection. Both ends lose it, and messages on the way are lost."""
        self._up.clear()
        self._down.clear()
        self._waiting.clear()
        self._tunnel_waiting = 0
        if self._socket is not None:
            self._socket.lost()
        self._end(NO_CLOSE_FRAME, "")
        self._on_ended(self)

    # Partitions

    @property
    def is_silent(self) -> bool:
        return self._up_silent or self._down_silent

    def silence(self, *, up: bool = True, down: bool = True) -> None:
        """Hold back the messages to the engine (``up``), to the runner (``down``), or both."""
        if not self.is_silent:
            self._keepalive = self._loop.call_later(GIVE_UP_SECONDS, self.abort)
        self._up_silent = self._up_silent or up
        self._down_silent = self._down_silent or down

    def heal(self) -> None:
        """Deliver the messages that were held back."""
        if self.is_silent:
            self._up_silent = self._down_silent = False
            if self._keepalive is not None:
                self._keepalive.cancel()
                self._keepalive = None
            self._deliver_up_soon()
            self._deliver_down_soon()
            if self._waiting:
                self._take_soon()

    # Moving

    def _soon(self, deliver: Callable[[], None]) -> None:
        delay = self._faults.delay()
        if delay:
            self._loop.call_later(delay, deliver)
        else:
            self._loop.call_soon(deliver)

    def _deliver_up_soon(self) -> None:
        if not self._up_due and not self._up_silent:
            self._up_due = True
            self._soon(self._deliver_up)

    def _deliver_up(self) -> None:
        self._up_due = False
        socket = self._socket
        if self._up_silent or socket is None:
            return
        self._drop_beyond_ring(socket)
        while self._up:
            if self._waits_for_call(socket):
                return
            socket.receive(self._up.popleft())
        if self._runner_has_left:
            socket.lost()
            self._on_ended(self)

    def _drop_beyond_ring(self, socket: RunnerSocket) -> None:
        """A gateway that gets more messages at once than its ring holds loses the oldest."""
        ring = self._faults.faults.ring
        if ring is not None and len(self._up) > ring:
            tunnel = [place for place, frame in enumerate(self._up) if socket.is_tunnel_to_engine(frame)]
            for place in reversed(tunnel[: max(0, len(tunnel) - ring)]):
                del self._up[place]

    def _waits_for_call(self, socket: RunnerSocket) -> bool:
        """Whether the next message is a call that takes the engine some time. It is carried out after that."""
        was_slow, self._call_is_slow = self._call_is_slow, False
        if was_slow or not socket.is_call(self._up[0]):
            return False
        delay = self._faults.call_delay()
        if not delay:
            return False
        self._call_is_slow = self._up_due = True
        self._loop.call_later(delay, self._deliver_up)
        return True

    def _deliver_down_soon(self) -> None:
        if not self._down_due and not self._down_silent:
            self._down_due = True
            self._soon(self._deliver_down)

    def _deliver_down(self) -> None:
        self._down_due = False
        if self._down_silent or self._ended.done():
            return
        for _ in range(min(len(self._down), MESSAGES_AT_ONCE)):
            self.messages_received += 1
            self._on_message(self._down.popleft())
            if self._ended.done():
                return  # the runner has let go of it
        self._on_read()
        if self._down:
            self._down_due = True
            self._loop.call_soon(self._deliver_down)
        elif self._close_from_engine is not None and not self._waiting:
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
