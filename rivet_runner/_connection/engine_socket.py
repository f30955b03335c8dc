"""One WebSocket to the engine, on top of the ``websockets`` library.

The library provides proxies, TLS and the handshakes. `EngineSocket` replaces the way data moves:

* Each whole message goes to ``on_message`` synchronously, from within the read. Frames of the usual kind are found without
  the library's parser (`rivet_runner._connection.frames`). The library's queue and its `recv` are not used, so a message
  costs no task switch and no future.
* A read is short, and its messages are handled in portions, so that replies leave while more messages come in (``on_read``).
* All messages that are sent together go to the transport in one write (`send_frames`).
* Keepalive is the socket's own (`_keep_alive`), because the library's does not detect a dead connection behind a full
  buffer.

Reading has no back-pressure, because one slow actor must not stop the reader for the others. The bounds are on the queues of
messages, one for each WebSocket and actor.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CONNECTING, OPEN, Event
from websockets.typing import Subprotocol

from rivet_runner._connection.close_reasons import NO_CLOSE_FRAME
from rivet_runner._connection.frames import FrameSplitter, binary_frames
from rivet_runner._connection.subprotocols import has_token

__all__ = ["DIAL_ERRORS", "EngineSocket", "dial"]

log = logging.getLogger("rivet_runner.connection")

MAX_INBOUND_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes. The engine carries client messages of up to 32 MiB. Twice that leaves room for any envelope."""

DIAL_TIMEOUT: Final = 10.0
"""Seconds for TCP, TLS and the upgrade together."""

PING_INTERVAL: Final = 6.0
SILENT_PINGS: Final = 3
"""A WebSocket ping is sent each interval (seconds). After `SILENT_PINGS` pings without a sign of life, 24 s at most, the
connection is dropped."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for the close handshake."""

CLOSED_TIMEOUT: Final = 1.0
"""Seconds from the engine's close frame to the end of TCP. The engine closes TCP at once. If it stops instead, an evicted
runner must not go on until the keepalive finds out."""

WRITE_HIGH_WATER: Final = 1
"""Bytes in the transport's buffer above which it gets no more. Messages that the kernel does not take at once wait in the
outbox instead, which is bounded and survives a lost connection."""

SHORT_READ: Final = 4 * 1024
"""Bytes. The tasks that a read has started run before the next read. So a burst of commands or requests is handled as it
comes, instead of piling up in memory first. Tasks that have ended by then cost the garbage collector nothing."""

LONG_READ: Final = 256 * 1024
"""Bytes, while the rest of a message is missing that is longer than a short read."""

MESSAGES_AT_ONCE: Final = 64
"""Messages of one read after which the waiting handlers are resumed. Their replies leave, and the engine works on them
while the rest of the read is handled."""

END_OF_HANDSHAKE: Final = b"\r\n\r\n"

QUICK_ACKNOWLEDGEMENT: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""The socket option, which only Linux has."""

DIAL_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, EOFError)
"""Errors of a dial that a retry may mend. It is an allow-list, so that a cancellation is never retried."""


def _nothing() -> None:
    pass


class _RedactingFilter(logging.Filter):
    """Keeps the token, which travels as a subprotocol, out of the library's debug log of the handshake."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.args and has_token(str(record.args)):
            record.msg, record.args = "> Sec-WebSocket-Protocol: (hidden, because it carries the token)", ()
        return True


_library_log = logging.getLogger("rivet_runner.connection.websockets")
_library_log.addFilter(_RedactingFilter())


