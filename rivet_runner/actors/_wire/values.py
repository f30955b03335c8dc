"""Plain data in JSON and in CBOR.

What comes in is walked through only if its bytes show that something in it may have to change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

import cbor2
import msgspec

from rivet_runner.actors._wire.conventions import LEAVES, MAX_DEPTH, for_cbor, for_json, native, revived, set_of
from rivet_runner.actors._wire.short_values import dump_short_text, load_short_list
from rivet_runner.errors import DecodeError

__all__ = [
    "dump_cbor",
    "dump_json",
    "dump_native_cbor",
    "dump_raw_json",
    "load_cbor",
    "load_json",
    "load_native_cbor",
    "load_raw_json",
]

_encode_json: Final = msgspec.json.Encoder().encode
_decode_json: Final = msgspec.json.Decoder().decode

_UNUSUAL: Final = bytes([*range(0xE0, 0xF4), 0xF7, 0xF8])
"""In CBOR: what ``undefined`` or a simple value without a meaning cannot do without."""

_DOLLAR: Final = ord("$")
"""Every escape in CBOR has it. A search for bytes of one byte takes longer than one for the byte."""

_TAG: Final = b"\xc0"
"""In CBOR: a first byte below it begins an integer, bytes, a text, a list or a map. Only the last two can hold others."""


# ---------------------------------------------------------------- JSON


def dump_json(value: Any) -> bytes:
    """Encode plain data. Raises `TypeError` for other values, and `ValueError` for one that is too deep."""
    return _encode_json(value if type(value) in LEAVES else for_json(value))


def dump_raw_json(value: Any) -> bytes:
    """Encode what JSON can hold, and escape nothing. Raises `TypeError` for the rest."""
    return _encode_json(value)


def load_json(data: bytes | str) -> Any:
    """Decode plain data. Raises `DecodeError`."""
    value = load_raw_json(data)
    return revived(value) if may_have_escapes(data) else value


def may_have_escapes(data: bytes | str) -> bool:
    """Whether a text in JSON may begin with ``$``, which may be written as an escape of JSON itself."""
    if isinstance(data, str):
        return '"$' in data or "\\u0024" in data
    return b'"$' in data or b"\\u0024" in data


def load_raw_json(data: bytes | str) -> Any:
    """Decode JSON, and leave escapes as they are. Raises `DecodeError`."""
    try:
        value = _decode_json(data)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"this is not JSON: {error}") from None
    brackets = data.count("[") + data.count("{") if isinstance(data, str) else data.count(b"[") + data.count(b"{")
    if brackets > MAX_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (list, dict)
        ]
        if not level:
            return
    raise DecodeError(f"a value may be at most {MAX_DEPTH} levels deep")


# ---------------------------------------------------------------- CBOR


def dump_cbor(value: Any) -> bytes:
    """Encode plain data. Raises `TypeError` for other values, and `ValueError` for one that is too deep."""
    short = dump_short_text(value) if type(value) is str else None
    if short is not None:
        return short
    # The walk is for the depth too: the encoder has no bound, and ends the process if its stack does. It leaves no datetime.
    try:
        return cbor2.dumps(value if type(value) in LEAVES else for_cbor(value))
    except cbor2.CBOREncodeError as error:
        raise TypeError(f"this cannot be sent: {error}") from None


def dump_native_cbor(value: Any) -> bytes:
    """Encode plain data without escapes. Raises as `dump_cbor` does."""
    for_cbor(value)
    try:
        return cbor2.dumps(value, datetime_as_timestamp=True)
    except cbor2.CBOREncodeError as error:
        raise TypeError(f"this cannot be sent: {error}") from None


def load_cbor(data: bytes) -> Any:
    """Decode one value. Raises `DecodeError`. Bytes after it are ignored."""
    value = load_native_cbor(data)
    return revived(value) if _DOLLAR in data else value


def load_native_cbor(data: bytes) -> Any:
    """Decode one value, and leave escapes as they are. Raises `DecodeError`. Bytes after it are ignored."""
    short = load_short_list(data)
    if short is not None:
        return short
    try:
        # In most others, nothing has to be refused or changed either.
        if data[1:].isascii() and data[:1] < _TAG:
            return cbor2.loads(data)
        value = cbor2.loads(data, semantic_decoders=_TAGS, tag_hook=_unknown_tag, max_depth=MAX_DEPTH)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DecodeError(f"this is not CBOR: {error.__cause__ or error}") from None
    return value if len(data.translate(None, _UNUSUAL)) == len(data) else native(value)


def _unknown_tag(tag: cbor2.CBORTag, _immutable: bool) -> Any:
    raise DecodeError(f"no kind of value has the tag {tag.tag}")


def _refused(tag: int) -> Callable[[Any, bool], Any]:
    def refuse(_value: Any, _immutable: bool) -> Any:
        raise DecodeError(f"no kind of value has the tag {tag}")

    return refuse


def _same(value: Any, _immutable: bool) -> Any:
    return value


def _set_value(value: Any, _immutable: bool) -> Any:
    if not isinstance(value, list | tuple):
        raise DecodeError("a set is not an array")
    return set_of(value)


def _numbers(format_: str) -> Callable[[Any, bool], Any]:
    """The decoder of an array of numbers of one size, little-endian."""
    size = struct.calcsize(format_)

    def numbers(value: Any, immutable: bool) -> Any:
        if type(value) is not bytes or len(value) % size:
            raise DecodeError("an array of numbers has an odd size")
        items = struct.unpack(f"<{len(value) // size}{format_}", value)
        return items if immutable else list(items)

    return numbers


def _bytes_value(value: Any, _immutable: bool) -> Any:
    if type(value) is not bytes:
        raise DecodeError("an array of bytes is not bytes")
    return value


# Tags 0 to 3, for times and integers, stay. The rest of what the library knows may build what is no plain data, or much of
# it from few bytes.
_TAGS: Final[dict[int, Callable[[Any, bool], Any]]] = {
    **{tag: _refused(tag) for tag in (4, 5, 25, 28, 29, 30, 35, 36, 37, 43, 52, 54, 100, 256, 260, 261, 1004, 43000)},
    64: _bytes_value,
    68: _bytes_value,
    **{tag: _numbers(format_) for tag, format_ in {69: "H", 70: "I", 71: "Q", 72: "b", 77: "h", 78: "i", 79: "q"}.items()},
    85: _numbers("f"),
    86: _numbers("d"),
    258: _set_value,
    259: _same,
    55799: _same,
}
