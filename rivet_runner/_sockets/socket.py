"""The machine behind `rivet_runner.WebSocket`: one client's WebSocket, for one generation of its actor.

::

              handler about to run            either side closes
    OPENING ───────────────────────► OPEN ─────────────────────────► CLOSED
       │                               │
       │ the client closes first       └── the actor goes to sleep ─► HIBERNATED
       └─────────────────────────────────────────────────────────────► CLOSED

* ``OPENING``: the gateway has opened it, or a start command has listed it, and the actor is not ready. Client messages are
  kept as they come, because nothing is known yet about their indexes. If its record is there already, it is *prepared*: the
  actor may send, which is held back, and close.
* ``OPEN``: the handler receives and sends.
* ``CLOSED``: the loop ends once the queue is empty. After a close of ours the queue is dropped.
* ``HIBERNATED``: the loop ends at once and the client stays connected. Unprocessed messages come again in the next
  generation.

A hibernatable socket has a `Delivery`, which decides about message indexes. A plain socket delivers everything.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

from rivet_runner._connection.arrivals import Arrival, Arrivals
from rivet_runner._connection.uplink import Uplink
from rivet_runner._observing.statistics import Statistics
from rivet_runner._sockets.close_frames import checked_close
from rivet_runner._sockets.delivery import Delivery
from rivet_runner._sockets.hold import Hold, Holds
from rivet_runner.errors import PayloadTooLarge, WebSocketClosed
from rivet_runner.http import Request
from rivet_runner.protocol.messages import (
    MessageId,
    ToClientWebSocketMessage,
    ToServerTunnelMessage,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from rivet_runner.protocol.tunnel_ids import split_request_key
from rivet_runner.websocket import WebSocket

__all__ = ["ClientSocket", "SocketState"]

MAX_ATTACHMENT: Final = 64 * 1024
"""Bytes of `WebSocket.attachment`. It is stored again with each change of the socket's record."""

MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024
MAX_QUEUED_MESSAGES: Final = 16_384
"""Messages that wait for one handler. Beyond it, a hibernatable socket leaves messages with the gateway and fetches them
when there is room. Any other socket is closed, as the protocol has no way to slow a client down."""

HIBERNATED: Final = (1001, "actor.hibernated")
"""Carried by the `WebSocketClosed` of a socket that hibernates."""


