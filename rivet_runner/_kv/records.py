"""Where the records of hibernating WebSockets are kept: a small interface, and the actor's own KV behind it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from rivet_runner.errors import RecordError
from rivet_runner.hibernation import HibernationRecord, decode_record, encode_record
from rivet_runner.kv import KEY_PACKING, KV, MAX_KEYS_IN_CALL, MAX_PUT, RESERVED_FROM

__all__ = ["HibernationStore", "KvHibernationStore"]

RECORD_PREFIX: Final = RESERVED_FROM + b"ws/"
RECORD_END: Final = RESERVED_FROM + b"ws0"


class HibernationStore(Protocol):
    """Keeps the records of one actor. Made anew for each generation; what it keeps must outlive the process."""

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        """Every record, by its 8-byte request key; a `RecordError` stands for one that cannot be read."""
        ...

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        """Store records, each replacing the one with its key. They are acknowledged to the engine once this returns."""
        ...

    async def delete(self, keys: Iterable[bytes]) -> None:
        """Remove the records with these 8-byte request keys; a key without a record is no error."""
        ...


class KvHibernationStore:
    """The default: in the actor's KV, under keys that its user does not see. Many sockets go into one put."""

    def __init__(self, kv: KV) -> None:
        self._kv = kv

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        stored = await self._kv._list(RECORD_PREFIX, RECORD_END, reverse=False, limit=None)
        return {key[len(RECORD_PREFIX) :]: _read(value) for key, value in stored.items()}

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        batch: dict[bytes, bytes] = {}
        size = 0
        for record in records:
            key, value = RECORD_PREFIX + record.key, encode_record(record)
            added = len(key) + KEY_PACKING + len(value)
            if len(batch) == MAX_KEYS_IN_CALL or size + added > MAX_PUT:
                await self._kv._put(batch)
                batch, size = {}, 0
            batch[key] = value
            size += added
        await self._kv._put(batch)

    async def delete(self, keys: Iterable[bytes]) -> None:
        remaining = iter(keys)
        while batch := [RECORD_PREFIX + key for key in itertools.islice(remaining, MAX_KEYS_IN_CALL)]:
            await self._kv._delete(batch)


def _read(value: bytes) -> HibernationRecord | RecordError:
    try:
        return decode_record(value)
    except RecordError as error:
        return error
