"""Keys of actors: several parts for clients, one text for the engine.

The engine has the parts joined by ``/``. A backslash escapes a separator or a backslash inside a part, and ``\\0`` is an
empty part. No parts at all are ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["join_key", "split_key"]

NO_PARTS: Final = "/"
EMPTY_PART: Final = r"\0"

_TO_ESCAPE: Final = re.compile(r"[\\/]")
_PIECE: Final = re.compile(r"\\(?P<escaped>.)|(?P<separator>/)|(?P<plain>[^\\/]+)|(?P<stray>\\)", re.DOTALL)


def join_key(parts: Sequence[str]) -> str:
    """Return the engine's text of a key. Raises `TypeError` for a part that is no text."""
    for part in parts:
        if not isinstance(part, str):
            raise TypeError(f"the parts of a key must be str, not {type(part).__name__}: write str({part!r})")
    return "/".join(_TO_ESCAPE.sub(r"\\\g<0>", part) or EMPTY_PART for part in parts) if parts else NO_PARTS


def split_key(text: str | None) -> tuple[str, ...]:
    """Return the parts of the engine's text, or no parts for an actor without a key. It accepts any text."""
    if not text or text == NO_PARTS:
        return ()
    parts = [""]
    for piece in _PIECE.finditer(text):
        if piece["separator"]:
            parts.append("")
        elif piece["escaped"] != "0":
            parts[-1] += piece["escaped"] or piece["plain"] or "\\"
    return tuple(parts)
