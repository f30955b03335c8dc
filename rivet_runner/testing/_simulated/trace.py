"""The trace of a run: every message and decision, in order."""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from rivet_runner.protocol import v3, v7

__all__ = ["FROM_RUNNER", "TO_RUNNER", "Trace", "TraceEntry"]

KEPT: Final = 100_000
"""Entries. The oldest are dropped beyond that."""

LARGEST_FRAME: Final = 64 * 1024
"""Bytes of a message that is kept. A larger message is kept as its size."""

SHOWN: Final = 200
"""Characters of one detail in a printed line."""

FROM_RUNNER: Final = "->"
TO_RUNNER: Final = "<-"

_Raw: TypeAlias = tuple[int, str, str, str, tuple[Any, ...]]


class TraceEntry(NamedTuple):
    """One line of the trace.

    ``time`` is in milliseconds since the engine began. ``subject`` is the id of an actor or a runner.
    """

    time: int
    part: str
    subject: str
    what: str
    details: tuple[Any, ...]

    @property
    def message(self) -> v3.ToServer | v3.ToClient | v7.ToServer | v7.ToClient | None:
        """The message of the protocol, decoded, if this line is a message of at most 64 KiB. Otherwise `None`."""
        if self.part != "link" or not isinstance(self.details[0], bytes):
            return None
        frame, version = self.details
        if version == 7:
            return v7.decode_to_server(frame) if self.what == FROM_RUNNER else v7.decode_to_client(frame)
        return v3.decode_to_server(frame) if self.what == FROM_RUNNER else v3.decode_to_client(frame)

    def __str__(self) -> str:
        message = self.message
        shown = self.details if message is None else (message,)
        details = " ".join(_shown(detail) for detail in shown)
        return f"{self.time / 1000:12.3f} {self.part:<8} {self.subject:<30} {self.what} {details}".rstrip()


_entry: Final[Callable[[_Raw], TraceEntry]] = functools.partial(tuple.__new__, TraceEntry)
"""Makes an entry, a few times as fast as ``_make`` does."""


class Trace:
    """The last 100,000 entries of a run. You can print it, iterate over it, or ask for the `last` lines."""

    # Plain tuples of texts, numbers and undecoded messages, which cost the garbage collector nothing.

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._began = now()
        self._entries: deque[_Raw] = deque(maxlen=KEPT)
        self.added: int = 0
        """The number of entries so far, those that were dropped included."""

    def add(self, part: str, subject: str, what: str, *details: Any) -> None:
        """Note a decision. ``details`` are texts, numbers or `None`."""
        self.added += 1
        self._entries.append((self._now() - self._began, part, subject, what, details))

    def add_frame(self, runner_id: str, direction: str, frame: bytes, version: int) -> None:
        """Note a message of the protocol's ``version``. ``direction`` is `FROM_RUNNER` or `TO_RUNNER`."""
        kept = frame if len(frame) <= LARGEST_FRAME else f"{len(frame)} bytes"
        self.added += 1
        self._entries.append((self._now() - self._began, "link", runner_id, direction, (kept, version)))

    @property
    def time(self) -> int:
        """Milliseconds since the engine began, as in the entries."""
        return self._now() - self._began

    def clear(self) -> None:
        """Forget all entries. `added` still counts them."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[TraceEntry]:
        return iter(list(map(_entry, self._entries)))

    def __str__(self) -> str:
        return self.last(len(self))

    def since(self, added: int) -> list[TraceEntry]:
        """The entries after ``added`` was so many, as far as they are kept."""
        new = min(self.added - added, len(self._entries))
        newest = list(itertools.islice(reversed(self._entries), new))
        newest.reverse()
        return list(map(_entry, newest))

    def last(self, lines: int = 50) -> str:
        """The newest lines as text. Show them if your test fails."""
        return "\n".join(str(TraceEntry(*entry)) for entry in list(self._entries)[-lines:])


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
