"""How JavaScript's clients write what JSON and CBOR lack, and how they expect it to be written.

A bigint, bytes, a set and ``undefined`` are arrays of a name and a value: ``["$BigInt", "1"]``, ``["$Uint8Array", "AA=="]``,
``["$Set", [1]]``, ``["$Undefined", 0]``. A true array of two that begins with such a text gets another ``$`` in front of it.

A number of JavaScript is exact up to 2^53 - 1. A larger integer becomes a bigint there, a smaller one must not. In CBOR, the
form of eight bytes means bigint, so an integer of more than 32 bits travels as a float, which is exact too.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import datetime
from types import NoneType
from typing import Any, Final

import cbor2

from rivet_runner.errors import DecodeError

__all__ = ["LEAVES", "MAX_DEPTH", "for_cbor", "for_json", "native", "revived", "set_of"]

MAX_DEPTH: Final = 200
"""How deep lists, dicts and sets may lie in each other."""

LEAVES: Final = frozenset({NoneType, bool, float, str})
"""Types whose values are the same in all encodings."""

_BYTES: Final = frozenset({bytes, bytearray, memoryview})
_SAFE: Final = 2**53
_SHORT: Final = 2**32
_DIGITS: Final = re.compile(r"-?[0-9]{1,4000}")

# What an encoder may have as it is, and what a decoder may have made.
_TO_CBOR: Final = LEAVES | {bytes}
_DECODED: Final = LEAVES | {bytes, int, datetime, set}


def _is_same(value: Any, leaves: frozenset[type], limit: int) -> bool:
    """Whether ``value`` is of lists and dicts of ``leaves``, and of integers below ``limit``, without a list to escape.

    This is quicker than the walks, which copy. It is `False` for a value that is too deep too.
    """
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for container in level:
            if type(container) is list:
                items = container
                if len(items) == 2 and type(items[0]) is str and items[0].startswith("$"):
                    return False
            else:
                items = container.values()
            for item in items:
                kind = type(item)
                if kind in leaves:
                    continue
                if kind is list or kind is dict:
                    inner.append(item)
                elif kind is not int or not -limit < item < limit:
                    return False
        if not inner:
            return True
        level = inner
    return False


# ---------------------------------------------------------------- to JavaScript


def for_json(value: Any) -> Any:
    """``value`` as an encoder of JSON shall have it. It is not copied if nothing in it changes.

    Raises `TypeError` for anything but plain data, and `ValueError` for a time without a timezone, or what is too deep.
    """
    return value if _is_same(value, LEAVES, _SAFE) else _escaped(value, True, MAX_DEPTH)


def for_cbor(value: Any) -> Any:
    """``value`` as an encoder of CBOR shall have it. It is not copied if nothing changes. Raises as `for_json` does."""
    return value if _is_same(value, _TO_CBOR, _SHORT) else _escaped(value, False, MAX_DEPTH)


def _escaped(value: Any, text: bool, depth: int) -> Any:
    kind = type(value)
    if kind in LEAVES:
        return value
    if kind is int:
        return _escaped_int(value, text)
    if kind is datetime:
        return _escaped_time(value, text)
    if kind in _BYTES:
        return ["$Uint8Array", b64encode(value).decode()] if text else bytes(value)
    if depth == 0:
        raise ValueError(f"a value may be at most {MAX_DEPTH} levels deep")
    if kind is dict:
        return {key: _escaped(item, text, depth - 1) for key, item in value.items()}
    if kind is list or kind is tuple:
        items = [_escaped(item, text, depth - 1) for item in value]
        return [f"${items[0]}", items[1]] if _is_marked(items) else items
    if kind is set or kind is frozenset:
        return ["$Set", [_escaped(item, text, depth - 1) for item in value]]
    raise TypeError(f"{kind.__qualname__} is not plain data, and cannot be sent")


def _escaped_int(value: int, text: bool) -> Any:
    if -_SHORT <= value < _SHORT:
        return value
    if -_SAFE < value < _SAFE:
        return value if text else float(value)
    return ["$BigInt", str(value)] if text else value


def _escaped_time(value: datetime, text: bool) -> Any:
    if value.tzinfo is None:
        raise ValueError(f"the time {value} has no timezone, so that its receiver could not tell when it is")
    return value if text else cbor2.CBORTag(1, value.timestamp())


def _is_marked(items: list[Any]) -> bool:
    if len(items) != 2:
        return False
    first = items[0]
    return isinstance(first, str) and first.startswith("$")


# ---------------------------------------------------------------- from JavaScript


def revived(value: Any) -> Any:
    """Undo the escapes in a decoded value. Raises `DecodeError`."""
    return value if _is_same(value, _DECODED, 0) else _walk(value, _revived_list)


def native(value: Any) -> Any:
    """Take ``undefined`` out of a decoded value without escapes. Raises `DecodeError`."""
    return value if _is_same(value, _DECODED, 0) else _walk(value, _native_list)


def set_of(items: Iterable[Any]) -> set[Any] | list[Any]:
    """A set of the items, or a list of them if a set cannot hold them."""
    items = list(items)
    try:
        return set(items)
    except TypeError:
        return items


def _walk(value: Any, walk_list: Callable[[list[Any]], Any]) -> Any:
    kind = type(value)
    if kind in LEAVES:
        return value
    if kind is list:
        return walk_list(value)
    if kind is dict:
        return {_key(key): _walk(item, walk_list) for key, item in value.items()}
    if value is cbor2.undefined:
        return None
    if kind is cbor2.CBORSimpleValue:
        raise DecodeError(f"the simple value {value.value} of CBOR has no meaning")
    return value


def _key(key: Any) -> Any:
    """A key of a map: JavaScript's may be a bigint, which is an array here."""
    if type(key) is tuple:
        try:
            return _revived_list(list(key))
        except TypeError:
            raise DecodeError("a key of a map must be hashable") from None
    return None if key is cbor2.undefined else key


def _native_list(items: list[Any]) -> Any:
    return [_walk(item, _native_list) for item in items]


def _revived_list(items: list[Any]) -> Any:
    if not _is_marked(items):
        return [_walk(item, _revived_list) for item in items]
    name, value = items
    if name.startswith("$$"):
        return [name[1:], _walk(value, _revived_list)]
    revive = _REVIVE.get(name)
    if revive is None:
        raise DecodeError(f"no kind of value is called {name:.40}")
    return revive(value)


def _big_int(value: Any) -> int:
    if type(value) is not str or not _DIGITS.fullmatch(value):
        raise DecodeError("a $BigInt is not decimal digits")
    return int(value)


def _bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise DecodeError("bytes are not base64")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise DecodeError(f"bytes are not base64: {error}") from None


def _set(value: Any) -> set[Any] | list[Any]:
    if type(value) is not list:
        raise DecodeError("a $Set is not an array")
    return set_of(_walk(item, _revived_list) for item in value)


def _undefined(value: Any) -> None:
    del value


_REVIVE: Final[dict[str, Callable[[Any], Any]]] = {
    "$BigInt": _big_int,
    "$Uint8Array": _bytes,
    "$ArrayBuffer": _bytes,
    "$Set": _set,
    "$Undefined": _undefined,
}
