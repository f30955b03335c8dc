"""One WebSocket to the engine, on top of the ``websockets`` library.

`EngineSocket` keeps what the library is good at (proxies, TLS, the handshakes) and replaces how data moves:

* each whole message is handed to ``on_message`` synchronously, from within the read; the usual kind of frame is found
  without the library's parser (`rivet_runner._connection.frames`). The library's queue and its `recv` are not used, so there
  is no task switch and no future per message;
* a read is short, and worked off in portions, so that replies leave while more comes in (``on_read``);
* what is sent at once goes to the transport in one write (`send_frames`);
* keepalive is its own (`_keep_alive`), as the library's does not see a dead connection behind a full buffer.

There is no back-pressure on reading: one actor that is slow must not stop the reader for the others. The bounds are where
the messages wait, one for each socket and actor.
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
from websockets.protocol import OPEN, Event
from websockets.typing import Subprotocol

from rivet_runner._connection.close_reasons import NO_CLOSE_FRAME
from rivet_runner._connection.frames import FrameSplitter, binary_frames

__all__ = ["DIAL_ERRORS", "EngineSocket", "dial"]

log = logging.getLogger("rivet_runner.connection")

MAX_INBOUND_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes. The engine carries client messages of up to 32 MiB; twice that leaves room for any envelope."""

DIAL_TIMEOUT: Final = 10.0
"""Seconds for TCP, TLS and the upgrade together."""

PING_INTERVAL: Final = 6.0
SILENT_PINGS: Final = 3
"""A WebSocket ping each interval (seconds); after so many without a sign of life the connection is dropped: 24 s at most."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for the close handshake."""

WRITE_HIGH_WATER: Final = 1
"""Bytes in the transport's buffer above which nothing more is given to it. What the kernel does not take at once waits in
the outbox instead: there it is kept when the connection is lost, and there is the bound."""

SHORT_READ: Final = 4 * 1024
"""Bytes. Before the next read the tasks run that this one has started: a burst of commands or requests is worked off as it
comes, and not piled up in memory first. What has ended by then costs the garbage collector nothing."""

LONG_READ: Final = 256 * 1024
"""Bytes, while the rest of a message is awaited that is longer than a short read."""

MESSAGES_AT_ONCE: Final = 64
"""Messages of one read after which the handlers that wait for them go on: their replies leave, and the engine works on
those while the rest of the read is taken."""

END_OF_HANDSHAKE: Final = b"\r\n\r\n"

QUICK_ACKNOWLEDGEMENT: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
"""Linux only."""

DIAL_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, EOFError)
"""All that a dial may raise and that another attempt may mend; an allow-list, so that a cancellation is never retried."""


def _nothing() -> None:
    pass


