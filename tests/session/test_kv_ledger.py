"""The ledger of key-value calls: each is sent once on a connection, until it ends, and no id is used twice at a time."""

from __future__ import annotations

import pytest

from rivet_runner._session import kv_ledger
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID, KvLedger
from rivet_runner.protocol.v3 import KvGetRequest, KvPutRequest, ToServerKvRequest, decode_to_server, encode_to_server

GET = KvGetRequest([b"k"])


def ledger_of(count: int) -> KvLedger:
    ledger = KvLedger(encode_to_server)
    for _ in range(count):
        ledger.add("a1", GET)
    return ledger


def taken(ledger: KvLedger) -> list[int]:
    """The ids of the calls that `KvLedger.take` gives."""
    calls = [decode_to_server(frame) for frame in ledger.take()]
    return [call.request_id for call in calls if isinstance(call, ToServerKvRequest)]


def test_the_frame_says_what_was_called_when_it_is_taken() -> None:
    ledger = KvLedger(encode_to_server)
    request_id = ledger.add("a1", KvPutRequest([b"k"], [b"v"]))
    (frame,) = ledger.take()
    assert decode_to_server(frame) == ToServerKvRequest("a1", request_id, KvPutRequest([b"k"], [b"v"]))


def test_a_call_is_sent_once_when_the_connection_stays() -> None:
    ledger = ledger_of(2)
    assert taken(ledger) == [0, 1]
    assert not ledger.pending
    assert taken(ledger) == []
    assert len(ledger) == 2, "they have no answer yet"


def test_calls_without_an_answer_are_sent_again_in_order_when_the_runner_resumes() -> None:
    ledger = ledger_of(4)
    taken(ledger)
    ledger.end(1)
    ledger.add("a1", GET)
    ledger.resume()
    assert taken(ledger) == [0, 2, 3, 4]


def test_a_call_is_not_sent_when_it_ended_before() -> None:
    ledger = ledger_of(2)
    assert ledger.end(0)
    assert not ledger.end(0)
    assert not ledger.end(99)
    assert taken(ledger) == [1]


def test_nothing_is_noted_when_a_call_cannot_be_encoded() -> None:
    ledger = KvLedger(encode_to_server)
    not_bytes: list[bytes] = ["text"]  # type: ignore[list-item]
    with pytest.raises(TypeError):
        ledger.add("a1", KvGetRequest(not_bytes))
    assert (len(ledger), ledger.pending) == (0, False)


def test_every_call_is_named_when_all_are_dropped() -> None:
    ledger = ledger_of(3)
    taken(ledger)
    ledger.end(1)
    assert ledger.drop_all() == [0, 2]
    assert (len(ledger), ledger.pending) == (0, False)


def test_an_id_is_used_again_when_it_is_free_and_the_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_ledger, "FIRST_BARRIER_ID", 4)
    ledger = ledger_of(4)
    ledger.end(2)
    assert ledger.add("a1", GET) == 2
    ledger.end(0)
    ledger.end(1)
    assert [ledger.add("a1", GET) for _ in range(2)] == [0, 1]


def test_calls_and_barriers_share_the_ids_when_they_are_split() -> None:
    assert FIRST_BARRIER_ID == 2**31
