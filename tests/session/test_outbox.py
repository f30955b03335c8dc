"""The outbox: a queue for each gateway, in order, and one bound for all."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._session.outbox import FRAME_OVERHEAD, MAX_GATEWAYS, Outbox
from rivet_runner.protocol.v3 import (
    MessageId,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    decode_to_server,
    encode_to_server,
)

ONE, OTHER = b"gw-1", b"gw-2"
PLENTY = 2**30


def message(gateway: bytes, number: int, data: bytes = b"") -> bytes:
    kind = ToServerWebSocketMessage(number.to_bytes(4, "big") + data, True)
    return encode_to_server(ToServerTunnelMessage(MessageId(gateway, b"req1", 0), kind))


def number_of(frame: bytes) -> int:
    tunnel_message = decode_to_server(frame)
    assert isinstance(tunnel_message, ToServerTunnelMessage)
    assert isinstance(tunnel_message.message_kind, ToServerWebSocketMessage)
    return int.from_bytes(tunnel_message.message_kind.data[:4], "big")


@given(
    st.lists(st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 200))), max_size=80)
)
def test_every_message_is_taken_once_and_in_order_when_gateways_take_turns(steps: list[int | tuple[int, int, int]]) -> None:
    outbox = Outbox(2000)
    added: dict[bytes, list[int]] = {}
    taken: dict[bytes, list[int]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, int):
            outbox.add(b"gw-%d" % step, message(b"gw-%d" % step, number))
            added.setdefault(b"gw-%d" % step, []).append(number)
        elif (gateway := b"gw-%d" % step[0]) in outbox:
            frames, size = outbox.take(gateway, *step[1:])
            assert 0 < len(frames) <= step[1]
            assert size == sum(map(len, frames))
            taken.setdefault(gateway, []).extend(map(number_of, frames))
        assert outbox.full is (outbox.queued_bytes >= 2000)
    assert len(outbox) == sum(map(len, added.values())) - sum(map(len, taken.values()))
    assert bool(outbox) == bool(len(outbox))
    for gateway in outbox.gateways():
        taken.setdefault(gateway, []).extend(map(number_of, outbox.take(gateway, PLENTY, PLENTY)[0]))
    assert taken == added
    assert outbox.queued_bytes == 0


def test_a_message_is_taken_alone_when_it_has_more_bytes_than_may_leave() -> None:
    outbox = Outbox(PLENTY)
    for number in range(3):
        outbox.add(ONE, message(ONE, number, b"x" * 1000))
    assert list(map(number_of, outbox.take(ONE, 10, 1)[0])) == [0]
    assert list(map(number_of, outbox.take(ONE, 10, 1001)[0])) == [1]


def test_it_is_full_when_all_gateways_together_have_its_bytes() -> None:
    frame = message(ONE, 0)
    outbox = Outbox(2 * (len(frame) + FRAME_OVERHEAD))
    full = []
    for gateway in (ONE, OTHER):
        outbox.add(gateway, message(gateway, 0))
        full.append(outbox.full)
    outbox.take(ONE, 1, PLENTY)
    assert [*full, outbox.full] == [False, True, False]


def test_one_message_fits_when_the_bound_is_zero() -> None:
    outbox = Outbox(0)
    full = [outbox.full]
    outbox.add(ONE, message(ONE, 0))
    assert [*full, outbox.full] == [False, True]


def test_a_mark_is_passed_when_what_waited_has_left_for_every_gateway() -> None:
    outbox = Outbox(PLENTY)
    for number in range(4):
        outbox.add((ONE, OTHER)[number % 2], message((ONE, OTHER)[number % 2], number))
    mark = outbox.mark
    outbox.add(ONE, message(ONE, 4))
    assert not outbox.flushed(mark)
    outbox.take(ONE, 3, PLENTY)
    assert not outbox.flushed(mark), "three were taken, and two of the four still wait"
    outbox.take(OTHER, 2, PLENTY)
    assert outbox.flushed(mark)


def test_a_mark_is_passed_when_nothing_waits_or_everything_was_dropped() -> None:
    outbox = Outbox(PLENTY)
    assert outbox.flushed(outbox.mark)
    outbox.add(ONE, message(ONE, 0))
    outbox.add(OTHER, message(OTHER, 1))
    mark = outbox.mark
    assert outbox.drop_all() == 2
    assert outbox.flushed(mark)
    assert not outbox


def test_what_waits_is_kept_when_so_many_gateways_come_and_go_that_idle_ones_are_forgotten() -> None:
    outbox = Outbox(PLENTY)
    outbox.add(ONE, message(ONE, 0))
    mark = outbox.mark
    for number in range(10 * MAX_GATEWAYS):
        gateway = number.to_bytes(4, "big")
        outbox.add(gateway, message(gateway, number))
        outbox.take(gateway, 1, PLENTY)
    assert outbox.gateways() == [ONE]
    assert not outbox.flushed(mark)
    outbox.take(ONE, 1, PLENTY)
    assert outbox.flushed(mark)