class SocketState(enum.Enum):
    """See the module's docstring."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"
    HIBERNATED = "hibernated"


_OPEN: Final = SocketState.OPEN


class ClientSocket(WebSocket):
    """A `WebSocket` with the parts that the rooms around it need: state, indexes, and its ends of the tunnel."""

    __slots__ = (
        "_arrivals",
        "_attachment",
        "_early",
        "_max_payload",
        "_queue",
        "_queued_bytes",
        "_statistics",
        "_uplink",
        "_waiter",
        "delivery",
        "gateway_id",
        "hold",
        "open_index",
        "request_id",
        "sent_index",
        "state",
    )

    def __init__(
        self,
        key: bytes,
        request: Request,
        uplink: Uplink,
        arrivals: Arrivals,
        max_payload: int,
        statistics: Statistics,
    ) -> None:
        super().__init__(request)
        self.gateway_id, self.request_id = split_request_key(key)
        self.state = SocketState.OPENING
        self.open_index = 0
        """The index of the gateway's open."""
        self.sent_index = 0
        """The index of the next message to the client."""
        self.delivery: Delivery | None = None
        self.hold: Hold | None = None
        self._uplink = uplink
        self._arrivals = arrivals
        self._max_payload = max_payload
        self._statistics = statistics
        self._early: list[tuple[int, ToClientWebSocketMessage]] | None = None
        # Made when a message first has to wait: an idle socket is small.
        self._queue: deque[ToClientWebSocketMessage] | None = None
        self._queued_bytes = 0
        self._waiter: Arrival[ToClientWebSocketMessage | None] | None = None
        self._attachment = b""

    def __repr__(self) -> str:
        return f"<WebSocket {self.path} {self.state.value}{', hibernatable' if self.hibernatable else ''}>"

    @property
    def key(self) -> bytes:
        """The 8-byte request key."""
        return self.gateway_id + self.request_id

    @property
    def hibernatable(self) -> bool:
        return self.delivery is not None

    @property
    def attachment(self) -> bytes:
        return self._attachment

    @attachment.setter
    def attachment(self, value: bytes) -> None:
        if not isinstance(value, bytes):
            raise TypeError(f"an attachment must be bytes, not {type(value).__name__}")
        if len(value) > MAX_ATTACHMENT:
            raise ValueError(f"an attachment has at most {MAX_ATTACHMENT} bytes (64 KiB), and this one has {len(value)}")
        self._attachment = value
        if self.delivery is not None:
            self.delivery.changed()

    # Receiving, by the handler

    async def __anext__(self) -> str | bytes:
        delivery = self.delivery
        if delivery is not None:
            if self.auto_processed:
                delivery.mark_all_processed()
            else:
                delivery.check_unmarked()
        if self._queue:
            message = self._queue.popleft()
            self._queued_bytes -= len(message.data)
        else:
            if self.state is not _OPEN:
                if self._is_prepared:
                    raise RuntimeError("messages of this WebSocket are for Runner.websocket, which has not begun")
                raise StopAsyncIteration
            if self._waiter is not None:
                raise RuntimeError("another task is receiving from this WebSocket; only one at a time may")
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
        if delivery is not None:
            delivery.mark_delivered(self.waiting)
        return message.data if message.binary else str(message.data, "utf-8", "replace")

    async def recv(self) -> str | bytes:
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise self._closed_error() from None

    def mark_processed(self, count: int = 1) -> None:
        if self.auto_processed:
            raise RuntimeError("mark_processed needs ws.auto_processed = False, before the first recv")
        if self.delivery is not None:
            self.delivery.mark_processed(count)

    @property
    def waiting(self) -> int:
        """How many messages wait for the handler."""
        return len(self._queue) if self._queue is not None else 0

    @property
    def waiting_bytes(self) -> int:
        """How many bytes those messages have."""
        return self._queued_bytes

    # Receiving, from the tunnel

    def message_arrived(self, index: int, message: ToClientWebSocketMessage) -> None:
        """A client message has arrived. Called synchronously, within the read that brought it."""
        if self.state is not _OPEN:
            if self.state is SocketState.OPENING:
                self._keep_early(index, message)
            return
        if self.delivery is not None and not self.delivery.receive(index):
            return
        size = len(message.data)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._arrivals.bring(waiter, message)  # the handler waits, so nothing is queued
        elif not self._enqueue(message, size):
            return
        statistics = self._statistics
        statistics.messages_received += 1
        statistics.bytes_received += size

    def _enqueue(self, message: ToClientWebSocketMessage, size: int) -> bool:
        """Keep a message for the handler. Return whether there was room."""
        queue = self._queue
        if queue is None:
            queue = self._queue = deque()
        if queue and (len(queue) >= MAX_QUEUED_MESSAGES or self._queued_bytes + size > MAX_QUEUED_BYTES):
            self._no_room()
            return False
        queue.append(message)
        self._queued_bytes += size
        return True

    def _take_back(self, waiter: Arrival[ToClientWebSocketMessage | None]) -> None:
        """The receiving task was cancelled: the next one gets the message that had arrived for it."""
        message = waiter.result() if waiter.done() and not waiter.cancelled() else None
        if message is not None:
            if self._queue is None:
                self._queue = deque()
            self._queue.appendleft(message)
            self._queued_bytes += len(message.data)

    def _keep_early(self, index: int, message: ToClientWebSocketMessage) -> None:
        if self._early is None:
            self._early = []
        self._queued_bytes += len(message.data)
        if len(self._early) < MAX_QUEUED_MESSAGES and self._queued_bytes <= MAX_QUEUED_BYTES:
            self._early.append((index, message))

    def _no_room(self) -> None:
        if self.delivery is not None:
            self.delivery.no_room()
        else:
            self.close_now(1013, "ws.receive_queue_full")

    # Opening

    def open(self) -> None:
        """The handler is about to run: receive the messages that came early, and then a close that did."""
        is_closed = self.state is SocketState.CLOSED
        self.state = SocketState.OPEN
        early, self._early, self._queued_bytes = self._early, None, 0
        for index, message in early or ():
            self.message_arrived(index, message)
        if is_closed and self.state is _OPEN:
            self.end(SocketState.CLOSED, self.close_code, self.close_reason)

    def open_unread(self) -> None:
        """Open it without the messages that came early, only so that it can be closed."""
        self.state = SocketState.OPEN
        self._early = None

    def answer_open(self) -> None:
        """Tell the gateway that the open is accepted, and whether the socket can hibernate."""
        self._emit(ToServerWebSocketOpen(self.hibernatable))

    def restore(self, request: Request, attachment: bytes, sent_index: int) -> None:
        """Restore the stored parts of the socket."""
        self.request, self.restored = request, True
        self._attachment, self.sent_index = attachment, sent_index

    @property
    def _is_prepared(self) -> bool:
        return self.state is SocketState.OPENING and self.delivery is not None

    def abandon(self) -> None:
        """The socket will not be opened by this generation: what a prepared one holds back is dropped."""
        if self.hold is not None:
            self.hold.end()
            self.hold = None

    # Sending

    async def send(self, message: str | bytes) -> None:
        data, binary = self.payload(message)
        if self.state is not _OPEN and not self._is_prepared:
            raise self._closed_error()
        if (room := self.post(data, binary)) is not None:
            await room

    def payload(self, message: object) -> tuple[bytes, bool]:
        """The bytes of ``message`` and whether it is binary. Raises `TypeError` and `PayloadTooLarge`."""
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

    def post(self, data: bytes, binary: bool) -> Coroutine[Any, Any, None] | None:
        """Send a payload that `payload` has checked. Call only while the state is ``OPEN``, or the socket is prepared.

        Return what must be awaited at once if the outbox is full.
        """
        index = self.sent_index
        self.sent_index = (index + 1) & 0xFFFF
        statistics = self._statistics
        statistics.messages_sent += 1
        statistics.bytes_sent += len(data)
        message = ToServerTunnelMessage(
            MessageId(self.gateway_id, self.request_id, index), ToServerWebSocketMessage(data, binary)
        )
        if self.hold is not None:
            self._hold(message, self.hold)
            return None
        return self._uplink.post(message)

    def _emit(self, kind: ToServerWebSocketOpen | ToServerWebSocketClose) -> None:
        """Send an open or a close, in order with the messages, and without waiting."""
        index = self.sent_index
        self.sent_index = (index + 1) & 0xFFFF
        message = ToServerTunnelMessage(MessageId(self.gateway_id, self.request_id, index), kind)
        if self.hold is not None:
            self._hold(message, self.hold)
        else:
            self._uplink.send_now(message)

    def send_aside(self, kind: ToServerWebSocketMessageAck | ToServerWebSocketClose) -> None:
        """Send an acknowledgement or a replay request: past any hold, and without an index of its own.

        The record that the acknowledgement follows would otherwise be wrong by one.
        """
        self._uplink.send_now(ToServerTunnelMessage(MessageId(self.gateway_id, self.request_id, self.sent_index), kind))

    # Holding back

    def hold_back(self, holds: Holds, seconds: float | None) -> None:
        """Hold back the actor's messages, until `release`, or for ``seconds`` at most."""
        if self.hold is None:
            self.hold = Hold(holds, self.release)
        self.hold.for_fetch = False
        self.hold.release_after(seconds)

    def release(self) -> None:
        """The gateway has attached the client: the messages that were held back leave, in order."""
        if self.hold is not None:
            held, self.hold = self.hold.end(), None
            for message in held:
                self._uplink.send_now(message)

    def _hold(self, message: ToServerTunnelMessage, hold: Hold) -> None:
        if not hold.add(message):
            self.close_now(1013, "ws.send_queue_full")

    # Ending

    async def close(self, code: int = 1000, reason: str = "") -> None:
        code, reason = checked_close(code, reason)
        self.close_now(code, reason)

    def close_now(self, code: int, reason: str) -> None:
        """Close towards the client and end the loop. Messages that the handler has not received are dropped."""
        if self.state is not _OPEN and not self._is_prepared:
            return
        self._emit(ToServerWebSocketClose(code, reason, False))
        self._queue = self._early = None
        self.end(SocketState.CLOSED, code, reason)

    def peer_closed(self, code: int | None, reason: str | None) -> None:
        """The client has closed or gone. The handler still receives its earlier messages."""
        if self.state in (SocketState.OPENING, SocketState.OPEN):
            self.end(SocketState.CLOSED, 1005 if code is None else code, reason or "")

    def replace(self) -> None:
        """The gateway opens it anew, as the first answer was lost. Nothing that is held back may reach the client now."""
        self.abandon()
        self.end(SocketState.CLOSED, 1006, "ws.replaced")

    def hibernate(self) -> None:
        """The actor goes to sleep: the loop ends, the client stays, and unprocessed messages come again."""
        if self.state is _OPEN:
            self._queue = None
            self.end(SocketState.HIBERNATED, None, None)

    def end(self, state: SocketState, code: int | None, reason: str | None) -> None:
        """Move to ``state``, ``CLOSED`` or ``HIBERNATED``, and wake the handler. The gateway is not told."""
        was_prepared = self._is_prepared
        self.state = state
        self.close_code, self.close_reason = code, reason
        if self.delivery is not None and not was_prepared:  # else `open` ends it once more
            self.delivery.ended(closed=state is SocketState.CLOSED)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
            self._waiter.resume_soon()

    def _closed_error(self) -> WebSocketClosed:
        if self.state is SocketState.HIBERNATED:
            return WebSocketClosed(*HIBERNATED, hibernated=True)
        return WebSocketClosed(self.close_code or 1006, self.close_reason or "")
