"""The engine's key-value store: order, limits, and the two faults that production has."""

from __future__ import annotations

import pytest

from rivet_runner.protocol.messages import KvDeleteRangeRequest
from rivet_runner.protocol.v3 import (
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvErrorResponse,
    KvGetRequest,
    KvGetResponse,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListQuery,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    KvPutResponse,
    KvResponseData,
)
from rivet_runner.testing._simulated.kv_store import KvStore
from rivet_runner.testing._simulated.timers import ManualClock


def store(*, strict: bool = False, **entries: str) -> KvStore:
    made = KvStore(ManualClock(), strict=strict)
    for key, value in entries.items():
        made.load(key.encode(), value.encode(), 0)
    return made


def listed(made: KvStore, query: KvListQuery, *, reverse: bool | None = None, limit: int | None = None) -> list[bytes]:
    answer = made.answer(KvListRequest(query, reverse, limit))
    assert isinstance(answer, KvListResponse)
    return list(answer.keys)


def got(made: KvStore, *keys: bytes) -> list[bytes]:
    answer = made.answer(KvGetRequest(list(keys)))
    assert isinstance(answer, KvGetResponse)
    return list(answer.keys)


def test_get_answers_what_exists_in_the_order_of_the_request() -> None:
    made = store(a="1", b="2")
    assert got(made, b"b", b"no", b"a") == [b"b", b"a"]
    assert got(made, b"a", b"a", b"b", b"a") == [b"a", b"b", b"a"]
    assert got(made, b"a", b"no", b"a") == [b"a"]


def test_put_time_is_that_of_the_last_put() -> None:
    clock = ManualClock(1)
    made = KvStore(clock)
    for clock.now in (5, 9):
        made.answer(KvPutRequest([b"a"], [b"x"]))
    answer = made.answer(KvGetRequest([b"a"]))
    assert isinstance(answer, KvGetResponse)
    assert answer.metadata[0].create_ts == 9


def test_last_of_repeated_keys_wins_in_a_put() -> None:
    made = store()
    assert made.answer(KvPutRequest([b"a", b"a"], [b"1", b"2"])) == KvPutResponse()
    assert made.answer(KvPutRequest([], [])) == KvPutResponse()
    assert made.as_dict() == {b"a": b"2"}


@pytest.mark.parametrize(
    "request_",
    [
        KvPutRequest([b"a"], []),
        KvPutRequest([b"%d" % n for n in range(129)], [b""] * 129),
        KvPutRequest([b"k" * 2047], [b""]),
        KvPutRequest([b"a"], [bytes(131_073)]),
        KvPutRequest([b"%d" % n for n in range(8)], [bytes(125_000)] * 8),
    ],
)
def test_put_writes_nothing_when_it_is_over_a_limit(request_: KvPutRequest) -> None:
    made = store(a="old")
    assert made.answer(request_) == KvErrorResponse("transaction failed")
    assert made.as_dict() == {b"a": b"old"}


def test_put_is_taken_at_the_limits() -> None:
    made = store()
    assert made.answer(KvPutRequest([b"k" * 2046, b""], [bytes(131_072), b""])) == KvPutResponse()


TOO_MANY = "a maximum of 128 keys is allowed"
TOO_LONG = "key is too long (max 2048 bytes)"
LONG = b"k" * 2047


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (KvGetRequest([b"a"] * 129), TOO_MANY),
        (KvDeleteRequest([b"a"] * 129), TOO_MANY),
        (KvGetRequest([LONG]), TOO_LONG),
        (KvDeleteRequest([LONG]), TOO_LONG),
        (KvListRequest(KvListRangeQuery(LONG, b"", exclusive=False), None, None), f"start {TOO_LONG}"),
        (KvListRequest(KvListRangeQuery(b"", LONG, exclusive=False), None, None), f"end {TOO_LONG}"),
        (KvListRequest(KvListPrefixQuery(LONG), None, None), f"prefix {TOO_LONG}"),
    ],
)
def test_request_is_refused_when_it_is_over_a_limit(request_: KvGetRequest, error: str) -> None:
    answer: KvResponseData = store().answer(request_)
    assert answer == KvErrorResponse(error)


def test_delete_and_drop_take_entries_away() -> None:
    made = store(a="1", b="2", c="3")
    made.answer(KvDeleteRequest([b"a", b"no"]))
    assert list(made.as_dict()) == [b"b", b"c"]
    made.answer(KvDropRequest())
    assert made.as_dict() == {}


def test_list_is_in_the_order_of_bytes() -> None:
    made = KvStore(ManualClock())
    for key in (b"b", b"\xff", b"", b"ab", b"a"):
        made.load(key, b"", 0)
    assert listed(made, KvListAllQuery()) == [b"", b"a", b"ab", b"b", b"\xff"]
    assert listed(made, KvListAllQuery(), reverse=True, limit=2) == [b"\xff", b"b"]
    assert listed(made, KvListAllQuery(), limit=0) == []


def test_range_holds_its_start_and_its_end_unless_it_is_exclusive() -> None:
    made = store(a="", b="", c="", d="")
    assert listed(made, KvListRangeQuery(b"b", b"d", exclusive=False)) == [b"b", b"c", b"d"]
    assert listed(made, KvListRangeQuery(b"b", b"d", exclusive=True)) == [b"b", b"c"]
    assert listed(made, KvListRangeQuery(b"d", b"b", exclusive=False)) == []


class TestFaultsOfTheEngine:
    @pytest.mark.parametrize(("size", "left"), [(10_000, 10_000), (30_004, 4), (25_000, 5_000), (20_000, 10_000)])
    def test_reverse_list_truncates_values_over_a_piece_unless_strict(self, size: int, left: int) -> None:
        for strict in (False, True):
            made = KvStore(ManualClock(), strict=strict)
            made.load(b"a", bytes(size), 0)
            answer = made.answer(KvListRequest(KvListAllQuery(), True, None))
            assert isinstance(answer, KvListResponse)
            assert len(answer.values[0]) == (size if strict else left)

    @pytest.mark.parametrize("prefix", [b"a", b""])
    def test_prefix_list_misses_keys_that_go_on_with_the_highest_byte_unless_strict(self, prefix: bytes) -> None:
        for strict in (False, True):
            made = KvStore(ManualClock(), strict=strict)
            for key in (prefix, prefix + b"\xfe", prefix + b"\xff", prefix + b"\xffa"):
                made.load(key, b"", 0)
            assert len(listed(made, KvListPrefixQuery(prefix))) == (4 if strict else 2)


def test_writes_are_told_before_they_are_answered() -> None:
    told: list[list[bytes] | None] = []
    made = KvStore(ManualClock(), changed=told.append)
    made.answer(KvPutRequest([b"b", b"a", b"b"], [b"", b"", b""]))
    made.answer(KvGetRequest([b"a"]))
    made.answer(KvDeleteRequest([b"a"]))
    made.answer(KvDropRequest())
    assert told == [[b"b", b"a"], [b"a"], None]


def test_a_range_is_deleted_up_to_before_its_end() -> None:
    made = store(a="1", b="2", ba="3", c="4")
    assert made.answer(KvDeleteRangeRequest(b"b", b"c")) == KvDeleteResponse()
    assert listed(made, KvListAllQuery()) == [b"a", b"c"]
    assert made.answer(KvDeleteRangeRequest(b"c", b"a")) == KvDeleteResponse()
    assert listed(made, KvListAllQuery()) == [b"a", b"c"]
