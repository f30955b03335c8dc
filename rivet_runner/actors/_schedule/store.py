"""The entries of one actor in its store: one value for each."""

from __future__ import annotations

from typing import Final

from rivet_runner.actor import ActorLog
from rivet_runner.actors._schedule.entry import Entry, decode_entry, encode_entry
from rivet_runner.errors import RecordError
from rivet_runner.kv import KV

__all__ = ["EntryStore"]

PREFIX: Final = b"entry/"


class EntryStore:
    """Methods raise `KvError`."""

    __slots__ = ("_kv", "_log")

    def __init__(self, kv: KV, log: ActorLog) -> None:
        self._kv = kv
        self._log = log

    async def load(self) -> list[Entry]:
        """Return all entries. One that cannot be read is logged and stays stored, for a version that can."""
        found = []
        for key, value in (await self._kv.list(PREFIX)).items():
            name = key[len(PREFIX) :].decode(errors="replace")
            try:
                found.append(decode_entry(name, value))
            except RecordError as error:
                self._log.error("the stored schedule %r cannot be read, so it does not run: %s", name, error)
        return found

    async def put(self, entry: Entry) -> None:
        """Store ``entry``, in place of the one with its id."""
        await self._kv.put(PREFIX + entry.id.encode(), encode_entry(entry))

    async def remove(self, key: str) -> None:
        """Remove the entry with this id."""
        await self._kv.delete(PREFIX + key.encode())
