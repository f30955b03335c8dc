"""`KvStore`: whole listings from pages, and closing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import KvError
from rivet_runner._kv.limits import MAX_KEY
from rivet_runner._kv.reserved_keys import RESERVED_FROM
from rivet_runner._kv.store import FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES, KvStore
from rivet_runner._session.dialect import KvAnswer
from rivet_runner.protocol.messages import KvDropResponse, KvListRequest, KvRequestData
from tests.kv.stores import ACTOR, MemoryCalls

END = b"\xff" * 9


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


@pytest.fixture
def store(calls: MemoryCalls) -> KvStore:
    return KvStore(ACTOR, calls)


def pages(calls: MemoryCalls) -> list[int | None]:
    """The limit of each requested page."""
    return [request.limit for request in calls.sent if isinstance(request, KvListRequest)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 500])
@pytest.mark.parametrize("limit", [None, 1, 128, 129, 499, 600])
async def test_listing_is_whole_and_in_order_when_it_takes_several_pages(
    store: KvStore, calls: MemoryCalls, count: int, limit: int | None, reverse: bool
) -> None:
    keys = [b"%05d" % number for number in range(count)]
    calls.entries.update({key: b"v" + key for key in keys})
    found = await store.list(b"", END, reverse=reverse, limit=limit)
    assert [*found.items()] == [(key, b"v" + key) for key in (keys[::-1] if reverse else keys)][:limit]


SIZES = [0, 1, 9_999, 10_000, 10_001, 20_000, 30_004, 128 * 1024]


@pytest.mark.parametrize("limit", [None, 1, 3, 100])
async def test_values_are_whole_when_a_listing_is_reverse(store: KvStore, calls: MemoryCalls, limit: int | None) -> None:
    entries = {b"%02d" % number: b"x" * size for number, size in enumerate(SIZES)}
    calls.entries.update(entries)
    found = await store.list(b"", END, reverse=True, limit=limit)
    assert [*found.items()] == [*reversed(entries.items())][:limit]


@given(
    entries=st.dictionaries(st.binary(max_size=3), st.sampled_from(SIZES).map(bytes), max_size=12),
    bounds=st.tuples(st.binary(max_size=3), st.binary(max_size=3)),
    limit=st.none() | st.integers(0, 12),
)
def test_a_reverse_listing_is_a_listing_backwards(
    entries: dict[bytes, bytes], bounds: tuple[bytes, bytes], limit: int | None
) -> None:
    calls = MemoryCalls()
    calls.entries.update(entries)
    store = KvStore(ACTOR, calls)

    async def check() -> None:
        found = await store.list(*bounds, reverse=True, limit=limit)
        assert [*found.items()] == [*reversed((await store.list(*bounds)).items())][:limit]

    asyncio.run(check())


class Deleting(MemoryCalls):
    """Deletes some keys after each reverse page."""

    def __init__(self, doomed: set[bytes]) -> None:
        super().__init__()
        self.doomed = doomed

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
        answer = await super().call(actor_id, data, ended)
        if isinstance(data, KvListRequest) and data.reverse:
            for key in self.doomed:
                self.entries.pop(key, None)
        return answer


async def test_a_reverse_listing_goes_on_when_the_keys_of_a_page_are_deleted_meanwhile() -> None:
    keys = [b"%03d" % number for number in range(400)]
    calls = Deleting({*keys[-FIRST_PAGE:], keys[5]})
    calls.entries.update(dict.fromkeys(keys, b"v"))
    left = [key for key in keys if key not in calls.doomed]
    assert [*await KvStore(ACTOR, calls).list(b"", END, reverse=True, limit=300)] == left[::-1][:300]
    assert max(size or 0 for size in pages(calls) if size) <= LARGEST_PAGE


async def test_a_limit_holds_when_keys_are_added_to_a_page_meanwhile() -> None:
    class Adding(MemoryCalls):
        async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvAnswer:
            answer = await super().call(actor_id, data, ended)
            if isinstance(data, KvListRequest) and data.reverse:
                self.entries.update({b"1%d" % number: b"new" for number in range(9)})
            return answer

    calls = Adding()
    calls.entries.update({b"1": b"a", b"2": b"b"})
    assert [*await KvStore(ACTOR, calls).list(b"", END, reverse=True, limit=2)] == [b"2", b"18"]


async def test_range_is_from_the_first_to_before_the_last_when_it_is_listed(store: KvStore, calls: MemoryCalls) -> None:
    calls.entries.update(dict.fromkeys([b"a", b"b", b"b\x00", b"c", RESERVED_FROM], b""))
    assert [*await store.list(b"b", b"c")] == [b"b", b"b\x00"]
    assert [*await store.list(RESERVED_FROM, END)] == [RESERVED_FROM]
    assert await store.list(b"c", b"b") == {}


async def test_pages_grow_when_the_values_are_small(store: KvStore, calls: MemoryCalls) -> None:
    calls.entries.update(dict.fromkeys([b"%05d" % number for number in range(5000)], b""))
    await store.list(b"", END)
    assert pages(calls) == [FIRST_PAGE, LARGEST_PAGE, LARGEST_PAGE]


async def test_pages_stay_small_when_the_values_are_large(store: KvStore, calls: MemoryCalls) -> None:
    size = PAGE_BYTES // FIRST_PAGE
    calls.entries.update(dict.fromkeys([b"%05d" % number for number in range(300)], bytes(size)))
    await store.list(b"", END)
    assert pages(calls) == [FIRST_PAGE] * 3


async def test_listing_goes_on_when_a_page_ends_at_a_key_of_full_length(store: KvStore, calls: MemoryCalls) -> None:
    keys = [bytes([number]) * MAX_KEY for number in range(1, 200)]
    calls.entries.update(dict.fromkeys(keys, b""))
    assert [*await store.list(b"", END)] == keys


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.get([b"a"]),
        lambda store: store.put({b"a": b""}),
        lambda store: store.delete([b"a"]),
        lambda store: store.list(b"", END),
    ],
)
async def test_call_is_a_kv_error_when_the_engine_answers_another_one(
    store: KvStore, calls: MemoryCalls, call: Callable[[KvStore], Awaitable[Any]]
) -> None:
    calls.instead = KvDropResponse()
    with pytest.raises(KvError, match="KvDropResponse"):
        await call(store)


async def test_reserved_keys_are_like_others_when_the_sdk_uses_them(store: KvStore) -> None:
    key = RESERVED_FROM + b"x"
    await store.put({key: b"1"})
    assert await store.get([key]) == {key: b"1"}
    await store.delete([key])
    assert await store.get([key]) == {}


async def test_nothing_is_sent_when_there_is_nothing_to_do(store: KvStore, calls: MemoryCalls) -> None:
    await store.put({})
    await store.delete([])
    assert await store.get([]) == {}
    assert await store.list(b"", END, limit=0) == {}
    assert calls.sent == []


async def test_calls_of_this_actor_fail_and_later_ones_learn_why_when_it_is_closed(
    store: KvStore, calls: MemoryCalls
) -> None:
    await store.get([b"a"])
    assert calls.ended is None
    store.close("the reason")
    assert calls.failed == [(ACTOR, "the reason")]
    await store.get([b"a"])
    assert calls.ended == "the reason"
