"""What the generated protocol modules share: the rare cases of BARE, and the errors.

A generated function handles what almost every message looks like by itself (exact types, one-byte lengths)
and calls in here for the rest. Functions that return an exception leave the ``raise`` to their caller, so
that a type checker sees that the caller ends there.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from rivet_runner.errors import DecodeError

# The uints below 128, which are one byte each: nearly every length.
ONE_BYTE: Final = tuple(bytes([value]) for value in range(128))

# What struct.pack raises for a number that does not fit its field, the second for a float and f32.
PACK_ERRORS: Final = (struct.error, OverflowError)

_MAX_UINT_BYTES: Final = 10
_RANGES: Final[dict[str, tuple[int, int]]] = {
    "uint": (0, 2**64 - 1),
    "int": (-(2**63), 2**63 - 1),
    **{f"u{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"i{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
}

Key = TypeVar("Key")
Value = TypeVar("Value")
Item = TypeVar("Item")
Member = TypeVar("Member", bound=enum.IntEnum)


# ---------------------------------------------------------------- decoding


def as_bytes(buffer: bytes | bytearray | memoryview) -> bytes:
    """Copy a buffer once, so that slices of it are bytes; ``TypeError`` for anything that is not a buffer."""
    # Through memoryview, because bytes(5) is five zero bytes.
    return bytes(memoryview(buffer))


def read_long_uint(buffer: bytes, at: int, size: int, field: str) -> tuple[int, int]:
    """Read a uint whose first byte, at ``at``, says that more follow; return it and where it ends."""
    value = 0
    for count in range(_MAX_UINT_BYTES):
        if at + count >= size:
            raise DecodeError(f"{field}: the uint at offset {at} is cut off by the end of the message")
        byte = buffer[at + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if byte == 0:
                raise DecodeError(f"{field}: the uint at offset {at} is not in its shortest form")
            if value >= 2**64:
                break
            return value, at + count + 1
    raise DecodeError(f"{field}: the uint at offset {at} is 2^64 or more")


def ends_early(at: int, size: int, *layout: tuple[str, int]) -> DecodeError:
    """``layout`` is the fields expected from ``at`` on, with sizes; the first that is cut off is blamed."""
    for field, length in layout:
        if at + length > size:
            noun = "byte" if length == 1 else "bytes"
            needed = f"{length} {noun} expected at offset {at}"
            return DecodeError(f"{field}: {needed}, but the message ends at {size}")
        at += length
    raise AssertionError("every field fits")


def runs_past_end(field: str, length: int, at: int, size: int) -> DecodeError:
    return DecodeError(f"{field}: {length} bytes from offset {at} on, but the message ends at {size}")


def list_runs_past_end(field: str, count: int, least: int, at: int, size: int) -> DecodeError:
    """``least`` is the fewest bytes that one item takes."""
    items = f"{count} items of at least {least} each"
    return DecodeError(f"{field}: {items} from offset {at} on, but the message ends at {size}")


def bad_bool(field: str, value: int, at: int) -> DecodeError:
    """For the flag of an optional too, which is a bool in all but name."""
    return DecodeError(f"{field}: 0 or 1 expected at offset {at}, got {value}")


def bad_text(field: str, at: int, error: UnicodeDecodeError) -> DecodeError:
    return DecodeError(f"{field}: not UTF-8 at offset {at + error.start}: {error.reason}")


def unknown_value(field: str, kind: str, value: int, at: int) -> DecodeError:
    return DecodeError(f"{field}: {kind} has no member {value}, found at offset {at}")


def repeated_key(field: str, key: object, at: int) -> DecodeError:
    return DecodeError(f"{field}: the key {shown(key)}, which ends at offset {at}, is there twice")


def left_over(kind: str, at: int, size: int) -> DecodeError:
    return DecodeError(f"{kind}: ends at offset {at}, but there are {size} bytes")


def too_deep_to_decode(kind: str) -> DecodeError:
    return DecodeError(f"{kind}: nested too deeply")


# ---------------------------------------------------------------- encoding


def integer(value: object, field: str, kind: str) -> int:
    """Accept a subclass of int, such as an IntEnum, but no bool."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(field, kind, value)
    return int.__int__(value)


