"""The WebSocket subprotocols that a runner offers. The token travels as one of them.

No other file knows that, and this one also finds and hides a token in foreign text. The ``websockets`` library logs the
subprotocols of a handshake. A proxy may answer with every subprotocol that it was offered, and then the library quotes them
in an error.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["has_token", "offered_subprotocols", "without_token"]

RUNNER: Final = "rivet"
"""The subprotocol that the engine selects."""

TOKEN_PREFIX: Final = "rivet_token."

_TOKEN: Final = re.compile(re.escape(TOKEN_PREFIX) + r"[!#$%&'*+.^_`|~0-9A-Za-z-]*[!#$%&*+.^_`|~0-9A-Za-z-]")
"""All characters of an RFC 7230 ``token``, except for an apostrophe at its end, which is a quotation mark."""


def offered_subprotocols(token: str | None) -> list[str]:
    """The subprotocols to offer, in order. They hold the token: do not log them."""
    return [RUNNER] if token is None else [RUNNER, TOKEN_PREFIX + token]


def has_token(text: str) -> bool:
    """Whether ``text`` quotes a token's subprotocol."""
    return TOKEN_PREFIX in text


def without_token(text: str) -> str:
    """Replace each token in ``text`` with asterisks."""
    return _TOKEN.sub(TOKEN_PREFIX + "***", text)