class EngineSocket(ClientConnection, asyncio.BufferedProtocol):
    """One connection. Only `dial` makes it."""

    needs_pings = True

    def __init__(self, protocol: ClientProtocol, *, on_message: Callable[[bytes], None], **options: Any) -> None:
        super().__init__(protocol, **options)
        self._on_message = on_message
        self._on_writable: Callable[[], None] | None = None
        self._on_read: Callable[[], None] = _nothing
        self._splitter: FrameSplitter | None = None
        self._fragments: list[bytes] | None = None
        self.messages_received: int = 0
        self._pause_at = MESSAGES_AT_ONCE
        self._short_read = memoryview(bytearray(SHORT_READ))
        self._long_read: memoryview | None = None
        self._heard = True
        self._silent_pings = 0
        self._unwritten = 0
        self._ping_timer: asyncio.TimerHandle | None = None
        self._closed_timer: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether frames may be sent."""
        return self.protocol.state is OPEN

    @property
    def congested(self) -> bool:
        """Whether the transport's buffer is over its high-water mark."""
        return self.paused

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` each time the transport's buffer has drained."""
        self._on_writable = callback

    def send_frames(self, messages: list[bytes]) -> None:
        """Send each message as one binary frame, all in one write. Call this only while `is_open`."""
        self.transport.write(binary_frames(messages))

    def on_read(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each `MESSAGES_AT_ONCE` messages of a read, and at its end."""
        self._on_read = callback

    def acknowledge_at_once(self) -> None:
        """Have the kernel acknowledge the received bytes without its usual delay of 40 ms.

        Call this for a message that gets no reply. The engine's next small message may be waiting for the acknowledgement.
        """
        if QUICK_ACKNOWLEDGEMENT is not None:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, QUICK_ACKNOWLEDGEMENT, 1)

    async def wait_ended(self) -> tuple[int, str]:
        """Wait until the connection is gone. Return its close code (1006 without a close frame) and reason.

        Cancelling is safe. It does not close the connection.
        """
        await asyncio.shield(self.connection_lost_waiter)
        # The library has an enum of its own for some codes.
        return int(self.close_code or NO_CLOSE_FRAME), self.close_reason or ""

    def abort(self) -> None:
        """Drop the TCP connection at once, without a close frame."""
        self.transport.abort()

    # Called by the transport and the library

    def get_buffer(self, sizehint: int) -> memoryview:
        if self._splitter is None or self._splitter.missing <= SHORT_READ:
            return self._short_read
        if self._long_read is None:
            self._long_read = memoryview(bytearray(LONG_READ))
        return self._long_read

    def buffer_updated(self, nbytes: int) -> None:
        self._take(self.get_buffer(-1)[:nbytes])

    def data_received(self, data: bytes) -> None:
        """Called by uvloop, which uses its own buffers for a class that is an `asyncio.Protocol` too."""
        self._take(data)

    def _take(self, received: bytes | memoryview) -> None:
        self._heard = True
        self._pause_at = self.messages_received + MESSAGES_AT_ONCE
        if self._splitter is None:
            self._handshake_received(bytes(received))
        else:
            self._splitter.feed(received)
        self._on_read()

    def _handshake_received(self, data: bytes) -> None:
        """Take in the answer to the upgrade. If frames came along with it, the library goes on parsing."""
        in_handshake = self.response is None
        super().data_received(data)
        if in_handshake and self.response is not None and data.endswith(END_OF_HANDSHAKE) and self.is_open:
            # Only the handshake has come, so the next bytes begin with a frame.
            self._splitter = FrameSplitter(self._message_received, self._frame_received, MAX_INBOUND_MESSAGE)

    def _message_received(self, message: bytes) -> None:
        """Hand over a whole binary message, unless the library has seen a close or has a fragmented message under way."""
        if self.protocol.state is OPEN and self._fragments is None:
            self.messages_received += 1
            self._on_message(message)
            if self.messages_received == self._pause_at:
                self._pause_at += MESSAGES_AT_ONCE
                self._on_read()
        elif self._fragments is not None:
            self.protocol.fail(CloseCode.PROTOCOL_ERROR, "expected a continuation frame")
            self.send_data()

    def _frame_received(self, frame: bytes) -> None:
        """Leave any other frame to the library."""
        super().data_received(frame)
        if self.protocol.close_rcvd is not None and self._closed_timer is None:
            self._closed_timer = self.loop.call_later(CLOSED_TIMEOUT, self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not before: with TLS, a transport comes once that handshake is over, which an engine may leave unanswered.
        super().connection_made(transport)
        self._ping_timer = self.loop.call_later(PING_INTERVAL, self._keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._ping_timer, self._closed_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def process_event(self, event: Event) -> None:
        if self.response is not None and isinstance(event, Frame):
            opcode = event.opcode
            if opcode is Opcode.BINARY and event.fin:
                self.messages_received += 1
                self._on_message(event.data)  # type: ignore[arg-type]
                return
            if opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
                self._assemble(event)
                return
        super().process_event(event)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._on_writable is not None:
            self._on_writable()

    def _keep_alive(self) -> None:
        """Ping, and check for a sign of life since the last ping.

        The library's own keepalive waits for the transport's buffer to drain, so it never detects a dead connection behind a
        full buffer. Here a buffer that gets shorter is a sign of life too. The opening handshake has its own time limit.
        """
        unwritten = self.transport.get_write_buffer_size()
        if self._heard or unwritten < self._unwritten or self.protocol.state is CONNECTING:
            self._silent_pings = 0
        else:
            self._silent_pings += 1
        if self._silent_pings >= SILENT_PINGS:
            log.warning("no sign of life from the engine for %.0f s: dropping the connection", SILENT_PINGS * PING_INTERVAL)
            self.abort()
            return
        self._heard, self._unwritten = False, unwritten
        if self.is_open:
            self.protocol.send_ping(b"")
            self.send_data()
        self._ping_timer = self.loop.call_later(PING_INTERVAL, self._keep_alive)

    def _assemble(self, frame: Frame) -> None:
        """Collect a fragmented message. The library bounds its size. The protocol has no text messages."""
        if frame.opcode is Opcode.TEXT:
            log.warning("ignored a text frame from the engine: the protocol has only binary frames")
            self._fragments = None
            return
        if frame.opcode is Opcode.BINARY:
            self._fragments = [bytes(frame.data)]
            return
        if self._fragments is None:
            return  # the rest of a text message
        self._fragments.append(bytes(frame.data))
        if frame.fin:
            message, self._fragments = b"".join(self._fragments), None
            self._on_message(message)


class _Connect(connect):
    """The library's dial, without redirects: a redirect would send the token to another host."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(url: str, subprotocols: list[str], on_message: Callable[[bytes], None]) -> EngineSocket:
    """Open a connection. It calls ``on_message`` synchronously with each message from the engine.

    Raises one of `DIAL_ERRORS`, or ``InvalidURI``. Cancelling is safe: no connection stays open.
    """
    connection = await _Connect(
        url,
        subprotocols=[Subprotocol(name) for name in subprotocols],
        compression=None,
        max_size=MAX_INBOUND_MESSAGE,
        open_timeout=DIAL_TIMEOUT,
        ping_interval=None,
        close_timeout=CLOSE_TIMEOUT,
        write_limit=WRITE_HIGH_WATER,
        logger=_library_log,
        create_connection=functools.partial(EngineSocket, on_message=on_message),  # type: ignore[arg-type]
    )
    assert isinstance(connection, EngineSocket)
    return connection
