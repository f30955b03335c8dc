"""The rare cases of BARE and the errors, which all generated protocol modules share.

Generated functions handle the common cases by themselves: exact types and one-byte lengths. They call this module for
the rest. Some functions return an exception and leave the ``raise`` to their caller, so that a type checker sees that
the caller ends there.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from rivet_runner.errors import DecodeError

# The uints below 128, which have one byte. Nearly all lengths are among them.
ONE_BYTE: Final = tuple(bytes([value]) for value in range(128))

# The errors of struct.pack if a number does not fit its field. The second is for a float and f32.
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
    """Copy a buffer once, so that its slices are bytes. Raises `TypeError` if it is not a buffer."""
    # memoryview rejects an int, for which bytes(5) would be five zero bytes.
    return bytes(memoryview(buffer))


def read_long_uint(buffer: bytes, at: int, size: int, field: str) -> tuple[int, int]:
    """Read a uint of several bytes from offset ``at``. Return it and the offset of its end."""
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
    """Name the first field that is cut off. ``layout`` has the fields from offset ``at`` on, with their sizes."""
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
    """``least`` is the minimum size of an item in bytes."""
    items = f"{count} items of at least {least} each"
    return DecodeError(f"{field}: {items} from offset {at} on, but the message ends at {size}")


def bad_bool(field: str, value: int, at: int) -> DecodeError:
    """Also for the flag of an optional, which has the same form."""
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
    """Accept a subclass of int, such as an IntEnum, but not bool."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type(field, kind, value)
    return int.__int__(value)


def real(value: object, field: str, kind: str) -> float:
    """Accept any number, such as an int, but not bool."""
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
    """Accept other bytes-like objects, as a copy, because a bytearray may change before it is sent."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise wrong_type(field, "bytes", value)
    return bytes(memoryview(value))


def fixed_data(value: object, length: int, field: str) -> bytes:
    copied = data(value, field)
    if len(copied) != length:
        raise wrong_length(field, "bytes", length, len(copied))
    return copied


def sequence(value: Sequence[Item], field: str) -> Sequence[Item]:
    """Accept any sequence except for text and bytes."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes | bytearray | memoryview):
        raise wrong_type(field, "a sequence", value)
    return tuple(value)


def mapping(value: Mapping[Key, Value], field: str) -> Mapping[Key, Value]:
    """Accept any mapping. Raises `ValueError` if a multi-mapping has a key twice."""
    if not isinstance(value, Mapping):
        raise wrong_type(field, "a mapping", value)
    pairs: list[tuple[Any, Any]] = list(value.items())
    copied = dict(pairs)
    if len(copied) != len(pairs):
        raise ValueError(f"{field}: a key is there twice")
    return copied


def enum_value(value: object, member: type[Member], field: str) -> Member:
    """Accept the plain number of a member, but not a member of another enum."""
    if type(value) is not int:
        raise wrong_type(field, member.__name__, value)
    try:
        return member(value)
    except ValueError:
        raise ValueError(f"{field}: {member.__name__} has no member {shown(value)}") from None


def long_uint(value: int) -> bytes:
    """Encode a uint of 128 or more. Its range was checked by the caller, or it is a length."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def write_uint(value: int, field: str) -> bytes:
    """Encode a field of type uint. The value is known to be an int."""
    if not 0 <= value < 2**64:
        raise out_of_range((field, "uint", value))
    return long_uint(value)


def zigzag(value: int, field: str) -> int:
    """Map an int to its uint on the wire: 0, -1, 1, -2 … to 0, 1, 2, 3 …"""
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
    """Name the first number outside its range. ``candidates`` were packed together and have field, type and value."""
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
    """Return a short text of a value for an error message, without calling a ``__repr__`` that may fail."""
    if isinstance(value, int) and value.bit_length() > 128:
        # Python refuses to print very large integers.
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, str | bytes) and len(value) > 40:
        return f"{value[:40]!r}..."
    if isinstance(value, int | float | str | bytes):
        return repr(value)
    return type(value).__name__
