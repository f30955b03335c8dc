"""The pace: windows that barriers move and the wire widens, a rate, and replies that are free."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner._session.gateway import (
    BURST,
    ENGINE_QUEUE,
    ENGINE_QUEUE_BYTES,
    MAX_OWED,
    MAX_UNASKED,
    MAX_UNDER_WAY_BYTES,
    RING,
)
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID
from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import BARRIER_TIMEOUT, MAX_GATEWAYS, STEP, Pace
from rivet_runner._session.round_trips import KEPT
from rivet_runner.protocol.v3 import (
    KvGetRequest,
    ToServerKvRequest,
    ToServerTunnelMessage,
    decode_to_server,
    encode_to_server,
)
from tests.session.distant_engine import GATEWAY, DistantEngine, message
from tests.support.examples import examples

OTHER = b"gw-2"
FAST = 1e9
"""A rate at which only the windows hold anything back."""

NEAR, FAR = 0.000_5, 0.1
"""Round trips in seconds."""


def pace_at(rate: float) -> Pace:
    return Pace(rate, lambda: "some actor", encode_to_server)


def engine_at(round_trip: float, rate: float, pace: Pace | None = None) -> DistantEngine:
    return DistantEngine(pace or pace_at(FAST), round_trip=round_trip, rate=rate)


def filled(count: int, gateway: bytes = GATEWAY, data: bytes = b"") -> Outbox:
    outbox = Outbox(2**40)
    for number in range(count):
        outbox.add(message(number, gateway, data))
    return outbox


def split(frames: list[bytes]) -> tuple[list[tuple[bytes, int]], list[int]]:
    """The messages, each as gateway and number, and the ids of the barriers among them."""
    messages, barriers = [], []
    for frame in frames:
        decoded = decode_to_server(frame)
        if isinstance(decoded, ToServerTunnelMessage):
            messages.append((decoded.message_id.gateway_id, int.from_bytes(decoded.message_id.request_id, "big")))
        else:
            assert isinstance(decoded, ToServerKvRequest)
            assert decoded.actor_id == "some actor"
            assert isinstance(decoded.data, KvGetRequest)
            barriers.append(decoded.request_id)
    return messages, barriers


def all_that_may_leave(pace: Pace, outbox: Outbox, now: float) -> list[bytes]:
    """Looks that follow each other closely: the burst of one is not what is tested."""
    return [frame for look in range(5) for frame in pace.take(outbox, now + look / 1e6)]


def count(frames: list[bytes]) -> int:
    return len(split(frames)[0])


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


# The wire and the engine's queue


@pytest.mark.parametrize("round_trip", [0.05, 0.1, 0.3])
def test_the_window_grows_to_its_largest_when_only_the_wire_is_long(round_trip: float) -> None:
    engine = engine_at(round_trip, 50_000)
    engine.add(60_000)
    engine.run(5 * round_trip)
    engine.forget_peaks()
    left = engine.run(2.0)
    assert left >= 0.9 * 2.0 * MAX_UNASKED / round_trip
    assert engine.most_under_way == MAX_UNASKED
    assert engine.longest_queue <= STEP


@pytest.mark.parametrize("round_trip", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("thinking", [0.0, 0.03])
def test_most_of_what_the_distance_allows_passes_when_a_thousand_clients_wait_for_their_replies(
    round_trip: float, thinking: float
) -> None:
    """The rate is that of `send_rate`, half of what passes at the shortest distance."""
    engine = engine_at(round_trip, 50_000, pace_at(10_000))

    def next_message() -> None:
        engine.pace.credit_reply(GATEWAY)
        engine.at(engine.now + thinking, lambda: engine.add(1))

    engine.on_taken = next_message
    for _ in range(1000):
        next_message()
    engine.run(8 * round_trip)
    seconds = 4 * (round_trip + thinking)
    assert engine.run(seconds) >= 0.9 * 1000 / (round_trip + thinking) * seconds


@settings(deadline=None, max_examples=examples(40))
@given(st.floats(0.000_1, 0.3), st.floats(500, 10_000))
def test_the_engine_is_kept_busy_with_a_short_queue_when_it_is_at_any_distance(round_trip: float, rate: float) -> None:
    engine = engine_at(round_trip, rate)
    engine.add(60_000)
    engine.run(5 * (round_trip + ENGINE_QUEUE / rate))
    engine.forget_peaks()
    left = engine.run(1.0)
    assert engine.longest_queue <= 2 * ENGINE_QUEUE
    assert engine.most_under_way <= MAX_UNASKED
    assert left >= 0.75 * min(rate, MAX_UNASKED / (round_trip + MAX_UNASKED / rate)) - ENGINE_QUEUE


def test_the_window_shrinks_when_a_distant_engine_becomes_slow() -> None:
    engine = engine_at(FAR, 50_000)
    engine.add(200_000)
    engine.run(3.0)
    assert engine.most_under_way == MAX_UNASKED
    engine.rate = 1000
    engine.run(2.0)
    engine.forget_peaks()
    engine.run(2.0)
    assert engine.most_under_way <= 1000 * FAR + ENGINE_QUEUE + 2 * STEP


@pytest.mark.parametrize("round_trip", [NEAR, FAR])
def test_the_queue_stays_short_when_the_engine_is_slow_for_much_longer_than_a_minimum_is_kept(round_trip: float) -> None:
    engine = engine_at(round_trip, 1000)
    engine.add(100_000)
    engine.run(1.0)
    engine.forget_peaks()
    left = engine.run(6 * KEPT)
    assert engine.longest_queue <= 2 * ENGINE_QUEUE
    assert left >= 0.9 * 6 * KEPT * 1000


def test_the_window_follows_when_the_wire_becomes_longer() -> None:
    """A stale minimum expires: at first what the wire has more looks like a queue."""
    engine = engine_at(0.02, 20_000)
    engine.add(500_000)
    engine.run(1.0)
    engine.round_trip = 0.2
    engine.run(1.0)
    assert engine.run(1.0) <= 0.5 * MAX_UNASKED / 0.2
    engine.run(KEPT)
    assert engine.run(1.0) >= 0.85 * MAX_UNASKED / 0.2


def test_the_window_follows_when_the_wire_becomes_shorter() -> None:
    """At first the messages that the wire had queue in the engine, and keep the round trip as long as it was."""
    engine = engine_at(FAR, 3000)
    engine.add(100_000)
    engine.run(2.0)
    engine.round_trip = NEAR
    engine.run(1.5 * KEPT)
    engine.forget_peaks()
    engine.run(1.0)
    assert engine.longest_queue <= ENGINE_QUEUE + 2 * STEP


@pytest.mark.parametrize("round_trip", [NEAR, FAR])
def test_what_arrives_at_once_fits_into_the_ring_when_the_engine_has_stalled(round_trip: float) -> None:
    engine = engine_at(round_trip, 50_000)
    engine.add(100_000)
    engine.run(1.0)
    engine.forget_peaks()
    engine.stall(BARRIER_TIMEOUT / 2)
    engine.run(BARRIER_TIMEOUT / 2)
    assert engine.longest_queue <= MAX_UNASKED < RING
    assert engine.run(1.0) > 5000, "and it goes on"


# Bytes


def test_the_window_counts_bytes_when_messages_are_large() -> None:
    large = bytes(ENGINE_QUEUE_BYTES // 2)
    pace, outbox = pace_at(FAST), filled(5, data=large)
    messages, barriers = split(pace.take(outbox, 1.0))
    assert len(messages) == 2
    assert len(barriers) == 1
    assert pace.take(outbox, 2.0) == []
    pace.confirm(barriers[0])
    assert count(pace.take(outbox, 3.0)) == 3, "the wire is so long that it holds some as well"


def test_a_message_leaves_alone_when_it_is_larger_than_the_window() -> None:
    pace, outbox = pace_at(FAST), filled(3, data=bytes(2 * ENGINE_QUEUE_BYTES))
    assert count(pace.take(outbox, 1.0)) == 1


def test_bytes_under_way_grow_with_the_wire_and_stay_bounded_when_messages_are_large() -> None:
    engine = engine_at(FAR, 10_000)
    size = 100_000
    engine.add(2000, data=bytes(size))
    engine.run(1.0)
    engine.forget_peaks()
    engine.run(0.5)
    assert 0.9 * MAX_UNDER_WAY_BYTES <= engine.most_under_way * size <= MAX_UNDER_WAY_BYTES + size


def test_a_barrier_follows_what_is_under_way_when_the_window_shrinks_below_that() -> None:
    """Otherwise nothing would ever move the window again."""
    engine = engine_at(FAR, 10_000)
    engine.add(2000, data=bytes(300_000))
    engine.run(1.0)
    engine.rate = 10
    assert engine.run(30.0) >= 0.8 * 30.0 * 10


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
    outbox.add(message(7, OTHER))
    assert split(pace.take(outbox, 2.0))[0] == [(OTHER, 7)]


def test_messages_to_another_gateway_leave_when_one_is_at_its_rate() -> None:
    pace, outbox = pace_at(1.0), filled(2 * BURST)
    pace.take(outbox, 1.0)
    for number in range(BURST):
        outbox.add(message(number, OTHER))
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
            outbox.add(message(number, gateway))
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
