"""Records of hibernating WebSockets in the actor's own store."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from rivet_runner._kv.limits import KEY_PACKING, MAX_KEYS_IN_CALL, MAX_PUT
from rivet_runner._kv.reserved_keys import RECORDS_END, RECORDS_FROM
from rivet_runner._kv.store import KvStore
from rivet_runner.errors import RecordError
from rivet_runner.hibernation import HibernationRecord, decode_record, encode_record

__all__ = ["KvHibernationStore"]


class KvHibernationStore:
    """The default `HibernationStore`: reserved keys in the actor's KV. A put holds as many records as the engine takes."""

    def __init__(self, store: KvStore) -> None:
        self._store = store

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        stored = await self._store.list(RECORDS_FROM, RECORDS_END)
        return {key[len(RECORDS_FROM) :]: _read(value) for key, value in stored.items()}

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        batch: dict[bytes, bytes] = {}
        size = 0
        for record in records:
            key, value = RECORDS_FROM + record.key, encode_record(record)
            added = len(key) + KEY_PACKING + len(value)
            if len(batch) == MAX_KEYS_IN_CALL or size + added > MAX_PUT:
                await self._store.put(batch)
                batch, size = {}, 0
            batch[key] = value
            size += added
        await self._store.put(batch)

    async def delete(self, keys: Iterable[bytes]) -> None:
        remaining = iter(keys)
        while batch := [RECORDS_FROM + key for key in itertools.islice(remaining, MAX_KEYS_IN_CALL)]:
            await self._store.delete(batch)


def _read(value: bytes) -> HibernationRecord | RecordError:
    try:
        return decode_record(value)
    except RecordError as error:
        return error
