"""The WebSocket subprotocols that a runner offers. The token travels as one of them.

This file alone knows how, so a token can be found and hidden in text that others wrote: the ``websockets`` library logs the
subprotocols of a handshake, and a proxy that answers with all that it was offered puts them into the library's error.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["has_token", "offered_subprotocols", "without_token"]

RUNNER: Final = "rivet"
"""The subprotocol that the engine answers."""

TOKEN_PREFIX: Final = "rivet_token."

_TOKEN: Final = re.compile(re.escape(TOKEN_PREFIX) + r"[!#$%&'*+.^_`|~0-9A-Za-z-]*[!#$%&*+.^_`|~0-9A-Za-z-]")
"""All characters of an RFC 7230 ``token``, but an apostrophe at its end, which is a quotation mark."""


def offered_subprotocols(token: str | None) -> list[str]:
    """The subprotocols to offer, in order. They hold the token: do not log them."""
    return [RUNNER] if token is None else [RUNNER, TOKEN_PREFIX + token]


def has_token(text: str) -> bool:
    """Whether ``text`` quotes a token's subprotocol."""
    return TOKEN_PREFIX in text


def without_token(text: str) -> str:
    """``text`` with asterisks in place of each token."""
    return _TOKEN.sub(TOKEN_PREFIX + "***", text)
