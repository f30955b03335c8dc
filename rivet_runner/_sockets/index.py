"""Message indexes: 16 bits that wrap.

Of two indexes, the one that is up to half the circle ahead is the newer. The gateway holds at most 65,535 messages that are
not acknowledged, and this SDK far fewer, so what is compared is never further apart.
"""

from __future__ import annotations

from typing import Final

__all__ = ["INDEX_SPACE", "ahead", "next_index"]

INDEX_SPACE: Final = 2**16


def next_index(index: int) -> int:
    """The index after ``index``."""
    return (index + 1) % INDEX_SPACE


def ahead(index: int, than: int) -> int:
    """How far ``index`` is ahead of ``than``: 1 for the next one, 0 for the same, negative for an older one."""
    distance = (index - than) % INDEX_SPACE
    return distance if distance < INDEX_SPACE // 2 else distance - INDEX_SPACE
