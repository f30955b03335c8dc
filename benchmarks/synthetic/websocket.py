"""As much of a WebSocket server as a runner needs. The library does the rare things, and binary frames are cut out here."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask
from websockets.typing import Subprotocol

__all__ = ["FrameServer"]

FINAL_BINARY: Final = 0x82


class FrameServer(asyncio.Protocol):
    """One accepted connection. A subclass takes each binary message in `message`, synchronously.

    Frames that it appends to ``out`` leave in one write when the bytes of a read are worked off, or with `flush`.
    """

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.transport: asyncio.Transport
        self._rest = b""
        self._library = ServerProtocol(subprotocols=[Subprotocol("rivet")])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not derived from those of asyncio.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._library.state is State.CONNECTING:
            self._take_otherwise(data)
            return
        if self._rest:
            data = self._rest + data
        self._rest = data[self._take_frames(data) :]
        self.flush()

    def flush(self) -> None:
        """Write the frames in ``out``."""
        if self.out:
            self.transport.write(b"".join(self.out))
            self.out.clear()

    def message(self, body: bytes) -> None:
        """A binary message has arrived."""
        raise NotImplementedError

    def _take_frames(self, data: bytes) -> int:
        """Hand over every whole frame; return where the first incomplete one begins."""
        message, size, at = self.message, len(data), 0
        while size - at >= 6:
            length, start = data[at + 1] & 0x7F, at + 6
            if length > 125:
                wide = 2 if length == 126 else 8
                start += wide
                length = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
            end = start + length
            if start > size or end > size:
                break
            if data[at] == FINAL_BINARY:
                message(apply_mask(data[start:end], data[start - 4 : start]))
            else:
                self._take_otherwise(data[at:end])
            at = end
        return at

    def _take_otherwise(self, data: bytes) -> None:
        """Have the library answer the upgrade, a ping or a close."""
        self._library.receive_data(data)
        for event in self._library.events_received():
            if isinstance(event, Request):
                self._library.send_response(self._library.accept(event))
        self.out += self._library.data_to_send()
        self.flush()
        if self._library.close_expected():
            self.transport.close()
