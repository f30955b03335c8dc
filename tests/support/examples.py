"""How many examples of a property are tried."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

__all__ = ["examples"]

FULL: Final = 100
"""Examples of a property in a full run, if its test does not say otherwise."""


def examples(count: int) -> int:
    """``count`` in a full run. A run with the profile ``quick`` tries fewer, as of every other property."""
    return max(1, count * settings().max_examples // FULL)
