"""`ConversionError`: a value does not fit."""

from __future__ import annotations

from typing import Any

from rivet_runner.errors import RivetRunnerError

__all__ = ["ConversionError"]


class ConversionError(RivetRunnerError):
    """A value does not fit its annotation.

    ``path`` is the place, such as ``options.items[0].size``, and empty for the value itself.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message

    def below(self, parent: str) -> ConversionError:
        """The same error, with ``parent`` before its path."""
        joint = "." if self.path and parent and not self.path.startswith("[") else ""
        return ConversionError(f"{parent}{joint}{self.path}", self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.message)
