"""`KV` refuses calls over a limit before it sends anything. `tests/engine` tests that the engine has the same limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rivet_runner import KV, KvError, KvLimitExceeded
from rivet_runner._kv.store import KvStore
from rivet_runner.protocol.messages import KvDeleteRangeRequest, KvDeleteRequest, KvGetRequest, KvListRequest, KvPutRequest
from tests.kv.stores import ACTOR, MemoryCalls

RESERVED = b"\xff" * 8
LONGEST = b"k" * 2046
LARGEST = bytes(128 * 1024)
KEYS_128 = [b"%03d" % number for number in range(128)]

# The engine counts two bytes of packing for each key: 7 values of 128 KiB, then the rest of 976 KiB.
FULL_PUT = {b"%d" % number: LARGEST for number in range(7)} | {b"7": bytes(976 * 1024 - 7 * 128 * 1024 - 8 * 3)}


Call = Callable[[KV], Awaitable[Any]]

either = pytest.mark.parametrize("has_delete_range", [True, False])
"""Whether the engine can delete a range of keys in one call."""


@pytest.fixture
def calls() -> MemoryCalls:
    return MemoryCalls()


@pytest.fixture
def kv(calls: MemoryCalls) -> KV:
    return KV(KvStore(ACTOR, calls))


@pytest.mark.parametrize(
    ("call", "limit", "figure"),
    [
        (lambda kv: kv.get(LONGEST + b"k"), "2046", "2047"),
        (lambda kv: kv.get_many([b"a", LONGEST + b"k"]), "2046", "2047"),
        (lambda kv: kv.put(LONGEST + b"k", b""), "2046", "2047"),
        (lambda kv: kv.delete(LONGEST + b"k"), "2046", "2047"),
        (lambda kv: kv.delete_many([b"a", bytes(5000)]), "2046", "5000"),
        (lambda kv: kv.put(b"a", LARGEST + b"x"), "131072", "131073"),
        (lambda kv: kv.put_many({b"a": b"", b"b": LARGEST + b"x"}), "131072", "131073"),
        (lambda kv: kv.get_many([*KEYS_128, b"x"]), "128", "129"),
        (lambda kv: kv.put_many(dict.fromkeys([*KEYS_128, b"x"], b"")), "128", "129"),
        (lambda kv: kv.delete_many([*KEYS_128, b"x"]), "128", "129"),
        (lambda kv: kv.put_many(FULL_PUT | {b"7": FULL_PUT[b"7"] + b"x"}), "999424", "999425"),
        (lambda kv: kv.delete_range(b"p" * 2047, b""), "2046", "2047"),
        (lambda kv: kv.delete_range(b"", b"p" * 2047), "2046", "2047"),
        (lambda kv: kv.list(b"p" * 2047), "2046", "2047"),
        (lambda kv: kv.list(start=b"p" * 2047), "2046", "2047"),
        (lambda kv: kv.list(end=b"p" * 2047), "2046", "2047"),
    ],
)
async def test_call_is_refused_unsent_when_it_is_one_over_a_limit(
    kv: KV, calls: MemoryCalls, call: Call, limit: str, figure: str
) -> None:
    with pytest.raises(KvLimitExceeded) as caught:
        await call(kv)
    assert limit in str(caught.value)
    assert figure in str(caught.value)
    assert isinstance(caught.value, KvError)
    assert len(str(caught.value)) < 400
    assert calls.sent == []


@pytest.mark.parametrize(
    "call",
    [
        lambda kv: kv.put(LONGEST, b""),
        lambda kv: kv.put(bytes(2046), b""),
        lambda kv: kv.get(bytes(2046)),
        lambda kv: kv.put(b"a", LARGEST),
        lambda kv: kv.put(b"", b""),
        lambda kv: kv.put_many(dict.fromkeys(KEYS_128, b"")),
        lambda kv: kv.put_many(FULL_PUT),
        lambda kv: kv.get_many(KEYS_128),
        lambda kv: kv.delete_many(KEYS_128),
        lambda kv: kv.list(LONGEST),
    ],
)
async def test_call_is_sent_when_it_is_exactly_at_a_limit(kv: KV, calls: MemoryCalls, call: Call) -> None:
    await call(kv)
    assert len(calls.sent) == 1


@pytest.mark.parametrize("key", [RESERVED, RESERVED + b"ws/1", b"\xff" * 2046])
async def test_writing_is_a_value_error_when_the_key_is_reserved(kv: KV, calls: MemoryCalls, key: bytes) -> None:
    attempts: list[Call] = [
        lambda kv: kv.put(key, b""),
        lambda kv: kv.put_many({b"mine": b"", key: b""}),
        lambda kv: kv.delete(key),
        lambda kv: kv.delete_many([b"mine", key]),
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match="reserved"):
            await attempt(kv)
    assert calls.sent == []


async def test_reserved_keys_are_not_asked_for_when_they_are_read(kv: KV, calls: MemoryCalls) -> None:
    assert await kv.get(RESERVED) is None
    assert await kv.get_many([b"mine", RESERVED + b"x"]) == {}
    assert await kv.list(RESERVED) == await kv.list(start=RESERVED + b"x") == {}
    assert calls.sent == [KvGetRequest([b"mine"])]


@pytest.mark.parametrize("given", [{}, {"prefix": b"\xff"}, {"start": b"a"}, {"end": b"\xff" * 20}, {"prefix": b"\xff" * 7}])
async def test_range_ends_before_the_reserved_keys_when_it_would_reach_them(
    kv: KV, calls: MemoryCalls, given: dict[str, bytes]
) -> None:
    await kv.list(**given)  # type: ignore[arg-type]
    (request,) = calls.sent
    assert isinstance(request, KvListRequest)
    assert request.query.end == RESERVED  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "call",
    [
        lambda kv: kv.get("text"),
        lambda kv: kv.get(bytearray(b"a")),
        lambda kv: kv.put(b"a", "text"),
        lambda kv: kv.put(b"a", None),
        lambda kv: kv.put_many({"a": b""}),
        lambda kv: kv.delete(1),
        lambda kv: kv.list("text"),
        lambda kv: kv.list(start="text"),
        lambda kv: kv.list(end=1),
    ],
)
async def test_call_is_a_type_error_when_key_or_value_is_not_bytes(kv: KV, calls: MemoryCalls, call: Call) -> None:
    with pytest.raises(TypeError, match="must be bytes"):
        await call(kv)
    assert calls.sent == []


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"prefix": b"a", "start": b"b"}, "prefix"),
        ({"prefix": b"a", "end": b"b"}, "prefix"),
        ({"limit": -1}, "limit"),
        ({"limit": True}, "limit"),
        ({"limit": 1.5}, "limit"),
    ],
)
async def test_list_is_a_value_error_when_its_arguments_contradict(
    kv: KV, calls: MemoryCalls, given: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        await kv.list(**given)
    assert calls.sent == []


async def test_nothing_is_sent_when_there_is_nothing_to_do(kv: KV, calls: MemoryCalls) -> None:
    await kv.put_many({})
    await kv.delete_many([])
    await kv.delete_range(b"b", b"b")
    await kv.delete_range(b"b", b"a")
    assert await kv.get_many([]) == {}
    assert await kv.list(limit=0) == {}
    assert await kv.list(start=b"b", end=b"a") == {}
    assert await kv.list(start=b"a", end=b"a") == {}
    assert calls.sent == []


async def test_one_request_carries_all_keys_when_several_are_written(kv: KV, calls: MemoryCalls) -> None:
    await kv.put_many({b"b": b"2", b"a": b"1"})
    await kv.delete_many(key for key in (b"x", b"y"))
    assert calls.sent == [KvPutRequest([b"b", b"a"], [b"2", b"1"]), KvDeleteRequest([b"x", b"y"])]


@either
async def test_only_the_users_keys_are_removed_when_the_store_is_cleared(
    kv: KV, calls: MemoryCalls, has_delete_range: bool
) -> None:
    calls.has_delete_range = has_delete_range
    calls.entries.update(dict.fromkeys([b"%03d" % number for number in range(300)] + [RESERVED, RESERVED + b"x"], b""))
    await kv.clear()
    assert [*calls.entries] == [RESERVED, RESERVED + b"x"]


@either
@pytest.mark.parametrize("count", [0, 1, 127, 128, 129, 256, 300])
async def test_the_keys_of_a_range_are_removed_and_no_others(
    kv: KV, calls: MemoryCalls, has_delete_range: bool, count: int
) -> None:
    calls.has_delete_range = has_delete_range
    others = [b"a", b"a\xff", b"c", b"c\0", RESERVED]
    calls.entries.update(dict.fromkeys([*others, *(b"b%03d" % number for number in range(count))], b""))
    await kv.delete_range(b"b", b"c")
    assert [*calls.entries] == others


@either
async def test_reserved_keys_stay_when_a_range_goes_beyond_the_last_key(
    kv: KV, calls: MemoryCalls, has_delete_range: bool
) -> None:
    calls.has_delete_range = has_delete_range
    calls.entries.update(dict.fromkeys([b"a", b"b", b"\xff" * 7, RESERVED, RESERVED + b"ws/1"], b""))
    await kv.delete_range(b"b", b"\xff" * 20)
    assert [*calls.entries] == [b"a", RESERVED, RESERVED + b"ws/1"]
    await kv.delete_range(RESERVED, b"\xff" * 20)
    assert [*calls.entries] == [b"a", RESERVED, RESERVED + b"ws/1"]


async def test_one_call_removes_a_range_when_the_engine_can(kv: KV, calls: MemoryCalls) -> None:
    calls.has_delete_range = True
    await kv.delete_range(b"a", b"b")
    await kv.clear()
    assert calls.sent == [KvDeleteRangeRequest(b"a", b"b"), KvDeleteRangeRequest(b"", RESERVED)]


async def test_a_page_at_a_time_is_held_when_the_engine_cannot_remove_a_range(kv: KV, calls: MemoryCalls) -> None:
    calls.entries.update({b"%04d" % number: b"" for number in range(1000)})
    await kv.delete_range(b"", b"\xff")
    assert calls.entries == {}
    limits = [call.limit for call in calls.sent if isinstance(call, KvListRequest)]
    assert limits == [128] * 8
    assert all(len(call.keys) <= 128 for call in calls.sent if isinstance(call, KvDeleteRequest))


async def test_a_range_without_end_is_removed_when_its_keys_are_as_long_as_can_be(kv: KV, calls: MemoryCalls) -> None:
    calls.entries.update({b"k" * 2043 + b"%03d" % number: b"" for number in range(200)})
    await kv.delete_range(b"k", RESERVED)
    assert calls.entries == {}
