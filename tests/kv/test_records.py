"""`KvHibernationStore`: records in the actor's own store, with as few puts as the engine's limits allow."""

from __future__ import annotations

import msgspec
import pytest

from rivet_runner import HibernationRecord, KvLimitExceeded, RecordError
from rivet_runner._kv.records import KvHibernationStore
from rivet_runner._kv.reserved_keys import RESERVED_FROM
from rivet_runner._kv.store import KvStore
from rivet_runner.hibernation import HibernationStore
from rivet_runner.protocol.messages import KvDeleteRequest, KvPutRequest
from tests.kv.stores import ACTOR, MemoryCalls


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


@pytest.fixture
def store(calls: MemoryCalls) -> HibernationStore:
    return KvHibernationStore(KvStore(ACTOR, calls))


def record(number: int, attachment: bytes = b"") -> HibernationRecord:
    return HibernationRecord(number.to_bytes(8, "big"), "/path?q", {"name": "value"}, attachment, number, 1)


def puts(calls: MemoryCalls) -> list[int]:
    """The number of records in each put."""
    return [len(request.keys) for request in calls.sent if isinstance(request, KvPutRequest)]


async def test_records_are_the_same_when_they_are_loaded(store: HibernationStore) -> None:
    records = [record(number) for number in range(300)]
    await store.save_many(records)
    assert await store.load_all() == {one.key: one for one in records}


async def test_users_keys_are_not_touched_when_records_are_kept(store: HibernationStore, calls: MemoryCalls) -> None:
    neighbours = {b"a": b"1", RESERVED_FROM + b"ws": b"2", RESERVED_FROM + b"ws0": b"3"}
    calls.entries.update(neighbours)
    await store.save_many([record(1)])
    assert len(await store.load_all()) == 1
    await store.delete([record(1).key])
    assert calls.entries == neighbours


async def test_a_record_is_replaced_when_it_is_saved_again(store: HibernationStore) -> None:
    await store.save_many([record(1)])
    later = msgspec.structs.replace(record(1), received=77)
    await store.save_many([later])
    assert await store.load_all() == {later.key: later}


async def test_one_put_is_enough_when_the_records_are_within_the_limits(store: HibernationStore, calls: MemoryCalls) -> None:
    await store.save_many([record(number) for number in range(128)])
    assert puts(calls) == [128]


async def test_a_put_is_split_when_there_are_too_many_keys(store: HibernationStore, calls: MemoryCalls) -> None:
    await store.save_many([record(number) for number in range(300)])
    assert puts(calls) == [128, 128, 44]


async def test_a_put_is_split_when_the_records_are_too_large(store: HibernationStore, calls: MemoryCalls) -> None:
    await store.save_many([record(number, bytes(100_000)) for number in range(20)])
    assert puts(calls) == [9, 9, 2]
    assert len(calls.entries) == 20


async def test_an_error_names_the_limit_when_one_record_is_too_large(store: HibernationStore) -> None:
    with pytest.raises(KvLimitExceeded, match="131072"):
        await store.save_many([record(1, bytes(131_072))])


async def test_only_its_own_entry_is_an_error_when_a_record_cannot_be_read(
    store: HibernationStore, calls: MemoryCalls
) -> None:
    await store.save_many([record(1), record(2)])
    (broken, _) = calls.entries
    calls.entries[broken] = b"\x09newer"
    found = await store.load_all()
    assert isinstance(found.pop(record(1).key), RecordError)
    assert found == {record(2).key: record(2)}


async def test_records_are_deleted_in_batches_when_there_are_many(store: HibernationStore, calls: MemoryCalls) -> None:
    records = [record(number) for number in range(300)]
    await store.save_many(records)
    await store.delete(one.key for one in records)
    assert calls.entries == {}
    assert [len(request.keys) for request in calls.sent if isinstance(request, KvDeleteRequest)] == [128, 128, 44]


async def test_nothing_is_sent_when_there_are_no_records(store: HibernationStore, calls: MemoryCalls) -> None:
    await store.save_many([])
    await store.delete([])
    assert calls.sent == []
