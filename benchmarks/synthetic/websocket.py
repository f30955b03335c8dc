"""As much of a WebSocket server (RFC 6455) as a runner needs: the upgrade, whole frames, ping and close."""

from __future__ import annotations

import asyncio
import re
import struct
from typing import Final, cast

from websockets.speedups import apply_mask
from websockets.utils import accept_key

__all__ = ["FrameServer", "frame"]

FINAL_BINARY: Final = 0x82
FINAL_CLOSE: Final = 0x88
FINAL_PING: Final = 0x89
FINAL_PONG: Final = 0x8A

_KEY = re.compile(rb"\r\nsec-websocket-key: *([^\r\n ]+)", re.IGNORECASE)


def frame(payload: bytes, kind: int = FINAL_BINARY) -> bytes:
    """One whole frame, not masked because it comes from a server."""
    size = len(payload)
    if size < 126:
        return bytes((kind, size)) + payload
    if size < 2**16:
        return struct.pack(">BBH", kind, 126, size) + payload
    return struct.pack(">BBQ", kind, 127, size) + payload


class FrameServer(asyncio.Protocol):
    """One accepted connection. A subclass takes each binary message in `message`, synchronously.

    Frames that it appends to ``out`` leave in one write when the bytes of a read are worked off, or with `flush`.
    """

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.transport: asyncio.Transport
        self._rest = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not derived from those of asyncio.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0 if self._upgraded else self._upgrade(data)
        self._rest = data[self._take_frames(data, at) :] if self._upgraded else data
        self.flush()

    def flush(self) -> None:
        """Write the frames in ``out``."""
        if self.out:
            self.transport.write(b"".join(self.out))
            self.out.clear()

    def message(self, body: bytes) -> None:
        """A binary message has arrived."""
        raise NotImplementedError

    def _take_frames(self, data: bytes, at: int) -> int:
        """Hand over every whole frame; return where the first incomplete one begins."""
        message, size = self.message, len(data)
        while size - at >= 6:
            length, start = data[at + 1] & 0x7F, at + 6
            if length > 125:
                wide = 2 if length == 126 else 8
                start += wide
                length = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
            end = start + length
            if start > size or end > size:
                break
            body = apply_mask(data[start:end], data[start - 4 : start])
            if data[at] == FINAL_BINARY:
                message(body)
            else:
                self._control(data[at], body)
            at = end
        return at

    def _control(self, kind: int, body: bytes) -> None:
        if kind == FINAL_PING:
            self.out.append(frame(body, FINAL_PONG))
        elif kind == FINAL_CLOSE:
            self.out.append(frame(body, FINAL_CLOSE))
            self.flush()
            self.transport.close()
        elif kind != FINAL_PONG:
            raise ValueError(f"a frame that no runner sends: {kind:#x}")

    def _upgrade(self, data: bytes) -> int:
        """Answer the upgrade once it is complete; return how many bytes it had."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        key = _KEY.search(data, 0, end)
        if key is None:
            raise ValueError("a connection that is no WebSocket upgrade")
        self.out.append(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: rivet\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key[1].decode()).encode() + b"\r\n\r\n"
        )
        self._upgraded = True
        return end + 4
