"""A client's WebSocket as a hook sees it."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import TYPE_CHECKING, Final

from multidict import CIMultiDictProxy

from rivet_runner._connection.arrivals import Arrival, Arrivals
from rivet_runner._sockets.close_frames import checked_close
from rivet_runner.errors import PayloadTooLarge, WebSocketClosed
from rivet_runner.protocol.wire import (
    MessageId,
    ToClientWebSocketMessage,
    ToServerTunnelMessage,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketOpen,
)

if TYPE_CHECKING:
    from rivet_runner._connection.uplink import Uplink
    from rivet_runner._sockets.hibernatable import Hibernation
    from rivet_runner.http import Request

__all__ = ["SocketState", "WebSocket"]

MAX_ATTACHMENT: Final = 64 * 1024
"""Bytes of `WebSocket.attachment`; it is stored again with each change of the socket's record."""

MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
MAX_QUEUED_MESSAGES: Final = 16_384
"""What waits for one handler. Beyond it, a hibernatable socket lets the gateway keep the messages, and fetches them when
there is room; any other is closed, as the protocol has no way to slow a client down."""

HIBERNATED: Final = (1001, "actor.hibernated")
"""What a `WebSocketClosed` carries when only the actor's hold on the socket has ended."""


class SocketState(enum.Enum):
    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
    HIBERNATED = "hibernated"


_OPEN: Final = SocketState.OPEN


