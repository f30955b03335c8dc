"""What happened, in order: every message and decision of a run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

__all__ = ["Trace", "TraceEntry"]

KEPT: Final = 100_000
"""Entries; the oldest are dropped beyond that."""

SHOWN_BYTES: Final = 48


class TraceEntry(NamedTuple):
    """One line. ``time`` is in milliseconds since the engine began; ``subject`` is the id of what it is about."""

    time: int
    part: str
    subject: str
    what: str
    details: tuple[Any, ...]

    def __str__(self) -> str:
        details = " ".join(_shown(detail) for detail in self.details)
        return f"{self.time / 1000:12.3f} {self.part:<11} {self.subject:<30} {self.what} {details}".rstrip()


class Trace:
    """The last `KEPT` entries; print it, iterate over it, or ask for the `last` lines."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._began = now()
        self._entries: deque[TraceEntry] = deque(maxlen=KEPT)

    def add(self, part: str, subject: str, what: str, *details: Any) -> None:
        self._entries.append(TraceEntry(self._now() - self._began, part, subject, what, details))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[TraceEntry]:
        return iter(self._entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self._entries))

    def last(self, lines: int = 50) -> str:
        """The newest lines as text."""
        return "\n".join(map(str, list(self._entries)[-lines:]))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 4 * SHOWN_BYTES else f"{text[: 4 * SHOWN_BYTES]}…"
