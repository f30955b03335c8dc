"""What `KV` refuses by itself, before anything is sent. That these are the engine's own limits is shown in tests/engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rivet_runner import KV, KvError, KvLimitExceeded
from rivet_runner._kv.calls import KvCalls
from rivet_runner._kv.store import KvStore
from rivet_runner.protocol.wire import (
    KvDeleteRequest,
    KvDeleteResponse,
    KvGetRequest,
    KvGetResponse,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    KvPutResponse,
    KvRequestData,
    KvResponseData,
)

RESERVED = b"\xff" * 8
LONGEST = b"k" * 2046
LARGEST = bytes(128 * 1024)
KEYS_128 = [b"%03d" % number for number in range(128)]

# The engine counts two bytes of packing for each key: 7 values of 128 KiB, and what then is left of 976 KiB.
FULL_PUT = {b"%d" % number: LARGEST for number in range(7)} | {b"7": bytes(976 * 1024 - 7 * 128 * 1024 - 8 * 3)}


class EmptyStore(KvCalls):
    """Answers every call as an engine with nothing in it would, and keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[KvRequestData] = []

    async def call(self, actor_id: str, data: KvRequestData, ended: Callable[[], str | None]) -> KvResponseData:
        self.sent.append(data)
        match data:
            case KvListRequest():
                return KvListResponse([], [], [])
            case KvPutRequest():
                return KvPutResponse()
            case KvDeleteRequest():
                return KvDeleteResponse()
            case _:
                return KvGetResponse([], [], [])

    def fail_actor(self, actor_id: str, why: str) -> None:
        pass


Call = Callable[[KV], Awaitable[Any]]


@pytest.fixture
def calls() -> EmptyStore:
    return EmptyStore()


@pytest.fixture
def kv(calls: EmptyStore) -> KV:
    return KV(KvStore("an-actor", calls))


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
        (lambda kv: kv.list(b"p" * 2047), "2046", "2047"),
        (lambda kv: kv.list(start=b"p" * 2047), "2046", "2047"),
        (lambda kv: kv.list(end=b"p" * 2047), "2046", "2047"),
    ],
)
async def test_call_is_refused_unsent_when_it_is_one_over_a_limit(
    kv: KV, calls: EmptyStore, call: Call, limit: str, figure: str
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
async def test_call_is_sent_when_it_is_exactly_at_a_limit(kv: KV, calls: EmptyStore, call: Call) -> None:
    await call(kv)
    assert len(calls.sent) == 1


@pytest.mark.parametrize("key", [RESERVED, RESERVED + b"ws/1", b"\xff" * 2046])
async def test_writing_is_a_value_error_when_the_key_is_reserved(kv: KV, calls: EmptyStore, key: bytes) -> None:
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


async def test_reserved_keys_are_not_asked_for_when_they_are_read(kv: KV, calls: EmptyStore) -> None:
    assert await kv.get(RESERVED) is None
    assert await kv.get_many([b"mine", RESERVED + b"x"]) == {}
    assert await kv.list(RESERVED) == await kv.list(start=RESERVED + b"x") == {}
    assert calls.sent == [KvGetRequest([b"mine"])]


@pytest.mark.parametrize("given", [{}, {"prefix": b"\xff"}, {"start": b"a"}, {"end": b"\xff" * 20}, {"prefix": b"\xff" * 7}])
async def test_range_ends_before_the_reserved_keys_when_it_would_reach_them(
    kv: KV, calls: EmptyStore, given: dict[str, bytes]
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
async def test_call_is_a_type_error_when_key_or_value_is_not_bytes(kv: KV, calls: EmptyStore, call: Call) -> None:
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
    kv: KV, calls: EmptyStore, given: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        await kv.list(**given)
    assert calls.sent == []


async def test_nothing_is_sent_when_there_is_nothing_to_do(kv: KV, calls: EmptyStore) -> None:
    await kv.put_many({})
    await kv.delete_many([])
    assert await kv.get_many([]) == {}
    assert await kv.list(limit=0) == {}
    assert await kv.list(start=b"b", end=b"a") == {}
    assert await kv.list(start=b"a", end=b"a") == {}
    assert calls.sent == []


async def test_one_request_carries_all_keys_when_several_are_written(kv: KV, calls: EmptyStore) -> None:
    await kv.put_many({b"b": b"2", b"a": b"1"})
    await kv.delete_many(key for key in (b"x", b"y"))
    assert calls.sent == [KvPutRequest([b"b", b"a"], [b"2", b"1"]), KvDeleteRequest([b"x", b"y"])]
