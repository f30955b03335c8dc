"""The shortest recent round trip: what confirms it, what replaces it, and what drops it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._session.round_trips import JITTER, JITTER_SECONDS, KEPT, RECENT, RoundTrips

WIRE = 0.1


def known(shortest: float = WIRE) -> RoundTrips:
    trips = RoundTrips()
    trips.add(shortest, 0.0, small=True)
    return trips


def test_nothing_is_known_when_no_barrier_was_answered() -> None:
    assert RoundTrips().shortest is None


def test_the_first_round_trip_does_not_count_when_much_was_ahead_of_it() -> None:
    trips = RoundTrips()
    trips.add(WIRE, 0.0, small=False)
    assert trips.shortest is None


@given(st.lists(st.tuples(st.floats(0.001, 2.0), st.booleans()), min_size=1, max_size=50))
def test_the_shortest_counts_when_all_come_within_a_moment(samples: list[tuple[float, bool]]) -> None:
    trips = known()
    for seconds, small in samples:
        trips.add(seconds, KEPT / 2, small=small)
    assert trips.shortest == min([WIRE, *(seconds for seconds, _ in samples)])


def test_a_shorter_one_counts_when_much_was_ahead_of_it() -> None:
    trips = known()
    trips.add(WIRE / 2, 1.0, small=False)
    assert trips.shortest == WIRE / 2


def test_the_minimum_is_replaced_when_every_round_trip_was_longer_for_long() -> None:
    trips = known()
    for second in range(int(KEPT)):
        trips.add(2 * WIRE, float(second), small=True)
        assert trips.shortest == WIRE
    trips.add(2 * WIRE, KEPT, small=True)
    assert trips.shortest == 2 * WIRE


def test_nothing_is_known_when_the_minimum_has_expired_and_much_is_under_way() -> None:
    trips = known()
    trips.add(2 * WIRE, 1.0, small=False)
    trips.add(2 * WIRE, 1.0 + KEPT, small=False)
    assert trips.shortest is None
    trips.add(3 * WIRE, 1.1 + KEPT, small=False)
    assert trips.shortest is None, "that one may have waited behind our own messages"
    trips.add(3 * WIRE, 1.2 + KEPT, small=True)
    assert trips.shortest == 3 * WIRE


def test_the_minimum_stays_when_one_round_trip_in_a_while_is_close_to_it() -> None:
    trips = known()
    for second in range(100):
        close = second % int(KEPT - 1) == 0
        trips.add(WIRE * (1 + JITTER) if close else 2 * WIRE, float(second), small=True)
    assert trips.shortest == WIRE


def test_the_minimum_stays_when_the_engine_is_near_and_a_round_trip_varies_by_less_than_a_millisecond() -> None:
    trips = known(0.000_2)
    for second in range(100):
        trips.add(0.000_2 + JITTER_SECONDS, float(second), small=True)
    assert trips.shortest == 0.000_2


def test_all_is_the_wires_when_one_round_trip_in_a_few_is_short() -> None:
    trips = known()
    for number in range(100):
        trips.add(WIRE if number % RECENT == 0 else 3 * WIRE, number / 100, small=True)
        assert trips.wire_share == 1.0


def test_the_wires_share_falls_when_every_round_trip_is_long() -> None:
    trips = known()
    for number in range(RECENT):
        assert trips.wire_share == 1.0
        trips.add(4 * WIRE, number / 100, small=True)
    assert trips.wire_share == 0.25


def test_no_share_is_known_when_no_round_trip_is() -> None:
    assert RoundTrips().wire_share is None


def test_the_minimum_stays_when_there_is_silence() -> None:
    trips = known()
    trips.add(2 * WIRE, 100 * KEPT, small=True)
    assert trips.shortest == WIRE