class _RedactingFilter(logging.Filter):
    """Keeps the token, which travels as a subprotocol, out of the library's debug log of the handshake."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.args and "rivet_token." in str(record.args):
            record.msg, record.args = "> Sec-WebSocket-Protocol: (not shown, it carries the token)", ()
        return True


_library_log = logging.getLogger("rivet_runner.connection.websockets")
_library_log.addFilter(_RedactingFilter())


class EngineSocket(ClientConnection, asyncio.BufferedProtocol):
    """One connection. Made by `dial` alone."""

    needs_pings = True

    def __init__(self, protocol: ClientProtocol, *, on_message: Callable[[bytes], None], **options: Any) -> None:
        super().__init__(protocol, **options)
        self._on_message = on_message
        self._on_writable: Callable[[], None] | None = None
        self._on_read: Callable[[], None] = _nothing
        self._splitter: FrameSplitter | None = None
        self._fragments: list[bytes] | None = None
        self.messages_received = 0
        self._handed_over = 0
        self._short_read = memoryview(bytearray(SHORT_READ))
        self._long_read: memoryview | None = None
        self._heard = True
        self._silent_pings = 0
        self._unwritten = 0
        self._ping_timer = self.loop.call_later(PING_INTERVAL, self._keep_alive)

    @property
    def is_open(self) -> bool:
        return self.protocol.state is OPEN

    @property
    def congested(self) -> bool:
        """Whether the transport's buffer is over its high-water mark."""
        return self.paused

    def on_writable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` each time the transport's buffer has drained."""
        self._on_writable = callback

    def send_frames(self, messages: list[bytes]) -> None:
        """Send each message as one binary frame, all in one write. Call only while `is_open`."""
        self.transport.write(binary_frames(messages))

    def on_read(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when the messages of a read were handed over, or the first `MESSAGES_AT_ONCE` of them."""
        self._on_read = callback

    def acknowledge_at_once(self) -> None:
        """Have the kernel acknowledge what was received without its usual delay of 40 ms.

        To be called for what gets no reply: the engine's next small message may be waiting for that acknowledgement.
        """
        if QUICK_ACKNOWLEDGEMENT is not None:
            with contextlib.suppress(OSError):
                self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, QUICK_ACKNOWLEDGEMENT, 1)

    async def wait_ended(self) -> tuple[int, str]:
        """Wait until the connection is gone; return its close code (1006 without a close frame) and reason.

        Cancelling is safe; the connection stays.
        """
        await asyncio.shield(self.connection_lost_waiter)
        # An int, as the library has an enum of its own for some codes.
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
        """Called by uvloop, which has buffers of its own for whatever is an `asyncio.Protocol` too."""
        self._take(data)

    def _take(self, received: bytes | memoryview) -> None:
        self._heard = True
        self._handed_over = 0
        if self._splitter is None:
            self._handshake_received(bytes(received))
        else:
            self._splitter.feed(received)
        self._on_read()

    def _handshake_received(self, data: bytes) -> None:
        """The answer to the upgrade; where frames came along with it, the library goes on parsing."""
        in_handshake = self.response is None
        super().data_received(data)
        if in_handshake and self.response is not None and data.endswith(END_OF_HANDSHAKE) and self.is_open:
            # Nothing but the handshake has come, so what follows begins with a frame.
            self._splitter = FrameSplitter(self._message_received, self._frame_received, MAX_INBOUND_MESSAGE)

    def _message_received(self, message: bytes) -> None:
        """A whole binary message; the library must not have a fragmented one under way, nor a close behind it."""
        if self.protocol.state is OPEN and self._fragments is None:
            self.messages_received += 1
            self._on_message(message)
            self._handed_over += 1
            if self._handed_over == MESSAGES_AT_ONCE:
                self._handed_over = 0
                self._on_read()
        elif self._fragments is not None:
            self.protocol.fail(CloseCode.PROTOCOL_ERROR, "expected a continuation frame")
            self.send_data()

    def _frame_received(self, frame: bytes) -> None:
        """Any other frame: the library knows what to do."""
        super().data_received(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ping_timer.cancel()
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
        """Ping, and look whether anything came since the last ping.

        The library's own keepalive waits for the transport's buffer to drain, so it would never find a connection dead on
        which much is to be sent. Here a buffer that gets shorter is a sign of life too.
        """
        unwritten = self.transport.get_write_buffer_size()
        if self._heard or unwritten < self._unwritten:
            self._silent_pings = 0
        else:
            self._silent_pings += 1
        if self._silent_pings >= SILENT_PINGS:
            log.warning(
                "no sign of life from the engine for %.0f s; the connection is dropped", SILENT_PINGS * PING_INTERVAL
            )
            self.abort()
            return
        self._heard, self._unwritten = False, unwritten
        if self.is_open:
            self.protocol.send_ping(b"")
            self.send_data()
        self._ping_timer = self.loop.call_later(PING_INTERVAL, self._keep_alive)

    def _assemble(self, frame: Frame) -> None:
        """Collect a fragmented message; the library bounds its size. The protocol has no text messages."""
        if frame.opcode is Opcode.TEXT:
            log.warning("the engine sent a text frame, which the protocol does not have; it is ignored")
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
    """The library's dial, without redirects: following one would hand the token to whoever it names."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def dial(url: str, subprotocols: list[str], on_message: Callable[[bytes], None]) -> EngineSocket:
    """Open a connection; ``on_message`` is called with each message from the engine, synchronously.

    Raises one of `DIAL_ERRORS`, or ``InvalidURI``. Cancelling is safe: nothing stays open.
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