class WebSocket:
    """One client's connection, for one generation of its actor.

    ``request`` is the opening request. ``hibernatable`` tells whether the connection outlives the actor's sleep,
    ``restored`` whether it has done so: then the handler runs again for a client that saw nothing of it. ``close_code`` and
    ``close_reason`` are none until the socket is closed, by whichever side.

    Each client message of a hibernatable socket is delivered at least once, in order, and none is skipped. One counts as
    processed when the handler asks for the next, or returns; only then is it stored as such and acknowledged. What a handler
    had in its hands when it was cancelled, or when the process died, comes again.
    """

    __slots__ = (
        "_arrivals",
        "_attachment",
        "_early",
        "_gateway_id",
        "_hibernation",
        "_max_payload",
        "_queue",
        "_queued_bytes",
        "_request_id",
        "_sent_index",
        "_state",
        "_uplink",
        "_waiter",
        "close_code",
        "close_reason",
        "request",
        "restored",
    )

    def __init__(self, key: bytes, request: Request, uplink: Uplink, arrivals: Arrivals, max_payload: int) -> None:
        self.request = request
        self.restored = False
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._gateway_id = key[:4]
        self._request_id = key[4:]
        self._uplink = uplink
        self._arrivals = arrivals
        self._max_payload = max_payload
        self._state = SocketState.OPENING
        self._early: list[tuple[int, ToClientWebSocketMessage]] | None = None
        # Made when a message first has to wait: an idle socket is small.
        self._queue: deque[ToClientWebSocketMessage] | None = None
        self._queued_bytes = 0
        self._waiter: Arrival[ToClientWebSocketMessage | None] | None = None
        self._sent_index = 0
        self._attachment = b""
        self._hibernation: Hibernation | None = None

    def __repr__(self) -> str:
        return f"<WebSocket {self.path} {self._state.value}{', hibernatable' if self.hibernatable else ''}>"

    # What it is

    @property
    def path(self) -> str:
        """The path of the opening request, raw, without query."""
        return self.request.path

    @property
    def query_string(self) -> str:
        """The query of the opening request, without the question mark."""
        return self.request.query_string

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of the opening request. ``sec-websocket-protocol`` may hold a token: do not log it."""
        return self.request.headers

    @property
    def hibernatable(self) -> bool:
        return self._hibernation is not None

    @property
    def attachment(self) -> bytes:
        """Your own bytes, kept across hibernation: 64 KiB at most, else `ValueError`.

        Assigning stores them within a fraction of a second, and in any case before the actor sleeps.
        """
        return self._attachment

    @attachment.setter
    def attachment(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise TypeError(f"an attachment must be bytes, not {type(value).__name__}")
        if len(value) > MAX_ATTACHMENT:
            raise ValueError(f"an attachment has at most {MAX_ATTACHMENT} bytes (64 KiB), and this one has {len(value)}")
        self._attachment = value
        if self._hibernation is not None:
            self._hibernation.changed()

    # Receiving

    def __aiter__(self) -> WebSocket:
        return self

    async def __anext__(self) -> str | bytes:
        hibernation = self._hibernation
        if hibernation is not None:
            hibernation.mark_processed()
        if self._queue:
            message = self._queue.popleft()
            self._queued_bytes -= len(message.data)
        else:
            if self._state is not _OPEN:
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("another task is receiving from this WebSocket; one at a time may")
            waiter = self._waiter = Arrival(loop=self._arrivals.loop)
            try:
                arrived = await waiter
            except asyncio.CancelledError:
                self._take_back(waiter)
                raise
            finally:
                self._waiter = None
            if arrived is None:
                raise StopAsyncIteration
            message = arrived
        if hibernation is not None:
            hibernation.mark_delivered(self._waiting)
        return message.data if message.binary else str(message.data, "utf-8", "replace")

    async def recv(self) -> str | bytes:
        """The next message: ``str`` for text, ``bytes`` for binary.

        Raises `WebSocketClosed` when there will be none: the peer has closed, the runner shuts down, or the socket
        hibernates (``hibernated`` is true then). One task at a time may receive, else `RuntimeError`. Cancelling is safe: no
        message is lost.
        """
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise self._closed_error() from None

    # Sending

    async def send(self, message: str | bytes) -> None:
        """Send text (``str``) or binary (``bytes``, or another bytes-like object).

        Waits while the runner's outgoing buffer is full. Returning means that the message is on its way in order, not that
        the client has it. Raises `WebSocketClosed` once the socket is closed and `PayloadTooLarge` over ``max_payload``.
        Cancelling is safe: the message is either sent or not.
        """
        data, binary = self._payload(message)
        if self._state is not _OPEN:
            raise self._closed_error()
        await self._send(data, binary)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close towards the client; its loop ends. Nothing happens where it is closed already.

        ``code`` is 1000 to 1003, 1007 to 1014 or 3000 to 4999, else `ValueError`: another would reach the client as a
        protocol error. ``reason`` is cut to 123 bytes of UTF-8, at a character.
        """
        code, reason = checked_close(code, reason)
        self._close(code, reason)

    # For the hosting layer

    @property
    def _key(self) -> bytes:
        return self._gateway_id + self._request_id

    def _payload(self, message: object) -> tuple[bytes, bool]:
        if isinstance(message, str):
            data, binary = message.encode(), False
        elif isinstance(message, bytes):
            data, binary = message, True
        elif isinstance(message, bytearray | memoryview):
            data, binary = bytes(message), True
        else:
            raise TypeError(f"a WebSocket message must be str or bytes, not {type(message).__name__}")
        if len(data) > self._max_payload:
            raise PayloadTooLarge(f"a message of {len(data)} bytes is over max_payload, which is {self._max_payload}")
        return data, binary

    async def _send(self, data: bytes, binary: bool) -> None:
        index = self._sent_index
        self._sent_index = (index + 1) & 0xFFFF
        message = ToServerTunnelMessage(
            MessageId(self._gateway_id, self._request_id, index), ToServerWebSocketMessage(data, binary)
        )
        if self._hibernation is not None and self._hibernation.held is not None:
            self._hibernation.hold(message)
        else:
            await self._uplink.send(message)

    def _receive(self, index: int, message: ToClientWebSocketMessage) -> None:
        """A client message has arrived; called by the tunnel, synchronously."""
        if self._state is not _OPEN:
            if self._state is SocketState.OPENING:
                self._receive_early(index, message)
            return
        hibernation = self._hibernation
        if hibernation is not None and not hibernation.receive(index):
            return
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._arrivals.bring(waiter, message)  # the handler waits, so nothing is queued
            return
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        size = len(message.data)
        if queue and (len(queue) >= MAX_QUEUED_MESSAGES or self._queued_bytes + size > MAX_QUEUED_BYTES):
            self._no_room()
            return
        queue.append(message)
        self._queued_bytes += size

    def _take_back(self, waiter: Arrival[ToClientWebSocketMessage | None]) -> None:
        """The receiving task was cancelled: what it had been given already is the next one's."""
        message = waiter.result() if waiter.done() and not waiter.cancelled() else None
        if message is not None:
            if self._queue is None:
                self._queue = deque()
            self._queue.appendleft(message)
            self._queued_bytes += len(message.data)

    @property
    def _waiting(self) -> int:
        """How many messages wait for the handler."""
        return len(self._queue) if self._queue is not None else 0

    def _receive_early(self, index: int, message: ToClientWebSocketMessage) -> None:
        """Before the open is answered, or the record loaded, nothing is known about the indexes: keep it for then."""
        if self._early is None:
            self._early = []
        self._queued_bytes += len(message.data)
        if len(self._early) < MAX_QUEUED_MESSAGES and self._queued_bytes <= MAX_QUEUED_BYTES:
            self._early.append((index, message))

    def _no_room(self) -> None:
        if self._hibernation is not None:
            self._hibernation.no_room()
        else:
            self._close(1013, "ws.receive_queue_full")

    def _open(self) -> None:
        """The handler is about to run: what came early is received now."""
        self._state = SocketState.OPEN
        early, self._early, self._queued_bytes = self._early, None, 0
        for index, message in early or ():
            self._receive(index, message)

    def _answer_open(self) -> None:
        self._emit(ToServerWebSocketOpen(self.hibernatable))

    def _emit(self, kind: ToServerWebSocketOpen | ToServerWebSocketClose) -> None:
        """Send something that is not a client message, in order with those, and without waiting."""
        index = self._sent_index
        self._sent_index = (index + 1) & 0xFFFF
        message = ToServerTunnelMessage(MessageId(self._gateway_id, self._request_id, index), kind)
        if self._hibernation is not None and self._hibernation.held is not None:
            self._hibernation.hold(message)
        else:
            self._uplink.send_now(message)

    def _close(self, code: int, reason: str) -> None:
        """Close towards the client and end the loop. What the client sent and nobody received is dropped."""
        if self._state is not _OPEN:
            return
        self._emit(ToServerWebSocketClose(code, reason, False))
        self._queue = None
        self._end(SocketState.CLOSED, code, reason)

    def _peer_closed(self, code: int | None, reason: str | None) -> None:
        """The client has closed or gone. What it sent before is still received."""
        if self._state in (SocketState.OPENING, SocketState.OPEN):
            self._end(SocketState.CLOSED, 1005 if code is None else code, reason or "")

    def _hibernate(self) -> None:
        """The actor goes to sleep: the loop ends, the client stays, and what nobody has processed comes again."""
        if self._state is _OPEN:
            self._queue = None
            self._end(SocketState.HIBERNATED, None, None)

    def _end(self, state: SocketState, code: int | None, reason: str | None) -> None:
        self._state = state
        self.close_code, self.close_reason = code, reason
        if self._hibernation is not None:
            self._hibernation.ended(closed=state is SocketState.CLOSED)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
            self._waiter.resume_soon()

    def _closed_error(self) -> WebSocketClosed:
        if self._state is SocketState.HIBERNATED:
            return WebSocketClosed(*HIBERNATED, hibernated=True)
        return WebSocketClosed(self.close_code or 1006, self.close_reason or "")
