"""The stores in memory fulfil the contract of `HibernationStore` and outlive a generation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rivet_runner import HibernationRecord, HibernationStore
from rivet_runner.testing import MemoryHibernationStore, MemoryHibernationStores


def record(number: int, received: int = 0) -> HibernationRecord:
    return HibernationRecord(number.to_bytes(8, "big"), "/", {}, b"", received, 1)


async def test_records_are_kept_until_deleted_when_they_are_saved() -> None:
    store: HibernationStore = MemoryHibernationStore()
    await store.save_many([record(1), record(2), record(3)])
    await store.save_many([record(2, received=5)])
    await store.delete(iter([record(1).key, b"unknown!"]))
    assert await store.load_all() == {one.key: one for one in (record(2, received=5), record(3))}


async def test_what_was_loaded_stays_when_the_store_changes() -> None:
    store = MemoryHibernationStore()
    await store.save_many([record(1)])
    loaded = await store.load_all()
    await store.delete([record(1).key])
    assert (len(loaded), store.records) == (1, {})


def test_a_later_generation_has_the_same_store_when_it_asks() -> None:
    stores = MemoryHibernationStores()
    first, again, other = (stores(_generation(actor_id)) for actor_id in ("a1", "a1", "a2"))
    assert first is again
    assert first is not other
    assert stores.by_actor == {"a1": first, "a2": other}


def _generation(actor_id: str) -> Any:
    return SimpleNamespace(id=actor_id)
