"""The order of indexes that wrap."""

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._sockets.inbound import ahead
from rivet_runner.protocol.tunnel_ids import INDEX_SPACE, next_index

indexes = st.integers(0, INDEX_SPACE - 1)


@given(indexes)
def test_ahead_is_one_when_an_index_follows(index: int) -> None:
    assert ahead(next_index(index), than=index) == 1
    assert ahead(index, than=next_index(index)) == -1


@given(indexes, st.integers(-(INDEX_SPACE // 2), INDEX_SPACE // 2 - 1))
def test_ahead_is_the_distance_when_it_is_less_than_half_the_circle(index: int, distance: int) -> None:
    assert ahead((index + distance) % INDEX_SPACE, than=index) == distance


def test_next_index_is_zero_when_the_last_one_was_reached() -> None:
    assert next_index(65_535) == 0
    assert ahead(0, than=65_535) == 1
    assert ahead(5, than=65_530) == 11
