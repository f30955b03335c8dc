"""WebSocket frames as the engine link needs them: whole binary messages, many at once.

Nearly every frame on the link is of one kind: binary, final, in one piece. `FrameSplitter` finds these in the received bytes
and hands out their payloads. It hands out every other frame (ping, close, fragment, malformed) as it is, for the
``websockets`` library. `binary_frames` writes frames of the same kind. Both do the same as the library, without an object
and a generator step for each frame, which are about half of the cost of a message.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Final

try:
    from websockets.speedups import apply_mask
except ImportError:  # the library was installed without its C extension
    from websockets.utils import apply_mask

__all__ = ["FrameSplitter", "binary_frames"]

FINAL_BINARY: Final = 0x82
MASKED: Final = 0x80
LENGTH_OF_16_BITS: Final = 126
LENGTH_OF_64_BITS: Final = 127

_SHORT: Final = struct.Struct("!BB")
_MEDIUM: Final = struct.Struct("!BBH")
_LONG: Final = struct.Struct("!BBQ")
_LENGTH_16: Final = struct.Struct("!H")
_LENGTH_64: Final = struct.Struct("!Q")


class FrameSplitter:
    """Splits a byte stream from a server into frames.

    ``on_message`` gets the payload of each final binary frame. ``on_other`` gets the bytes of every other frame. A frame of
    more than ``max_size`` bytes goes to ``on_other`` incomplete, because the library refuses it by its header.
    """

    __slots__ = ("_max_size", "_on_message", "_on_other", "_rest", "missing")

    def __init__(self, on_message: Callable[[bytes], None], on_other: Callable[[bytes], None], max_size: int) -> None:
        self._on_message = on_message
        self._on_other = on_other
        self._max_size = max_size
        self._rest = bytearray()
        self.missing = 0
        """Minimum number of bytes until the current frame is complete, or 0 between frames."""

    def feed(self, received: bytes | memoryview) -> None:
        """Take in the next bytes of the stream. They are copied, so you may reuse their buffer."""
        rest = self._rest
        if rest:
            rest += received
            if len(received) < self.missing:
                self.missing -= len(received)
                return
            data = bytes(rest)
            rest.clear()
            self.missing = 0
        else:
            data = bytes(received)
        position, end = 0, len(data)
        while end - position >= 2:
            length = data[position + 1]
            start = position + 2
            if length >= LENGTH_OF_16_BITS:
                wide = self._long_length(data, position, length)
                if wide is None:
                    break
                length, start = wide
            stop = start + length
            if stop > end and length <= self._max_size:
                break
            if data[position] == FINAL_BINARY and stop <= end:
                self._on_message(data[start:stop])
            else:
                self._on_other(data[position:stop])
            position = stop
        if position < end:
            self._keep(data, position)

    def _long_length(self, data: bytes, position: int, marker: int) -> tuple[int, int] | None:
        """The length and position of the payload, or ``None`` if the header is incomplete."""
        room = len(data) - position
        if marker == LENGTH_OF_16_BITS:
            return (_LENGTH_16.unpack_from(data, position + 2)[0], position + 4) if room >= 4 else None
        if marker == LENGTH_OF_64_BITS:
            return (_LENGTH_64.unpack_from(data, position + 2)[0], position + 10) if room >= 10 else None
        return marker, position + 2  # masked, which a server must not do; the library reports it

    def _keep(self, data: bytes, position: int) -> None:
        """Keep the beginning of a frame, and compute how much of it is missing."""
        self._rest += data[position:]
        kept = len(data) - position
        self.missing = 1
        if kept >= 2:
            length, header = data[position + 1], 2
            if length >= LENGTH_OF_16_BITS and (wide := self._long_length(data, position, length)) is not None:
                length, header = wide[0], wide[1] - position
            self.missing = max(1, header + length - kept)


def binary_frames(messages: list[bytes]) -> bytes:
    """Each message as one masked, final binary frame of a client, all in one piece of bytes."""
    masks = os.urandom(4 * len(messages))
    parts: list[bytes] = []
    for number, message in enumerate(messages):
        size = len(message)
        if size < LENGTH_OF_16_BITS:
            parts.append(_SHORT.pack(FINAL_BINARY, MASKED | size))
        elif size < 1 << 16:
            parts.append(_MEDIUM.pack(FINAL_BINARY, MASKED | LENGTH_OF_16_BITS, size))
        else:
            parts.append(_LONG.pack(FINAL_BINARY, MASKED | LENGTH_OF_64_BITS, size))
        mask = masks[4 * number : 4 * number + 4]
        parts.append(mask)
        parts.append(apply_mask(message, mask))
    return b"".join(parts)