def real(value: object, field: str, kind: str) -> float:
    """Accept whatever is a number, such as an int, but no bool."""
    if isinstance(value, float):
        return float.__float__(value)
    number = integer(value, field, kind)
    try:
        return float(number)
    except OverflowError:
        raise out_of_range((field, kind, number)) from None


def boolean(value: object, field: str) -> TypeError:
    return wrong_type(field, "bool", value)


def text(value: object, field: str) -> str:
    """Accept a subclass of str, such as a StrEnum."""
    if not isinstance(value, str):
        raise wrong_type(field, "str", value)
    return str.__str__(value)


def data(value: object, field: str) -> bytes:
    """Accept what else holds bytes; copied, because a bytearray may change before it is sent."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise wrong_type(field, "bytes", value)
    return bytes(memoryview(value))


def fixed_data(value: object, length: int, field: str) -> bytes:
    copied = data(value, field)
    if len(copied) != length:
        raise wrong_length(field, "bytes", length, len(copied))
    return copied


def sequence(value: Sequence[Item], field: str) -> Sequence[Item]:
    """Accept any sequence but text and bytes, which hold no messages."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        raise wrong_type(field, "a sequence", value)
    return tuple(value)


def mapping(value: Mapping[Key, Value], field: str) -> Mapping[Key, Value]:
    """Accept any mapping; ``ValueError`` for a multi-mapping in which a key stands twice."""
    if not isinstance(value, Mapping):
        raise wrong_type(field, "a mapping", value)
    pairs: list[tuple[Any, Any]] = list(value.items())
    copied = dict(pairs)
    if len(copied) != len(pairs):
        raise ValueError(f"{field}: a key is there twice")
    return copied


def enum_value(value: object, member: type[Member], field: str) -> Member:
    """Accept the plain number of a member; a member of another enum is a mistake."""
    if type(value) is not int:
        raise wrong_type(field, member.__name__, value)
    try:
        return member(value)
    except ValueError:
        raise ValueError(f"{field}: {member.__name__} has no member {shown(value)}") from None


def long_uint(value: int) -> bytes:
    """Encode a uint of 128 or more, which the caller has checked or which is a length."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_uint(value: int, field: str) -> bytes:
    """Encode a field of type uint, once its value is known to be an int."""
    if not 0 <= value < 2**64:
        raise out_of_range((field, "uint", value))
    return long_uint(value)


def zigzag(value: int, field: str) -> int:
    """Map a field of type int to the uint that stands for it: 0, -1, 1, -2 … to 0, 1, 2, 3 …"""
    if not -(2**63) <= value < 2**63:
        raise out_of_range((field, "int", value))
    return value << 1 ^ value >> 63


def not_encodable(field: str, error: UnicodeEncodeError) -> ValueError:
    return ValueError(f"{field}: not encodable as UTF-8 at character {error.start}: {error.reason}")


def wrong_length(field: str, noun: str, length: int, found: int) -> ValueError:
    return ValueError(f"{field}: expected {length} {noun}, got {found}")


def wrong_type(field: str, expected: str, value: object) -> TypeError:
    return TypeError(f"{field}: expected {expected}, got {type(value).__name__}")


def out_of_range(*candidates: tuple[str, str, float]) -> ValueError:
    """``candidates`` are numbers packed together, each with field and type; the first outside is blamed."""
    for field, kind, value in candidates:
        if not _fits(kind, value):
            return ValueError(f"{field}: expected {kind}, got {shown(value)}")
    raise AssertionError("every number fits")


def _fits(kind: str, value: float) -> bool:
    if kind in _RANGES:
        least, most = _RANGES[kind]
        return least <= value <= most
    try:
        struct.pack("<f" if kind == "f32" else "<d", value)
    except PACK_ERRORS:
        return False
    return True


def too_deep_to_encode(kind: str) -> ValueError:
    return ValueError(f"{kind}: nested too deeply")


def shown(value: object) -> str:
    """A value for an error message, never long, and never through a ``__repr__`` that may itself fail."""
    if isinstance(value, int) and value.bit_length() > 128:
        # Python refuses to print very large integers at all.
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes) and len(value) > 40:
        return f"{value[:40]!r}..."
    if isinstance(value, int | float | str | bytes):
        return repr(value)
    return type(value).__name__
