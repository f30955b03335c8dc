"""An actor's KV on the real engine: its order, its pages, and its limits as the engine itself draws them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rivet_runner import KV, KvError
from rivet_runner._kv.reserved_keys import RESERVED_FROM
from rivet_runner.protocol.v3 import (
    KvErrorResponse,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    KvPutResponse,
)
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, Probe, answered, hosting
from tests.support.bare_runner import BareRunner

MAX_VALUE = 128 * 1024
MAX_PUT = 976 * 1024
LONGEST_KEY = 2046
PUT_SECONDS = 20.0


@pytest.fixture
async def runner(engine: Engine, runner_name: str) -> AsyncIterator[Probe]:
    async with hosting(engine, runner_name) as probe:
        yield probe


@pytest.fixture
async def kv(runner: Probe, api: EngineApi) -> KV:
    return (await runner.new_actor(api)).kv


def full_put(keys: int, total: int, tail: bytes = b"") -> dict[bytes, bytes]:
    """A put that the engine counts as ``total`` bytes: two more for each key than its length."""
    items = {b"%03d" % number + tail: b"" for number in range(keys)}
    left = total - sum(len(key) + 2 for key in items)
    for key in items:
        items[key] = bytes(min(left, MAX_VALUE))
        left -= len(items[key])
    assert left == 0
    return items


@pytest.mark.both_protocols
async def test_calls_do_what_they_say_when_keys_exist_or_not(kv: KV) -> None:
    assert await kv.get(b"a") is None
    assert await kv.list() == {}
    await kv.put(b"a", b"1")
    await kv.put(b"a", b"2")
    await kv.put_many({b"b": b"", b"": b"empty key"})
    assert [await kv.get(key) for key in (b"a", b"b", b"", b"c")] == [b"2", b"", b"empty key", None]
    assert await kv.get_many([b"a", b"c", b"", b"a"]) == {b"a": b"2", b"": b"empty key"}
    assert [*(await kv.list()).items()] == [(b"", b"empty key"), (b"a", b"2"), (b"b", b"")]
    await kv.delete(b"a")
    await kv.delete(b"a")
    await kv.delete_many([b"b", b"never", b"b"])
    assert await kv.list() == {b"": b"empty key"}
    await kv.clear()
    await kv.clear()
    assert await kv.list() == {}


async def test_list_gives_a_range_in_key_order_when_it_is_asked_for(kv: KV) -> None:
    keys = [
        b"",
        b"\0",
        b"\0\0",
        b"\0\xff",
        b"a",
        b"a\0",
        b"ab",
        b"a\xff",
        b"a\xff\xff",
        b"b",
        b"\xff",
        b"\xff\0",
        b"\xff" * 7,
    ]
    await kv.put_many({key: b"of " + key for key in reversed(keys)})
    assert [*(await kv.list()).items()] == [(key, b"of " + key) for key in keys]
    assert [*await kv.list(reverse=True)] == keys[::-1]
    for prefix in (b"\0", b"a", b"a\xff", b"\xff", b"\xff\xff", b"nothing"):
        expected = [key for key in keys if key.startswith(prefix)]
        assert [*await kv.list(prefix)] == expected
        assert [*await kv.list(prefix, reverse=True)] == expected[::-1]
    assert [*await kv.list(start=b"a\0")] == [key for key in keys if key >= b"a\0"]
    assert [*await kv.list(end=b"a\0")] == [key for key in keys if key < b"a\0"]
    assert [*await kv.list(start=b"a", end=b"b")] == [b"a", b"a\0", b"ab", b"a\xff", b"a\xff\xff"]
    assert [*await kv.list(start=b"a", end=b"b", reverse=True, limit=2)] == [b"a\xff\xff", b"a\xff"]
    assert [*await kv.list(b"a", limit=3)] == [b"a", b"a\0", b"ab"]
    assert [*await kv.list(limit=0)] == [*await kv.list(start=b"b", end=b"a")] == [*await kv.list(end=b"")] == []
    assert len(await kv.list(limit=10**9)) == len(keys)


@pytest.mark.slow
async def test_list_gives_what_the_limit_says_when_it_goes_over_pages(kv: KV) -> None:
    values = {b"%03d" % number: bytes([number % 256]) * (100 * 1024) for number in range(300)}
    for first in range(0, 300, 9):
        await kv.put_many({key: values[key] for key in [*values][first : first + 9]})
    assert await kv.list(limit=250) == dict([*values.items()][:250])
    assert [*await kv.list(limit=129, reverse=True)] == [*values][:-130:-1]
    assert await kv.list() == values
    await kv.clear()
    assert await kv.list() == {}


@pytest.mark.both_protocols
async def test_a_range_is_removed_and_no_other_key(kv: KV) -> None:
    others = {b"": b"", b"a": b"", b"a\xff": b"", b"c": b"", b"c\0": b"", b"\xff" * 7 + b"\xfe": b""}
    for first in range(0, 300, 100):
        await kv.put_many({b"b%03d" % number: bytes(9000) for number in range(first, first + 100)})
    await kv.put_many(others)
    await kv.delete_range(b"c", b"b")
    await kv.delete_range(b"b", b"b")
    assert len(await kv.list()) == 300 + len(others)
    await kv.delete_range(b"b", b"c")
    assert await kv.list() == others
    await kv.delete_range(b"a\xff", b"\xff" * 20)
    assert await kv.list() == {b"": b"", b"a": b""}
    await kv.delete_range(b"", b"a")
    assert await kv.list() == {b"a": b""}


@pytest.mark.both_protocols
@pytest.mark.parametrize("longest", [b"k" * LONGEST_KEY, bytes(LONGEST_KEY), b"\xff\xfe" + b"\xff" * (LONGEST_KEY - 2)])
async def test_a_range_is_removed_when_its_ends_are_as_long_as_can_be(kv: KV, longest: bytes) -> None:
    await kv.put_many({longest[:-1]: b"", longest: b"", b"\xff\xff": b""})
    await kv.delete_range(longest[:-1], longest)
    assert [*await kv.list()] == [longest, b"\xff\xff"]


@pytest.mark.parametrize(
    "key", [b"k" * (LONGEST_KEY - 3), b"\xff\xfe" + b"\xff" * (LONGEST_KEY - 5), bytes(LONGEST_KEY - 3)]
)
async def test_list_goes_over_pages_when_keys_are_as_long_as_can_be(kv: KV, key: bytes) -> None:
    keys = [key + b"%03d" % number for number in range(300)]
    for first in range(0, 300, 100):
        await kv.put_many(dict.fromkeys(keys[first : first + 100], b""))
    assert [*await kv.list(reverse=True)] == keys[::-1]
    assert [*await kv.list()] == keys
    assert [*await kv.list(key, limit=200)] == keys[:200]


@pytest.mark.parametrize("key", [b"k" * LONGEST_KEY, b"\xfe" * LONGEST_KEY, bytes(LONGEST_KEY), b"k" * 1024])
async def test_key_works_in_every_call_when_it_is_as_long_as_can_be(kv: KV, key: bytes) -> None:
    await kv.put(key, b"value")
    assert await kv.get(key) == b"value"
    assert await kv.list() == await kv.list(key) == await kv.list(start=key) == {key: b"value"}
    assert await kv.list(end=key) == {}
    await kv.delete(key)
    assert await kv.list() == {}


@pytest.mark.parametrize(
    "items",
    [
        {b"a": bytes(MAX_VALUE)},
        dict.fromkeys([b"%03d" % number for number in range(128)], b"v"),
        full_put(8, MAX_PUT),
        full_put(128, MAX_PUT),
        full_put(128, MAX_PUT, tail=bytes(1000)),
    ],
    ids=["value", "keys", "put of 8", "put of 128", "put of 128 long keys"],
)
async def test_put_is_stored_when_it_is_exactly_at_a_limit(kv: KV, items: dict[bytes, bytes]) -> None:
    await kv.put_many(items)
    assert await kv.get_many(items) == items
    await kv.delete_many(items)
    assert await kv.list() == {}


@pytest.mark.parametrize(
    "items",
    [
        {b"k" * (LONGEST_KEY + 1): b""},
        {b"a": bytes(MAX_VALUE + 1)},
        dict.fromkeys([b"%03d" % number for number in range(129)], b""),
        full_put(8, MAX_PUT + 1),
        full_put(128, MAX_PUT + 1),
    ],
    ids=["key", "value", "keys", "put of 8", "put of 128"],
)
async def test_engine_refuses_when_a_put_is_one_over_what_we_allow(
    engine: Engine, api: EngineApi, runner_name: str, items: dict[bytes, bytes]
) -> None:
    """So our limits are not narrower than the engine's own: the runner is one that checks nothing."""
    async with BareRunner(engine.endpoint, runner_name) as bare:
        actor_id = (await api.create_ready_actor("bare", runner_name=runner_name)).actor_id
        refusal = await bare.kv(actor_id, KvPutRequest([*items], [*items.values()]))
        assert isinstance(refusal, KvErrorResponse)
        assert "transaction failed" in refusal.message
        assert await all_keys(bare, actor_id) == []


