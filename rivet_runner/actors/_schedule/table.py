"""All entries of one actor in memory, in the order in which they come due."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator

from rivet_runner.actors._schedule.entry import Entry

__all__ = ["Table"]


class Table:
    """Entries by id. Those that are due at the same time keep the order in which they were put in.

    It holds thousands. The order is a sorted list, in which a change moves the pointers behind it: microseconds.
    """

    __slots__ = ("_entries", "_order", "_puts", "_size")

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Entry, int]] = {}
        self._order: list[tuple[int, int, str]] = []
        self._puts = 0
        self._size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return (self._entries[key][0] for _, _, key in self._order)

    @property
    def size(self) -> int:
        """Bytes of all arguments."""
        return self._size

    @property
    def earliest_ms(self) -> int | None:
        """When the first one is due, also if it runs already."""
        return self._order[0][0] if self._order else None

    def get(self, key: str) -> Entry | None:
        """Return the entry with this id."""
        found = self._entries.get(key)
        return None if found is None else found[0]

    def put(self, entry: Entry) -> None:
        """Add ``entry``, in place of the one with its id."""
        self.remove(entry.id)
        self._puts += 1
        self._entries[entry.id] = entry, self._puts
        insort(self._order, (entry.due_ms, self._puts, entry.id))
        self._size += len(entry.arguments)

    def remove(self, key: str) -> Entry | None:
        """Take out the entry with this id and return it, if there is one."""
        found = self._entries.pop(key, None)
        if found is None:
            return None
        entry, number = found
        del self._order[bisect_left(self._order, (entry.due_ms, number, key))]
        self._size -= len(entry.arguments)
        return entry

    def first(self, is_wanted: Callable[[str], bool]) -> Entry | None:
        """Return the first one for whose id ``is_wanted`` is true."""
        for _, _, key in self._order:
            if is_wanted(key):
                return self._entries[key][0]
        return None
