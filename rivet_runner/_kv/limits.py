"""Limits on keys and values, and key arithmetic.

These are the limits of the engine (2.3.19). `tests/engine/test_kv.py` tests each of them from both sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rivet_runner._kv.reserved_keys import RESERVED_FROM
from rivet_runner.errors import KvLimitExceeded

__all__ = [
    "KEY_PACKING",
    "MAX_KEYS_IN_CALL",
    "MAX_PUT",
    "MAX_VALUE",
    "check_keys",
    "check_put",
    "key_after",
    "prefix_end",
]

MAX_KEY: Final = 2046
"""Bytes of a key. The engine adds two bytes of packing, and its limit is 2,048."""

KEY_PACKING: Final = 2
"""Bytes that the engine adds to each key."""

MAX_VALUE: Final = 128 * 1024
"""Bytes of a value."""

MAX_KEYS_IN_CALL: Final = 128

MAX_PUT: Final = 976 * 1024
"""Bytes of all keys, with their packing, and all values in one put."""


def check_keys(keys: Sequence[bytes]) -> None:
    """Raise `KvLimitExceeded` if there are too many keys or a key is too long."""
    if len(keys) > MAX_KEYS_IN_CALL:
        raise KvLimitExceeded(f"a call takes at most {MAX_KEYS_IN_CALL} keys; this one has {len(keys)}")
    for key in keys:
        if len(key) > MAX_KEY:
            raise KvLimitExceeded(f"a key has at most {MAX_KEY} bytes; {key[:40]!r}… has {len(key)}")


def check_put(pairs: Mapping[bytes, bytes]) -> None:
    """Raise `KvLimitExceeded` if a key, a value or the whole put is over its limit."""
    check_keys([*pairs])
    total = 0
    for key, value in pairs.items():
        if len(value) > MAX_VALUE:
            raise KvLimitExceeded(
                f"a value has at most {MAX_VALUE} bytes (128 KiB); the value of {key[:40]!r} has {len(value)}"
            )
        total += len(key) + KEY_PACKING + len(value)
    if total > MAX_PUT:
        raise KvLimitExceeded(
            f"a put takes at most {MAX_PUT} bytes (976 KiB, with {KEY_PACKING} more for each key); this one has {total}"
        )


def prefix_end(prefix: bytes) -> bytes:
    """Return the first key after all keys that begin with ``prefix``, at most the first reserved one."""
    # Add one to the last byte that is not 0xff, and drop the bytes after it.
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else RESERVED_FROM


def key_after(key: bytes) -> bytes:
    """Return the smallest key that is greater than ``key``. A key of full length has no longer keys after it."""
    return key + b"\x00" if len(key) < MAX_KEY else prefix_end(key)