async def all_keys(bare: BareRunner, actor_id: str) -> Sequence[bytes]:
    """The keys that the engine has, the reserved ones too."""
    stored = await bare.kv(actor_id, KvListRequest(KvListRangeQuery(b"", b"\xff" * 100, False), False, 100))
    assert isinstance(stored, KvListResponse)
    return stored.keys


async def test_reserved_keys_stay_hidden_and_whole_when_yours_are_listed_and_cleared(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    ours = {RESERVED_FROM + b"a": b"1", RESERVED_FROM + b"\xff": b"2"}
    async with BareRunner(engine.endpoint, runner_name) as bare:
        actor_id = (await api.create_ready_actor("bare", runner_name=runner_name)).actor_id
        assert await bare.kv(actor_id, KvPutRequest([*ours], [*ours.values()])) == KvPutResponse()
        await bare.sleep(actor_id)
    async with hosting(engine, runner_name) as runner:
        await answered(api, actor_id)
        await check_that_reserved_keys_are_hidden(runner.actors[actor_id].kv)
    async with BareRunner(engine.endpoint, runner_name) as bare:
        await api.request(actor_id, "GET", "/wake")
        assert await all_keys(bare, actor_id) == [*ours]


async def check_that_reserved_keys_are_hidden(kv: KV) -> None:
    yours = {b"a": b"", b"\xff" * 7 + b"\xfe\xff": b"", b"\xff" * 7: b""}
    await kv.put_many(yours)
    assert await kv.list() == await kv.list(end=b"\xff" * 30) == yours
    assert await kv.list(b"\xff", limit=5) == {key: b"" for key in yours if key != b"a"}
    assert [*await kv.list(reverse=True, limit=1)] == [b"\xff" * 7 + b"\xfe\xff"]
    assert await kv.get(RESERVED_FROM + b"a") is None
    with pytest.raises(ValueError, match="reserved"):
        await kv.put_many({b"a": b"changed", RESERVED_FROM: b""})
    assert await kv.get(b"a") == b""
    await kv.clear()
    assert await kv.list() == {}


async def test_no_call_is_lost_when_500_are_made_at_once(kv: KV) -> None:
    await asyncio.gather(*(kv.put(b"%d" % number, b"value %d" % number) for number in range(500)))
    reads: list[Coroutine[Any, Any, object]] = [kv.get(b"%d" % number) for number in range(500)]
    assert await asyncio.gather(*reads) == [b"value %d" % number for number in range(500)]
    mixed: list[Awaitable[object]] = [
        kv.get(b"1"),
        kv.put(b"x", b"y"),
        kv.list(b"49", limit=2),
        kv.delete(b"7"),
        kv.get(b"no"),
    ]
    assert await asyncio.gather(*mixed) == [b"value 1", None, {b"49": b"value 49", b"490": b"value 490"}, None, None]
    assert len(await kv.list()) == 500


async def test_put_many_shows_all_or_nothing_when_others_read_meanwhile(kv: KV) -> None:
    keys = [b"%03d" % number for number in range(32)]
    await kv.put_many(dict.fromkeys(keys, b"0"))
    done = asyncio.Event()

    async def write() -> None:
        for number in range(1, 20):
            await kv.put_many(dict.fromkeys(keys, b"%d" % number))
        done.set()

    async def read(look: Callable[[], Awaitable[dict[bytes, bytes]]]) -> int:
        versions = set()
        while not done.is_set():
            found = await look()
            assert len(found) == 32
            assert len(set(found.values())) == 1
            versions |= {*found.values()}
        return len(versions)

    async with asyncio.timeout(PUT_SECONDS):
        _, got, listed = await asyncio.gather(write(), read(lambda: kv.get_many(keys)), read(kv.list))
    assert min(got, listed) > 1, "nobody read while it was written"


async def test_call_is_a_kv_error_when_its_task_has_outlived_the_generation(runner: Probe, api: EngineApi) -> None:
    old = await runner.new_actor(api)
    await old.kv.put(b"a", b"old")
    await runner.put_to_sleep(api, old)
    for _ in range(2):
        for call in (old.kv.get(b"a"), old.kv.put(b"a", b"new"), old.kv.delete(b"a"), old.kv.list(), old.kv.clear()):
            with pytest.raises(KvError, match=old.id):
                await call
        new = runner.get_actor(old.id) or await runner.wake(api, old)
    assert new.kv is not old.kv
    assert await new.kv.list() == {b"a": b"old"}


async def test_actors_do_not_share_keys_when_they_have_the_same_ones(runner: Probe, api: EngineApi) -> None:
    first, second = await asyncio.gather(runner.new_actor(api), runner.new_actor(api))
    await asyncio.gather(first.kv.put(b"a", b"1"), second.kv.put(b"a", b"2"))
    await first.kv.clear()
    assert await second.kv.list() == {b"a": b"2"}


# Bytes at the edges of the order, and short keys, so that prefixes of each other and collisions are common.
_KEYS = st.binary(max_size=4).map(lambda text: bytes(b"\x00\x01a\xfe\xff"[byte % 5] for byte in text))
_BOUNDS = st.one_of(st.none(), _KEYS)
_STEPS = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(_KEYS, st.binary(max_size=3), max_size=6)),
    st.tuples(st.just("delete"), st.lists(_KEYS, max_size=4)),
    st.tuples(st.just("get"), st.lists(_KEYS, max_size=4)),
    st.tuples(st.just("prefix"), _KEYS, st.booleans(), st.one_of(st.none(), st.integers(0, 4))),
    st.tuples(st.just("range"), _BOUNDS, _BOUNDS, st.booleans(), st.one_of(st.none(), st.integers(0, 4))),
)


