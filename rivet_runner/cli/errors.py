"""Errors that end the command with one line."""

from __future__ import annotations

from typing import Final

__all__ = ["BAD_INPUT", "REFUSED", "CommandError"]

REFUSED: Final = 1
"""The exit status if the engine or an actor answered with an error."""

BAD_INPUT: Final = 2
"""The exit status if nothing was done: an argument, a module or the engine is not as the command needs it."""


class CommandError(Exception):
    """The command ends with this line and this exit status. ``details`` is printed before the line, such as a traceback."""

    def __init__(self, message: str, *, status: int = BAD_INPUT, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.details = details
