"""One window: the wire's share, the engine's queue, and the largest size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._session.window import PROBE, Window

QUEUE = 100
LARGEST = 1000


def room(window: Window) -> int:
    return window.end - window.sent


def answered(window: Window, wire_share: float) -> None:
    """Fill the window, and let the answer to a barrier behind that come."""
    window.sent = max(window.sent, window.end)
    _, sent, beyond = window.place()
    window.learn(sent, beyond, wire_share)


def test_one_queue_may_leave_when_nothing_is_known() -> None:
    window = Window(QUEUE, LARGEST)
    assert room(window) == QUEUE
    window.sent += 30
    assert room(window) == QUEUE - 30
    assert window.beyond == 30


def test_it_grows_by_a_queue_each_round_trip_when_the_engine_keeps_pace() -> None:
    window = Window(QUEUE, LARGEST)
    sizes = []
    for _ in range(12):
        answered(window, 1.0)
        sizes.append(room(window))
    assert sizes == [200, 300, 400, 500, 600, 700, 800, 900, 1000, 1000, 1000, 1000]


def test_it_stays_small_when_the_engine_is_near() -> None:
    """All that is under way waits in the engine: its round trip is ten times the shortest."""
    window = Window(QUEUE, LARGEST)
    for _ in range(100):
        answered(window, 0.1)
    assert room(window) <= QUEUE * 10 / 9 + 1


def test_it_shrinks_when_the_engine_becomes_slow() -> None:
    window = Window(QUEUE, LARGEST)
    for _ in range(12):
        answered(window, 1.0)
    answered(window, 0.2)
    assert room(window) == QUEUE + LARGEST * 0.2


def test_it_stays_when_little_was_under_way() -> None:
    window = Window(QUEUE, LARGEST)
    for _ in range(12):
        answered(window, 1.0)
    window.sent += 10
    _, sent, beyond = window.place()
    window.learn(sent, beyond, 0.1)
    assert room(window) == LARGEST


def test_what_was_sent_behind_the_barrier_stays_under_way_when_it_is_answered() -> None:
    window = Window(QUEUE, LARGEST)
    window.sent += 60
    _, sent, _ = window.place()
    window.sent += 30
    window.confirm(sent)
    assert window.beyond == 30
    window.confirm(sent - 20)
    assert window.beyond == 30, "an earlier barrier says nothing new"


def test_little_may_leave_when_the_round_trip_is_measured_anew() -> None:
    window = Window(QUEUE, LARGEST)
    for _ in range(12):
        answered(window, 1.0)
    window.probe()
    assert room(window) == QUEUE // PROBE
    window.sent += QUEUE // PROBE
    assert window.small
    window.sent += 1
    assert not window.small


def test_it_is_as_large_as_before_when_the_new_round_trip_shows_no_queue() -> None:
    window = Window(QUEUE, LARGEST)
    for _ in range(5):
        answered(window, 1.0)
    before = room(window)
    window.probe()
    answered(window, 1.0)
    assert room(window) == before


def test_nothing_is_under_way_when_the_connection_has_ended() -> None:
    window = Window(QUEUE, LARGEST)
    for _ in range(12):
        answered(window, 1.0)
    window.sent += 500
    window.reset()
    assert window.beyond == 0
    assert room(window) == QUEUE


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0, 1)), max_size=100))
def test_no_more_than_the_most_is_under_way_when_shares_vary(steps: list[tuple[int, float]]) -> None:
    window = Window(QUEUE, LARGEST)
    for wanted, share in steps:
        before = window.end - window.sent + window.beyond
        window.sent += max(0, min(wanted, room(window)))
        assert window.beyond <= LARGEST
        _, sent, beyond = window.place()
        window.learn(sent, beyond, share)
        after = room(window)
        assert QUEUE <= after <= min(LARGEST, before + QUEUE), "one answer adds no more than a queue"
