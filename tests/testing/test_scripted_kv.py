"""The scripted engine's store answers like the real one."""

from __future__ import annotations

import pytest

from rivet_runner._session.dialect import KvEntries
from rivet_runner.protocol.messages import (
    KvDeleteRangeRequest,
    KvDeleteRequest,
    KvDeleteResponse,
    KvDropRequest,
    KvDropResponse,
    KvGetRequest,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListQuery,
    KvListRangeQuery,
    KvListRequest,
    KvPutRequest,
    KvPutResponse,
)
from rivet_runner.testing.scripted_engine import ScriptedKv


@pytest.fixture
def kv() -> ScriptedKv:
    kv = ScriptedKv()
    kv.of("a1").update({b"b": b"2", b"a": b"1", b"ab": b"3", b"c": b"4"})
    return kv


@pytest.mark.parametrize(
    ("query", "reverse", "limit", "keys"),
    [
        (KvListAllQuery(), None, None, [b"a", b"ab", b"b", b"c"]),
        (KvListAllQuery(), True, 2, [b"c", b"b"]),
        (KvListPrefixQuery(b"a"), False, None, [b"a", b"ab"]),
        (KvListRangeQuery(b"ab", b"c", True), None, None, [b"ab", b"b"]),
        (KvListRangeQuery(b"ab", b"c", False), None, None, [b"ab", b"b", b"c"]),
        (KvListRangeQuery(b"c", b"a", False), None, None, []),
        (KvListAllQuery(), None, 0, []),
    ],
)
def test_keys_are_in_order_when_they_are_listed(
    kv: ScriptedKv, query: KvListQuery, reverse: bool | None, limit: int | None, keys: list[bytes]
) -> None:
    answer = kv.answer("a1", KvListRequest(query, reverse, limit))
    assert isinstance(answer, KvEntries)
    assert [*zip(answer.keys, answer.values, strict=True)] == [(key, kv.of("a1")[key]) for key in keys]


def test_only_what_exists_is_returned_when_keys_are_read(kv: ScriptedKv) -> None:
    answer = kv.answer("a1", KvGetRequest([b"c", b"none", b"a"]))
    assert isinstance(answer, KvEntries)
    assert (answer.keys, answer.values) == ([b"c", b"a"], [b"4", b"1"])


def test_only_one_actor_changes_when_it_writes(kv: ScriptedKv) -> None:
    assert kv.answer("a2", KvPutRequest([b"a"], [b"x"])) == KvPutResponse()
    assert kv.answer("a1", KvDeleteRequest([b"a", b"none"])) == KvDeleteResponse()
    assert kv.of("a2") == {b"a": b"x"}
    assert [*kv.of("a1")] == [b"b", b"ab", b"c"]
    assert kv.answer("a1", KvDropRequest()) == KvDropResponse()
    assert (kv.of("a1"), len(kv.of("a2"))) == ({}, 1)


def test_a_range_is_deleted_up_to_before_its_end() -> None:
    kv = ScriptedKv()
    kv.of("a1").update({b"a": b"1", b"b": b"2", b"ba": b"3", b"c": b"4"})
    kv.of("a2").update({b"b": b"1"})
    assert kv.answer("a1", KvDeleteRangeRequest(b"b", b"c")) == KvDeleteResponse()
    assert [*kv.of("a1")] == [b"a", b"c"]
    assert [*kv.of("a2")] == [b"b"]


def test_nothing_is_deleted_when_the_range_ends_before_it_starts() -> None:
    kv = ScriptedKv()
    kv.of("a1").update({b"b": b"2"})
    assert kv.answer("a1", KvDeleteRangeRequest(b"c", b"a")) == KvDeleteResponse()
    assert [*kv.of("a1")] == [b"b"]
