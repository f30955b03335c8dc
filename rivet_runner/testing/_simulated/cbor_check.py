"""Whether bytes begin with a CBOR item, as the engine checks the input of an actor that a client names by a query.

The engine takes an item and ignores all bytes after it. It passes the bytes on as they came.
"""

from __future__ import annotations

from typing import Final

__all__ = ["begins_with_item"]

MAX_DEPTH: Final = 256

BREAK: Final = 0xFF
INDEFINITE: Final = 31
SIZES: Final = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of the argument that follows a head, by the head's lower five bits."""

INTEGER, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
"""The major types."""

SIMPLE_VALUES: Final = frozenset({20, 21, 22, 23, 25, 26, 27})
"""false, true, null, undefined and three sizes of floats, by the head's lower five bits. The engine knows no others."""


def begins_with_item(data: bytes) -> bool:
    """Whether ``data`` begins with an item that the engine takes."""
    try:
        _end(data, 0, 0)
    except (IndexError, ValueError):
        return False
    return True


def _end(data: bytes, at: int, depth: int) -> int:
    """The place behind the item at ``at``. Raises `IndexError` if ``data`` is too short, and `ValueError` if it is wrong."""
    if depth >= MAX_DEPTH:
        raise ValueError("nested too deeply")
    major, info = data[at] >> 5, data[at] & 0x1F
    if major == SIMPLE and info not in SIMPLE_VALUES:
        raise ValueError("an unknown simple value")
    if info == INDEFINITE:
        return _indefinite_end(data, at + 1, major, depth)
    argument, at = _argument(data, at, info)
    if major in (BYTES, TEXT):
        return _string_end(data, at, argument, major)
    for _ in range({ARRAY: argument, MAP: 2 * argument, TAG: 1}.get(major, 0)):
        at = _end(data, at, depth + 1)
    return at


def _argument(data: bytes, at: int, info: int) -> tuple[int, int]:
    """The argument of the head at ``at``, and the place behind it."""
    if info < min(SIZES):
        return info, at + 1
    if info not in SIZES:
        raise ValueError("a reserved size")
    end = at + 1 + SIZES[info]
    if end > len(data):
        raise IndexError(end)
    return int.from_bytes(data[at + 1 : end], "big"), end


def _string_end(data: bytes, at: int, length: int, major: int) -> int:
    end = at + length
    if end > len(data):
        raise IndexError(end)
    if major == TEXT:
        data[at:end].decode()
    return end


def _indefinite_end(data: bytes, at: int, major: int, depth: int) -> int:
    """The place behind the break that ends a string in pieces, an array or a map."""
    if major not in (BYTES, TEXT, ARRAY, MAP):
        raise ValueError("no length, and none of the types without one")
    items = 0
    while data[at] != BREAK:
        if major in (BYTES, TEXT) and data[at] >> 5 != major:
            raise ValueError("a piece of another type")
        at = _end(data, at, depth + 1)
        items += 1
    if major == MAP and items % 2:
        raise ValueError("a key without a value")
    return at + 1
