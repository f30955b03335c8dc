"""Which close codes and reasons may be sent to a client.

The gateway forwards a close as it is, and a client that receives a code or a reason outside RFC 6455 fails the connection
with 1002 or 1006 instead of showing it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["checked_close"]

VALID_CODES: Final = (range(1000, 1004), range(1007, 1015), range(3000, 5000))

MAX_REASON: Final = 123
"""Bytes: a control frame has 125, and the code takes two."""


def checked_close(code: object, reason: object) -> tuple[int, str]:
    """Return ``code``, and ``reason`` cut to its length.

    Raises `ValueError` for a code that a client would not accept and `TypeError` for other types.
    """
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"a close code must be a number, not {type(code).__name__}")
    if not isinstance(reason, str):
        raise TypeError(f"a close reason must be text, not {type(reason).__name__}")
    if not any(code in valid for valid in VALID_CODES):
        raise ValueError(f"{code} cannot be sent as a close code: take 1000-1003, 1007-1014 or, of your own, 3000-4999")
    encoded = reason.encode("utf-8", "replace")
    return code, encoded[:MAX_REASON].decode("utf-8", "ignore")
