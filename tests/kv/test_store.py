"""`KvStore`: whole answers out of pages, and its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rivet_runner import KvError
from rivet_runner._kv.limits import MAX_KEY, RESERVED_FROM
from rivet_runner._kv.store import FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES, KvStore
from rivet_runner.protocol.wire import KvDropResponse, KvListRequest
from tests.kv.stores import ACTOR, MemoryCalls

END = b"\xff" * 9


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


@pytest.fixture
def store(calls: MemoryCalls) -> KvStore:
    return KvStore(ACTOR, calls)


def pages(calls: MemoryCalls) -> list[int | None]:
    """The limit of each page that was asked for."""
    return [request.limit for request in calls.sent if isinstance(request, KvListRequest)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 500, 5000])
@pytest.mark.parametrize("limit", [None, 1, 128, 129, 4999, 6000])
async def test_listing_is_whole_and_in_order_when_it_takes_several_pages(
    store: KvStore, calls: MemoryCalls, count: int, limit: int | None, reverse: bool
) -> None:
    keys = [b"%05d" % number for number in range(count)]
    calls.entries.update({key: b"v" + key for key in keys})
    found = await store.list(b"", END, reverse=reverse, limit=limit)
    assert [*found.items()] == [(key, b"v" + key) for key in (keys[::-1] if reverse else keys)][:limit]


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
