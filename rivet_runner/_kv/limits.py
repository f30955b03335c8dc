"""The engine's limits on keys and values, and the range of keys that belongs to the SDK.

The limits are those of the engine (2.3.19); `tests/engine/test_kv.py` shows each from both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rivet_runner.errors import KvLimitExceeded

__all__ = [
    "KEY_PACKING",
    "MAX_KEYS_IN_CALL",
    "MAX_PUT",
    "RESERVED_FROM",
    "check_keys",
    "check_put",
    "key_after",
    "prefix_end",
]

MAX_KEY: Final = 2046
"""Bytes of a key; the engine packs it into two more, and 2,048 is its limit."""

KEY_PACKING: Final = 2

MAX_VALUE: Final = 128 * 1024
MAX_KEYS_IN_CALL: Final = 128
MAX_PUT: Final = 976 * 1024
"""Bytes of all packed keys and values in one put."""

RESERVED_FROM: Final = b"\xff" * 8
"""Every key from here on is the SDK's own: those that begin with eight 0xff bytes, which is the very end of the key space.
A user's range is cut off here, so that hiding these keys costs nothing."""


def check_keys(keys: Sequence[bytes]) -> None:
    """Raises `KvLimitExceeded` for too many keys, or one that is too long."""
    if len(keys) > MAX_KEYS_IN_CALL:
        raise KvLimitExceeded(f"one call takes at most {MAX_KEYS_IN_CALL} keys, and this one has {len(keys)}")
    for key in keys:
        if len(key) > MAX_KEY:
            raise KvLimitExceeded(f"a key has at most {MAX_KEY} bytes, and {key[:40]!r}… has {len(key)}")


def check_put(pairs: Mapping[bytes, bytes]) -> None:
    """Raises `KvLimitExceeded` for a key, a value or a whole put that is over its limit."""
    check_keys([*pairs])
    total = 0
    for key, value in pairs.items():
        if len(value) > MAX_VALUE:
            raise KvLimitExceeded(
                f"a value has at most {MAX_VALUE} bytes (128 KiB), and that of {key[:40]!r} has {len(value)}"
            )
        total += len(key) + KEY_PACKING + len(value)
    if total > MAX_PUT:
        raise KvLimitExceeded(
            f"one put takes at most {MAX_PUT} bytes (976 KiB; each key counts {KEY_PACKING} more), and this one has {total}"
        )


def prefix_end(prefix: bytes) -> bytes:
    """The first key behind all that begin with ``prefix``: its last byte that can grow, grown."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else RESERVED_FROM


def key_after(key: bytes) -> bytes:
    """The next key there can be; a key of full length has no extension."""
    return key + b"\x00" if len(key) < MAX_KEY else prefix_end(key)
