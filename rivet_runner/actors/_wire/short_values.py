"""The shortest values in CBOR, read and written without the library.

Most calls have a few texts and small integers as arguments, and many answer with a text. The library does the same, but to
go through its machinery costs more than the values do.
"""

from __future__ import annotations

from typing import Final

__all__ = ["dump_short_text", "load_short_list"]

_SMALL: Final = 0x18
"""First bytes below it are integers of their own value. Lengths below it are part of the first byte."""
_TEXT: Final = 0x60
_TEXT_OF_ONE_BYTE: Final = 0x78
"""A text whose length is in the next byte."""
_LIST: Final = 0x80

_TEXT_HEADS: Final = [bytes([_TEXT + size]) if size < _SMALL else bytes([_TEXT_OF_ONE_BYTE, size]) for size in range(256)]


def dump_short_text(text: str) -> bytes | None:
    """Encode a text of up to 255 ASCII characters, or return `None` for another one."""
    size = len(text)
    return _TEXT_HEADS[size] + text.encode() if size < 256 and text.isascii() else None


def load_short_list(data: bytes) -> list[str | int] | None:
    """Decode a list of up to 23 texts of up to 255 bytes and integers from 0 to 23. Bytes after it are ignored.

    Returns `None` if ``data`` is anything else, or damaged.
    """
    items: list[str | int] = []
    try:
        count, at = data[0] - _LIST, 1
        if not 0 <= count < _SMALL:
            return None
        for _ in range(count):
            head = data[at]
            at += 1
            if head < _SMALL:
                items.append(head)
                continue
            size = head - _TEXT
            if head == _TEXT_OF_ONE_BYTE:
                size = data[at]
                at += 1
            elif not 0 <= size < _SMALL:
                return None
            text = data[at : at + size]
            if len(text) < size:
                return None
            items.append(text.decode())
            at += size
    except (IndexError, UnicodeDecodeError):
        return None
    return items
