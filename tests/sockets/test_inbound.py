"""Which client message is new, repeated, or ahead of a gap: against a gateway that loses and replays."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner._sockets.inbound import Flow, InboundStream, Verdict, ahead
from rivet_runner.protocol.tunnel_ids import INDEX_SPACE, next_index
from tests.support.examples import examples

starts = st.sampled_from([0, 1, 7, 32_767, 32_768, 65_500, 65_535])


@given(starts, st.integers(1, 300))
def test_everything_is_delivered_when_nothing_is_lost(start: int, count: int) -> None:
    stream, index = InboundStream(start), start
    for _ in range(count):
        index = next_index(index)
        assert stream.receive(index) is Verdict.DELIVER
    assert stream.flow is Flow.FLOWING


@given(starts, st.integers(0, 1000))
def test_a_message_is_a_repetition_when_it_is_not_newer(start: int, behind: int) -> None:
    stream = InboundStream(start)
    assert stream.receive((start - behind) % INDEX_SPACE) is Verdict.REPETITION
    assert stream.last == start


@given(starts, st.integers(2, 1000))
def test_a_gap_is_told_once_when_several_messages_are_ahead(start: int, distance: int) -> None:
    stream = InboundStream(start)
    assert stream.receive((start + distance) % INDEX_SPACE) is Verdict.GAP
    assert stream.receive((start + distance + 1) % INDEX_SPACE) is Verdict.AHEAD
    assert stream.last == start


def test_the_replay_is_noticed_when_its_first_message_is_a_repetition() -> None:
    stream = InboundStream(10)
    assert stream.receive(12) is Verdict.GAP
    stream.replay_asked()
    assert stream.receive(13) is Verdict.AHEAD  # was under way before the request
    assert stream.flow is Flow.REPAIRING
    assert stream.receive(9) is Verdict.REPETITION
    assert stream.receive(11) is Verdict.DELIVER


def test_a_message_without_room_is_asked_for_again_when_there_is_room() -> None:
    stream = InboundStream(65_535)
    assert stream.receive(0) is Verdict.DELIVER
    stream.refuse()
    assert stream.flow is Flow.GAP
    assert stream.receive(1) is Verdict.AHEAD
    stream.replay_asked()
    assert stream.receive(0) is Verdict.DELIVER
    assert stream.receive(1) is Verdict.DELIVER


class Gateway:
    """Keeps every message until it is acknowledged, loses some on their way, and replays all it has when asked."""

    def __init__(self, start: int) -> None:
        self.index = start
        self.kept: list[tuple[int, int]] = []

    def send(self, number: int) -> tuple[int, int]:
        self.index = next_index(self.index)
        self.kept.append((self.index, number))
        return self.kept[-1]


@settings(max_examples=examples(300))
@given(
    start=starts,
    losses=st.lists(st.booleans(), min_size=1, max_size=200),
    replay_losses=st.lists(st.sets(st.integers(0, 210)), max_size=40),
    late=st.integers(0, 10),
)
def test_every_message_is_delivered_once_in_order_when_any_are_lost(
    start: int, losses: list[bool], replay_losses: list[set[int]], late: int
) -> None:
    gateway, stream = Gateway(start), InboundStream(start)
    delivered: list[int] = []
    losing = iter(replay_losses)

    def arrive(index: int, number: int) -> None:
        if stream.receive(index) is Verdict.DELIVER:
            delivered.append(number)

    def repair() -> None:
        stream.replay_asked()
        lost = next(losing, set())  # a replay is a burst too, and the engine may lose any of it
        for position, message in enumerate([*gateway.kept]):
            if position not in lost:
                arrive(*message)

    for number, lost in enumerate(losses):
        message = gateway.send(number)
        if not lost:
            arrive(*message)
            assert stream.flow is not Flow.FLOWING or delivered == list(range(number + 1))
        if stream.flow is not Flow.FLOWING and number % (late + 1) == 0:
            repair()
    # The last messages may be lost without a successor that shows it; the client's next one does.
    arrive(*gateway.send(len(losses)))
    while stream.flow is not Flow.FLOWING:
        repair()
    assert delivered == list(range(len(losses) + 1))


def test_the_gap_stays_when_the_end_of_the_replay_is_lost() -> None:
    stream = InboundStream(10)
    assert [stream.receive(index) for index in (13, 15, 14)] == [Verdict.GAP, Verdict.AHEAD, Verdict.AHEAD]
    stream.replay_asked()
    flows = []
    for index in (11, 12, 13, 14, 15):
        assert stream.receive(index) is Verdict.DELIVER
        flows.append(stream.flow)
    assert flows == [Flow.REPLAYING] * 4 + [Flow.FLOWING]


@given(starts, st.integers(2, 50), st.data())
def test_the_end_of_a_replay_is_noticed_when_its_beginning_is_lost(start: int, furthest: int, data: st.DataObject) -> None:
    stream = InboundStream(start)
    late = data.draw(st.integers(0, 5), label="messages that were under way before the request")
    stream.receive((start + furthest) % INDEX_SPACE)
    stream.replay_asked()
    for distance in range(furthest + 1, furthest + 1 + late):
        stream.receive((start + distance) % INDEX_SPACE)
        assert not stream.replay_is_over
    first = data.draw(st.integers(2, furthest + late), label="the first message of the replay that is not lost")
    for distance in range(first, furthest + late + 1):
        assert not stream.replay_is_over
        stream.receive((start + distance) % INDEX_SPACE)
    assert stream.replay_is_over
    stream.replay_asked()
    assert not stream.replay_is_over


@given(starts, st.lists(st.integers(-300, 300), max_size=100))
def test_everything_that_came_is_counted_when_it_was_dropped_as_well(start: int, distances: list[int]) -> None:
    stream = InboundStream(start)
    for distance in distances:
        if stream.receive((start + distance) % INDEX_SPACE) is Verdict.DELIVER and distance % 3 == 0:
            stream.refuse()
    assert stream.arrived == len(distances)


# The order of indexes that wrap

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
