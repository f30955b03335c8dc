"""The window of a pace, which barriers move and the wire widens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner._session.gateway import (
    ENGINE_QUEUE,
    ENGINE_QUEUE_BYTES,
    MAX_UNASKED,
    MAX_UNDER_WAY_BYTES,
    RING,
)
from rivet_runner._session.pace import BARRIER_TIMEOUT, STEP
from rivet_runner._session.round_trips import KEPT
from tests.session.distant_engine import GATEWAY
from tests.session.pacing import FAR, FAST, NEAR, count, engine_at, filled, pace_at, split
from tests.support.examples import examples


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("round_trip", [NEAR, FAR])
def test_the_queue_stays_short_when_the_engine_is_slow_for_much_longer_than_a_minimum_is_kept(round_trip: float) -> None:
    engine = engine_at(round_trip, 1000)
    engine.add(100_000)
    engine.run(1.0)
    engine.forget_peaks()
    left = engine.run(6 * KEPT)
    assert engine.longest_queue <= 2 * ENGINE_QUEUE
    assert left >= 0.9 * 6 * KEPT * 1000


@pytest.mark.slow
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


@pytest.mark.slow
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
