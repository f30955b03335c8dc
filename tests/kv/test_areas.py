"""Areas of the store: each works like a store of its own, and leaves the rest alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rivet_runner import KV, KvLimitExceeded
from rivet_runner._kv.reserved_keys import ALARM, RECORDS_FROM
from rivet_runner._kv.store import KvStore
from tests.kv.stores import ACTOR, MemoryCalls

RESERVED = b"\xff" * 8
PREFIX = RESERVED + b"lib/mine/"
KEYS = [b"", b"\0", b"a", b"a\0", b"ab", b"b", b"\xfe\xff", b"\xff", b"\xff" * 7]
OTHERS = {b"user": b"1", ALARM: b"2", RECORDS_FROM + b"12345678": b"3", RESERVED + b"lib/minf/x": b"4"}


@pytest.fixture(params=[True, False])
def calls(request: pytest.FixtureRequest) -> MemoryCalls:
    calls = MemoryCalls()
    calls.has_delete_range = request.param
    calls.entries.update(OTHERS)
    return calls


@pytest.fixture
def area(calls: MemoryCalls) -> KV:
    return KV(KvStore(ACTOR, calls)).area("mine")


@pytest.mark.parametrize(
    "call",
    [
        lambda kv: kv.get(b"a"),
        lambda kv: kv.get_many([*KEYS, b"none", RESERVED]),
        lambda kv: kv.list(),
        lambda kv: kv.list(b"a"),
        lambda kv: kv.list(b"\xff"),
        lambda kv: kv.list(start=b"a", end=b"b"),
        lambda kv: kv.list(start=b"ab"),
        lambda kv: kv.list(end=b"\xff" * 20),
        lambda kv: kv.list(reverse=True),
        lambda kv: kv.list(reverse=True, limit=2),
        lambda kv: kv.list(limit=3),
        lambda kv: kv.list(RESERVED),
        lambda kv: kv.delete(b"a"),
        lambda kv: kv.delete_many([b"a", b"\xff"]),
        lambda kv: kv.delete_range(b"a", b"b"),
        lambda kv: kv.delete_range(b"b", b"\xff" * 20),
        lambda kv: kv.clear(),
    ],
)
async def test_a_call_does_the_same_as_in_a_store_of_its_own(
    area: KV, calls: MemoryCalls, call: Callable[[KV], Awaitable[Any]]
) -> None:
    own_calls = MemoryCalls()
    own = KV(KvStore(ACTOR, own_calls))
    for kv in (area, own):
        await kv.put_many({key: b"value of " + key for key in KEYS})
    found, expected = await call(area), await call(own)
    assert found == expected
    if isinstance(found, dict):
        assert [*found] == [*expected]
    own_entries = own_calls.entries
    assert calls.entries == OTHERS | {PREFIX + key: value for key, value in own_entries.items()}


async def test_the_user_does_not_see_an_area_and_clear_leaves_it(area: KV, calls: MemoryCalls) -> None:
    kv = KV(KvStore(ACTOR, calls))
    await area.put(b"key", b"value")
    assert await kv.list() == {b"user": b"1"}
    await kv.clear()
    assert await area.list() == {b"key": b"value"}


async def test_areas_are_apart_by_name_and_by_depth(area: KV, calls: MemoryCalls) -> None:
    kv = KV(KvStore(ACTOR, calls))
    areas = [area, kv.area("minE"), kv.area("mine."), kv.area("m"), area.area("mine"), area.area("other")]
    for number, one in enumerate(areas):
        await one.put(b"n", b"%d" % number)
    assert [await one.list() for one in areas] == [{b"n": b"%d" % number} for number in range(len(areas))]
    await area.clear()
    assert [await one.get(b"n") for one in areas] == [None, b"1", b"2", b"3", b"4", b"5"]
    assert await kv.area("m").get(b"n") == b"3"


async def test_the_limits_count_the_whole_key(area: KV, calls: MemoryCalls) -> None:
    longest = b"k" * (2046 - len(PREFIX))
    await area.put(longest, b"")
    calls.sent.clear()
    with pytest.raises(KvLimitExceeded, match="2047"):
        await area.put(longest + b"k", b"")
    values = {b"%d" % number: bytes(128 * 1024) for number in range(7)}
    rest = 976 * 1024 - 7 * 128 * 1024 - 8 * (len(PREFIX) + 3)
    with pytest.raises(KvLimitExceeded, match="999425"):
        await area.put_many(values | {b"7": bytes(rest + 1)})
    assert calls.sent == []


async def test_the_end_of_an_area_is_reserved_like_the_end_of_the_store(area: KV, calls: MemoryCalls) -> None:
    for attempt in (area.put(RESERVED + b"x", b""), area.delete(RESERVED)):
        with pytest.raises(ValueError, match="reserved"):
            await attempt
    assert calls.sent == []


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä", "a\n", "x" * 65])
def test_a_name_that_cannot_be_used_is_refused(area: KV, name: str) -> None:
    with pytest.raises(ValueError, match="name of an area"):
        area.area(name)
