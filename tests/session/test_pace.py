"""The pace: barriers that tell what the engine has taken, a rate, replies that are free, and many gateways."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner._session.gateway import (
    BURST,
    ENGINE_QUEUE,
    MAX_OWED,
    MAX_UNASKED,
    RING,
)
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID
from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import BARRIER_TIMEOUT, MAX_GATEWAYS, STEP
from tests.session.distant_engine import GATEWAY, message
from tests.session.pacing import FAR, FAST, OTHER, all_that_may_leave, count, engine_at, filled, pace_at, split

# Barriers


def test_one_queue_leaves_when_no_barrier_is_answered() -> None:
    pace, outbox = pace_at(FAST), filled(1000)
    messages, barriers = split(all_that_may_leave(pace, outbox, 1.0))
    assert len(messages) == ENGINE_QUEUE
    assert len(barriers) == ENGINE_QUEUE // STEP
    for now in range(2, 10):
        assert pace.take(outbox, float(now)) == []


def test_an_answer_is_not_the_paces_when_it_is_to_a_call_of_an_actor() -> None:
    pace = pace_at(FAST)
    assert not pace.confirm(FIRST_BARRIER_ID - 1)
    assert pace.confirm(FIRST_BARRIER_ID), "an answer that comes late, after a reconnect, is not a caller's either"


def test_an_answer_confirms_what_was_sent_before_when_earlier_answers_were_lost() -> None:
    pace, outbox = pace_at(FAST), filled(1000)
    _, barriers = split(all_that_may_leave(pace, outbox, 1.0))
    pace.confirm(barriers[2])
    pace.take(filled(0), 1.1)
    assert pace.unconfirmed == ENGINE_QUEUE - 3 * STEP
    pace.confirm(barriers[0])
    pace.take(filled(0), 1.2)
    assert pace.unconfirmed == ENGINE_QUEUE - 3 * STEP


def test_an_answer_confirms_every_gateway_when_one_got_nothing_since_a_barrier_whose_answer_was_lost() -> None:
    pace = pace_at(FAST)
    pace.take(filled(STEP, OTHER), 1.0)
    _, [barrier] = split(pace.take(filled(STEP), 1.0))
    pace.confirm(barrier)
    pace.take(filled(0), 1.1)
    assert pace.unconfirmed == 0


def test_messages_leave_all_the_same_when_no_barrier_is_answered_for_long() -> None:
    pace, outbox = pace_at(FAST), filled(2 * ENGINE_QUEUE)
    for now in (0.0, 1.0, 2.0, 3.0):
        pace.take(outbox, now)
    assert pace.wait(4.0) == 1.0 + BARRIER_TIMEOUT - 4.0
    assert not pace.give_up_waiting(BARRIER_TIMEOUT)
    assert pace.give_up_waiting(1.0 + BARRIER_TIMEOUT)
    assert count(all_that_may_leave(pace, outbox, 1.0 + BARRIER_TIMEOUT)) == ENGINE_QUEUE


def test_patience_begins_anew_when_any_barrier_is_answered() -> None:
    pace, outbox = pace_at(FAST), filled(2 * ENGINE_QUEUE)
    _, barriers = split(all_that_may_leave(pace, outbox, 1.0))
    pace.confirm(barriers[0])
    all_that_may_leave(pace, outbox, BARRIER_TIMEOUT)
    assert not pace.give_up_waiting(2.0 + BARRIER_TIMEOUT)
    assert pace.wait(BARRIER_TIMEOUT) == pytest.approx(BARRIER_TIMEOUT)


def test_nothing_is_waited_for_when_everything_has_left() -> None:
    pace = pace_at(FAST)
    all_that_may_leave(pace, filled(ENGINE_QUEUE), 1.0)
    assert pace.wait(1.0) == math.inf
    assert not pace.give_up_waiting(10 * BARRIER_TIMEOUT)


def test_everything_is_taken_as_worked_off_when_the_connection_ends() -> None:
    engine = engine_at(FAR, 50_000)
    engine.add(100_000)
    engine.run(2.0)
    assert engine.pace.unconfirmed > ENGINE_QUEUE
    engine.pace.reset()
    assert engine.pace.unconfirmed == 0
    left = all_that_may_leave(engine.pace, filled(1000), engine.now)
    assert count(left) == ENGINE_QUEUE, "the next engine may be near"


# Rate and replies


@settings(deadline=None)
@given(st.floats(100, 5000), st.lists(st.floats(0.0, 0.05), min_size=1, max_size=20))
def test_no_more_than_the_rate_leaves_when_every_barrier_is_answered(rate: float, pauses: list[float]) -> None:
    pace, outbox = pace_at(rate), filled(6000)
    now, messages = 100.0, 0
    for pause in pauses:
        now += pause
        some, barriers = split(pace.take(outbox, now))
        messages += len(some)
        for barrier in barriers:
            pace.confirm(barrier)
    assert messages <= BURST + sum(pauses) * rate + 1


def test_another_look_is_soon_when_only_the_rate_holds_messages_back() -> None:
    pace, outbox = pace_at(10.0), filled(2 * BURST)
    assert count(pace.take(outbox, 1.0)) == BURST
    assert pace.wait(1.0) == pytest.approx(0.1)


def test_replies_are_free_when_something_was_heard() -> None:
    pace, outbox = pace_at(1.0), filled(2 * BURST)
    assert count(pace.take(outbox, 0.0)) == BURST
    assert pace.take(outbox, 0.0) == []
    for _ in range(5):
        pace.credit_reply(GATEWAY)
    assert count(pace.take(outbox, 0.0)) == 5


def test_a_burst_may_still_leave_when_replies_have_left() -> None:
    pace = pace_at(1.0)
    for _ in range(50):
        pace.credit_reply(GATEWAY)
    assert count(pace.take(filled(50), 0.0)) == 50
    assert count(pace.take(filled(2 * BURST), 0.0)) == BURST


def test_a_reply_is_free_when_it_comes_late_and_many_clients_wait() -> None:
    pace = pace_at(1.0)
    for _ in range(200):
        pace.credit_reply(GATEWAY)
    assert count(pace.take(filled(200), 60.0)) == 200


def test_what_leaves_at_once_fits_into_the_ring_when_clients_speak_and_wait_for_nothing() -> None:
    pace, outbox = pace_at(1.0), filled(3 * RING)
    for _ in range(10 * RING):
        pace.credit_reply(GATEWAY)
    left = 0
    for _ in range(100):
        messages, barriers = split(pace.take(outbox, 0.0))
        left += len(messages)
        for barrier in barriers:
            pace.confirm(barrier)
    assert left == MAX_OWED + BURST < RING


def test_replies_wait_for_the_engine_when_it_does_not_take_them() -> None:
    pace, outbox = pace_at(1.0), filled(1000)
    for _ in range(1000):
        pace.credit_reply(GATEWAY)
    assert count(pace.take(outbox, 1.0)) == ENGINE_QUEUE
    assert pace.wait(1.0) == BARRIER_TIMEOUT


def test_only_replies_leave_when_unasked_messages_have_filled_their_part_of_the_ring() -> None:
    engine = engine_at(FAR, 50_000)
    engine.add(20_000)
    engine.run(1.0)
    pace, now = engine.pace, engine.now
    assert pace.unconfirmed == MAX_UNASKED
    assert pace.take(engine.outbox, now) == []
    for _ in range(RING):
        pace.credit_reply(GATEWAY)
    assert count(pace.take(engine.outbox, now)) == RING - MAX_UNASKED
    assert pace.unconfirmed == RING
    assert pace.wait(now) > 1.0, "an answer is what lets more leave"


def test_everything_leaves_at_once_when_there_is_no_rate() -> None:
    pace, outbox = pace_at(0), filled(5000)
    frames = [message(number) for number in range(5000)]
    assert pace.take(outbox, 0.0) == frames
    assert pace.wait(0.0) == 0.0


# Many gateways


def test_messages_to_another_gateway_leave_when_one_is_at_its_window() -> None:
    pace, outbox = pace_at(FAST), filled(1000)
    all_that_may_leave(pace, outbox, 1.0)
    outbox.add(OTHER, message(7, OTHER))
    assert split(pace.take(outbox, 2.0))[0] == [(OTHER, 7)]


def test_messages_to_another_gateway_leave_when_one_is_at_its_rate() -> None:
    pace, outbox = pace_at(1.0), filled(2 * BURST)
    pace.take(outbox, 1.0)
    for number in range(BURST):
        outbox.add(OTHER, message(number, OTHER))
    assert split(pace.take(outbox, 1.0))[0] == [(OTHER, number) for number in range(BURST)]


def test_a_reply_is_free_for_its_own_gateway_when_there_are_others() -> None:
    pace, outbox = pace_at(1.0), filled(2 * BURST)
    pace.take(outbox, 1.0)
    pace.credit_reply(OTHER)
    assert pace.take(outbox, 1.0) == []


def test_each_gateway_has_a_window_of_its_own_when_the_wire_is_long() -> None:
    engine = engine_at(FAR, 100_000)
    for number in range(3):
        engine.add(20_000, b"gw-%d" % number)
    engine.run(1.0)
    assert engine.most_under_way == 3 * MAX_UNASKED


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 150)), max_size=30),
    st.lists(st.integers(0, 3), max_size=10),
)
def test_each_gateway_gets_its_messages_once_and_in_order_when_some_wait_for_others(
    added: list[tuple[int, int]], heard: list[int]
) -> None:
    pace, outbox = pace_at(5000.0), Outbox(2**40)
    wanted: dict[bytes, list[int]] = {}
    got: dict[bytes, list[int]] = {}
    unanswered: list[int] = []
    now, number = 1.0, 0

    def look() -> None:
        messages, barriers = split(pace.take(outbox, now))
        unanswered.extend(barriers)
        for gateway, place in messages:
            got.setdefault(gateway, []).append(place)

    for which, how_many in added:
        gateway = b"gw-%d" % which
        for _ in range(how_many):
            outbox.add(gateway, message(number, gateway))
            wanted.setdefault(gateway, []).append(number)
            number += 1
        if which in heard:
            pace.credit_reply(gateway)
        now += 0.003
        look()
        if unanswered and which % 2:
            pace.confirm(unanswered.pop(0))
    while outbox:
        for barrier in unanswered:
            pace.confirm(barrier)
        unanswered.clear()
        now += 0.05
        look()
    assert got == wanted


def test_gateways_are_forgotten_when_they_are_many_and_nothing_is_under_way_to_them() -> None:
    pace = pace_at(1.0)
    pace.take(filled(STEP - 1), 1.0)
    for _ in range(BURST):
        pace.credit_reply(OTHER)
    for number in range(2 * MAX_GATEWAYS):
        pace.credit_reply(number.to_bytes(4, "big"))
    assert pace.unconfirmed == STEP - 1
    assert count(pace.take(filled(2 * BURST, OTHER), 1.0)) == BURST, "what was owed is forgotten"
