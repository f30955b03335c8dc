"""The outbox: in order, full at its bound, and marks that tell what has left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner._session.outbox import FRAME_OVERHEAD, Outbox

PLENTY = 2**30


def outbox_of(*frames: bytes, max_bytes: int = PLENTY) -> Outbox:
    outbox = Outbox(max_bytes)
    for frame in frames:
        outbox.add(frame)
    return outbox


def test_messages_come_in_order_when_they_are_taken() -> None:
    outbox = outbox_of(b"1", b"2", b"3")
    assert outbox.take(2, PLENTY) == [b"1", b"2"]
    assert outbox.take(2, PLENTY) == [b"3"]
    assert outbox.take(2, PLENTY) == []


def test_the_message_that_exceeds_the_bytes_is_among_them_when_they_are_limited() -> None:
    outbox = outbox_of(b"12", b"34", b"56")
    assert outbox.take(10, 3) == [b"12", b"34"]
    assert outbox.take(10, 0) == []
    assert outbox.take(10, 1) == [b"56"]


def test_it_is_full_when_messages_with_their_overhead_reach_the_bound() -> None:
    outbox = Outbox(2 * FRAME_OVERHEAD)
    full = []
    for _ in range(2):
        outbox.add(b"")
        full.append(outbox.full)
    outbox.take(1, PLENTY)
    assert [*full, outbox.full] == [False, True, False]


@pytest.mark.parametrize("max_bytes", [0, 10])
def test_one_message_fits_when_it_is_larger_than_the_bound(max_bytes: int) -> None:
    outbox = Outbox(max_bytes)
    full = [outbox.full]
    outbox.add(b"x" * 100)
    full.append(outbox.full)
    outbox.drop_all()
    assert [*full, outbox.full] == [False, True, False]


def test_a_mark_is_flushed_when_everything_before_it_was_taken() -> None:
    outbox = outbox_of(b"1", b"2")
    mark = outbox.mark
    outbox.add(b"3")
    outbox.take(1, PLENTY)
    assert not outbox.flushed(mark)
    outbox.take(1, PLENTY)
    assert outbox.flushed(mark)
    assert not outbox.flushed(outbox.mark)


def test_every_mark_is_flushed_when_all_is_dropped() -> None:
    outbox = outbox_of(b"1", b"2")
    assert outbox.drop_all() == 2
    assert outbox.flushed(outbox.mark)
    assert (len(outbox), outbox.queued_bytes) == (0, 0)


@given(st.lists(st.one_of(st.binary(max_size=100), st.tuples(st.integers(0, 5), st.integers(0, 300)))))
def test_bytes_and_messages_add_up_when_it_is_filled_and_emptied(steps: list[bytes | tuple[int, int]]) -> None:
    outbox = Outbox(200)
    waiting: list[bytes] = []
    for step in steps:
        if isinstance(step, bytes):
            outbox.add(step)
            waiting.append(step)
        else:
            taken = outbox.take(*step)
            assert taken == waiting[: len(taken)]
            del waiting[: len(taken)]
        assert len(outbox) == len(waiting)
        assert outbox.queued_bytes == sum(len(frame) + FRAME_OVERHEAD for frame in waiting)
        assert outbox.full is (bool(waiting) and outbox.queued_bytes >= 200)
