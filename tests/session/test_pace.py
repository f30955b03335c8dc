"""The pace: a window that barriers move, a rate, and replies that are free."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._session import pace as pace_module
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID
from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import BARRIER_TIMEOUT, BURST, STEP, WINDOW, WINDOW_BYTES, Pace
from rivet_runner.protocol.v3 import KvGetRequest, ToServerKvRequest, decode_to_server

FRAME = b"\x06" + b"x" * 40
FAST = 1e9
"""A rate at which only the window holds anything back."""


def filled(count: int, frame: bytes = FRAME) -> Outbox:
    outbox = Outbox(2**30)
    for _ in range(count):
        outbox.add(frame)
    return outbox


def split(frames: list[bytes]) -> tuple[int, list[int]]:
    """How many messages, and the ids of the barriers among them."""
    messages, barriers = 0, []
    for frame in frames:
        if frame == FRAME or len(frame) > 100:
            messages += 1
        else:
            barrier = decode_to_server(frame)
            assert isinstance(barrier, ToServerKvRequest)
            assert barrier.actor_id == "some actor"
            assert isinstance(barrier.data, KvGetRequest)
            barriers.append(barrier.request_id)
    return messages, barriers


def test_one_window_leaves_when_no_barrier_is_answered() -> None:
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(1000)
    now, messages = 0.0, 0
    barriers: list[int] = []
    for _ in range(10):
        now += 1
        some, more = split(pace.take(outbox, now))
        messages, barriers = messages + some, barriers + more
    assert messages == WINDOW
    assert len(barriers) == WINDOW // STEP
    assert pace.confirm(barriers[1])
    assert split(pace.take(outbox, now + 1))[0] == 2 * STEP, "an answer confirms everything before its barrier"


def test_an_answer_is_not_the_paces_when_it_is_to_a_call_of_an_actor() -> None:
    pace = Pace(FAST, lambda: "some actor")
    assert not pace.confirm(FIRST_BARRIER_ID - 1)
    assert pace.confirm(FIRST_BARRIER_ID), "an answer that comes late, after a reconnect, is nobody else's either"


@given(st.floats(100, 50_000), st.lists(st.floats(0.0, 0.05), min_size=1, max_size=60))
def test_no_more_than_the_rate_leaves_when_every_barrier_is_answered(rate: float, pauses: list[float]) -> None:
    pace, outbox = Pace(rate, lambda: "some actor"), filled(20_000)
    now, messages = 100.0, 0
    for pause in pauses:
        now += pause
        some, barriers = split(pace.take(outbox, now))
        messages += some
        for barrier in barriers:
            pace.confirm(barrier)
    assert messages <= BURST + sum(pauses) * rate + 1


def test_replies_are_free_when_something_was_heard() -> None:
    pace, outbox = Pace(1.0, lambda: "some actor"), filled(2 * BURST)
    assert split(pace.take(outbox, 0.0))[0] == BURST
    assert split(pace.take(outbox, 0.0))[0] == 0
    for _ in range(5):
        pace.credit_reply()
    assert split(pace.take(outbox, 0.0))[0] == 5


def test_the_window_counts_bytes_when_messages_are_large() -> None:
    large = b"x" * (WINDOW_BYTES // 2)
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(5, large)
    messages, barriers = split(pace.take(outbox, 1.0))
    assert messages == 2
    assert len(barriers) == 1
    assert split(pace.take(outbox, 2.0)) == (0, [])
    pace.confirm(barriers[0])
    assert split(pace.take(outbox, 3.0))[0] == 2


def test_a_message_leaves_alone_when_it_is_larger_than_the_window() -> None:
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(3, b"x" * (2 * WINDOW_BYTES))
    assert split(pace.take(outbox, 1.0))[0] == 1


def test_everything_is_taken_as_worked_off_when_the_connection_ends() -> None:
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(2 * WINDOW)
    assert split(pace.take(outbox, 1.0))[0] + split(pace.take(outbox, 2.0))[0] == WINDOW
    pace.reset()
    assert split(pace.take(outbox, 3.0))[0] > 0


def test_messages_leave_all_the_same_when_no_barrier_is_answered_for_long() -> None:
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(2 * WINDOW)
    for now in (1.0, 2.0, 3.0):
        pace.take(outbox, now)
    assert not pace.give_up_waiting(2.0 + BARRIER_TIMEOUT - 1)
    assert pace.wait(4.0) > BARRIER_TIMEOUT - 3
    assert pace.give_up_waiting(2.0 + BARRIER_TIMEOUT)
    assert split(pace.take(outbox, 3.0 + BARRIER_TIMEOUT))[0] > 0


def test_everything_leaves_at_once_when_there_is_no_rate() -> None:
    pace, outbox = Pace(0, lambda: "some actor"), filled(5000)
    assert pace.take(outbox, 0.0) == [FRAME] * 5000


def test_barrier_ids_wrap_within_their_half_when_they_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_module, "REQUEST_IDS", FIRST_BARRIER_ID + 2)
    pace, outbox = Pace(FAST, lambda: "some actor"), filled(WINDOW)
    ids: list[int] = []
    for now in range(10):
        ids += split(pace.take(outbox, now))[1]
    assert ids == [FIRST_BARRIER_ID, FIRST_BARRIER_ID + 1] * 2
