"""Hibernation stores in memory, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rivet_runner.actor import Actor
from rivet_runner.errors import RecordError
from rivet_runner.hibernation import HibernationRecord

__all__ = ["MemoryHibernationStore", "MemoryHibernationStores"]


class MemoryHibernationStore:
    """A `rivet_runner.HibernationStore` for one actor. ``records`` has its records by 8-byte request key."""

    def __init__(self) -> None:
        self.records: dict[bytes, HibernationRecord | RecordError] = {}

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        return dict(self.records)

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        self.records.update({record.key: record for record in records})

    async def delete(self, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.records.pop(key, None)


class MemoryHibernationStores:
    """The stores of all actors. Pass an instance as ``hibernation_store``. The stores outlive the actors' generations."""

    def __init__(self) -> None:
        self.by_actor: dict[str, MemoryHibernationStore] = {}

    def __call__(self, actor: Actor) -> MemoryHibernationStore:
        return self.by_actor.setdefault(actor.id, MemoryHibernationStore())