async def _same_as_a_dict(kv: KV, steps: list[tuple[Any, ...]]) -> None:
    await kv.clear()
    model: dict[bytes, bytes] = {}
    for kind, *arguments in [*steps, ("prefix", b"", False, None)]:
        if kind == "put":
            await kv.put_many(arguments[0])
            model.update(arguments[0])
        elif kind == "delete":
            await kv.delete_many(arguments[0])
            model = {key: value for key, value in model.items() if key not in arguments[0]}
        elif kind == "get":
            assert await kv.get_many(arguments[0]) == {key: model[key] for key in arguments[0] if key in model}
        else:
            *bounds, reverse, limit = arguments
            if kind == "prefix":
                found = await kv.list(bounds[0], reverse=reverse, limit=limit)
                expected = [key for key in model if key.startswith(bounds[0])]
            else:
                start, end = bounds
                found = await kv.list(start=start, end=end, reverse=reverse, limit=limit)
                expected = [key for key in model if (start is None or key >= start) and (end is None or key < end)]
            expected = sorted(expected, reverse=reverse)[:limit]
            assert [*found.items()] == [(key, model[key]) for key in expected]


@pytest.mark.slow
async def test_kv_is_like_a_sorted_dict_when_any_calls_follow_each_other(kv: KV) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=[*HealthCheck])
    @given(st.lists(_STEPS, min_size=3, max_size=12))
    @example(
        [("put", {b"\xff": b"1", b"\xff\xff": b"2"}), ("prefix", b"\xff", True, 1), ("range", None, b"\xff", False, None)]
    )
    def check(steps: list[tuple[Any, ...]]) -> None:
        asyncio.run_coroutine_threadsafe(_same_as_a_dict(kv, steps), loop).result(PUT_SECONDS)

    # Hypothesis calls a plain function again and again; the loop on which the runner lives is here.
    await asyncio.to_thread(check)


async def test_values_are_whole_when_a_listing_is_reverse(kv: KV) -> None:
    sizes = [0, 1, 9_999, 10_000, 10_001, 20_000, 25_000, 30_004, 128 * 1024]
    entries = {b"long/%02d" % number: bytes([number]) * size for number, size in enumerate(sizes)}
    for key, value in entries.items():
        await kv.put(key, value)
    backwards = [*reversed(entries.items())]
    assert [*(await kv.list(reverse=True)).items()] == backwards
    for limit in range(len(sizes) + 1):
        assert [*(await kv.list(b"long/", reverse=True, limit=limit)).items()] == backwards[:limit]
    found = await kv.list(start=b"long/03", end=b"long/08", reverse=True)
    assert [*found.items()] == [(key, value) for key, value in backwards if b"long/03" <= key < b"long/08"]


async def test_values_are_whole_when_a_reverse_listing_takes_several_pages(kv: KV) -> None:
    entries = {b"%04d" % number: b"v" * 10_004 for number in range(300)}
    for first in range(0, 300, 60):
        keys = sorted(entries)[first : first + 60]
        await kv.put_many({key: entries[key] for key in keys})
    assert [*(await kv.list(reverse=True)).items()] == [*reversed(entries.items())]
