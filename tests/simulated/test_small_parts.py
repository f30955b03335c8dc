"""Timers, ids, the hibernation index, pending messages, records of open requests, and error answers."""

from __future__ import annotations

import weakref
from random import Random

import pytest

from rivet_runner.protocol.v3 import (
    ToClientWebSocketMessage,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerTunnelMessageKind,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketOpen,
)
from rivet_runner.testing._simulated.errors import EngineError, close_reason
from rivet_runner.testing._simulated.hibernation import HibernationIndex
from rivet_runner.testing._simulated.ids import Ids, is_id
from rivet_runner.testing._simulated.in_flight import DropReason, InFlightRequest, InFlightState, PendingMessages
from rivet_runner.testing._simulated.timers import ManualClock, Timer, Timers


class TestTimers:
    def test_timers_fire_in_order_of_time_and_then_of_their_setting(self) -> None:
        clock = ManualClock(0)
        timers = Timers(clock)
        fired: list[tuple[str, int]] = []
        for name, when in [("late", 20), ("first", 10), ("second", 10), ("past", -5)]:
            timers.call_at(when, lambda name=name: fired.append((name, clock.now)))
        timers.advance(clock, 30)
        assert fired == [("past", 0), ("first", 10), ("second", 10), ("late", 20)]
        assert clock.now == 30

    def test_timer_that_is_set_by_a_timer_fires_on_the_way(self) -> None:
        clock = ManualClock(0)
        timers = Timers(clock)
        fired: list[int] = []

        def again() -> None:
            fired.append(clock.now)
            timers.call_later(10, again)

        again()
        timers.advance(clock, 35)
        assert fired == [0, 10, 20, 30]

    def test_cancelled_timers_do_not_fire_nor_pile_up(self) -> None:
        timers = Timers(ManualClock(0))
        kept = timers.call_at(5, lambda: None)
        cancelled: list[Timer] = [timers.call_at(10, pytest.fail, "fired") for _ in range(1000)]
        for timer in cancelled:
            timer.cancel()
            timer.cancel()
        assert len(timers) == 1
        assert timers.held < 200
        kept.cancel()
        assert timers.next_due is None

    def test_cancelled_timer_lets_go_of_what_it_was_for(self) -> None:
        class Large:
            pass

        timers = Timers(ManualClock(0))
        large = Large()
        seen = weakref.ref(large)
        timer = timers.call_at(10, pytest.fail, large)
        del large
        assert seen() is not None
        timer.cancel()
        assert timers.held == 1
        assert seen() is None

    def test_earliest_timer_is_told(self) -> None:
        earliest: list[int] = []
        timers = Timers(ManualClock(0), earliest.append)
        for when in (30, 40, 10, 20):
            timers.call_at(when, lambda: None)
        assert earliest == [30, 10]


class TestIds:
    def test_ids_have_the_engines_form_and_come_from_the_seed(self) -> None:
        ids = [Ids(Random(seed)).new() for seed in (1, 1, 2)]
        assert ids[0] == ids[1] != ids[2]
        for text in ids:
            assert len(text) == 30
            assert text.endswith("00")
            assert is_id(text)

    @pytest.mark.parametrize("text", ["", "abc", "0" * 30, "Z" * 30, "1" * 31])
    def test_other_text_is_no_id(self, text: str) -> None:
        assert not is_id(text)

    def test_request_key_is_new_when_the_first_one_drawn_is_taken(self) -> None:
        first = Ids(Random(3)).new_request_key(b"gate", ())
        second = Ids(Random(3)).new_request_key(b"gate", {first})
        assert first != second
        assert second[:4] == b"gate"


class TestHibernationIndex:
    def test_requests_are_listed_oldest_ping_first_and_age_out(self) -> None:
        index = HibernationIndex()
        for key, ping in [(b"a", 100), (b"b", 50), (b"c", 10), (b"a", 120)]:
            index.upsert("actor", key, ping)
        index.upsert("other", b"d", 100)
        assert index.listed("actor", 140, 90) == [b"b", b"a"]
        assert len(index) == 3

    def test_request_is_not_listed_when_it_was_deleted(self) -> None:
        index = HibernationIndex()
        index.upsert("actor", b"a", 1)
        index.delete("actor", b"a")
        index.delete("actor", b"a")
        assert index.listed("actor", 1, 90) == []
        assert index.items() == []


def pending(*indexes: int) -> PendingMessages:
    messages = PendingMessages()
    for index in indexes:
        messages.add(index, ToClientWebSocketMessage(b"12", binary=False), 0)
    return messages


class TestPendingMessages:
    @pytest.mark.parametrize(
        ("indexes", "acknowledged", "left"),
        [
            ((1, 2, 3), 2, [3]),
            ((3, 4), 100, []),
            ((5,), 40_000, [5]),
            ((65_535, 0, 1), 0, [1]),
            ((65_535, 0, 1), 65_534, [65_535, 0, 1]),
        ],
    )
    def test_acknowledgement_keeps_what_comes_after_it(
        self, indexes: tuple[int, ...], acknowledged: int, left: list[int]
    ) -> None:
        messages = pending(*indexes)
        messages.acknowledge(acknowledged)
        assert [message.index for message in messages.messages] == left

    def test_total_size_is_never_lowered(self) -> None:
        messages = pending(1, 2, 3)
        messages.acknowledge(3)
        assert (messages.total_size, messages.oldest_ts) == (6, None)


OPEN = ToServerWebSocketOpen(can_hibernate=True)
CLOSE = ToServerWebSocketClose(1000, None, hibernate=False)
MESSAGE = ToServerWebSocketMessage(b"", binary=False)
START = ToServerResponseStart(200, {}, None, stream=False)
CHUNK = ToServerResponseChunk(b"", finish=True)


class TestInFlightRequest:
    @pytest.mark.parametrize(
        ("state", "said", "accepted"),
        [
            (InFlightState.AWAITING_RESPONSE, [CHUNK, START, START, CHUNK], [START]),
            (InFlightState.AWAITING_OPEN, [MESSAGE, OPEN, OPEN, MESSAGE, CLOSE, MESSAGE], [OPEN, MESSAGE, CLOSE]),
            (InFlightState.AWAITING_OPEN, [CLOSE, OPEN], [CLOSE]),
            (InFlightState.CLOSED, [START, OPEN, MESSAGE], []),
        ],
    )
    def test_message_is_dropped_when_it_does_not_fit_the_state(
        self,
        state: InFlightState,
        said: list[ToServerTunnelMessageKind],
        accepted: list[ToServerTunnelMessageKind],
    ) -> None:
        record = InFlightRequest(b"k" * 8, "actor", "runner", state)
        taken: list[ToServerTunnelMessageKind] = []
        record.handler = taken.append
        for message in said:
            record.receive(message)
        assert taken == accepted

    def test_message_is_dropped_when_nobody_serves_the_request(self) -> None:
        record = InFlightRequest(b"k" * 8, "actor", "runner", InFlightState.ACTIVE)
        assert not record.receive(MESSAGE)

    def test_index_wraps(self) -> None:
        record = InFlightRequest(b"k" * 8, "actor", "runner", InFlightState.ACTIVE)
        assert [record.take_index() for _ in range(65_537)][-2:] == [65_535, 0]

    def test_drop_marks_the_record_and_tells_who_serves_it(self) -> None:
        record = InFlightRequest(b"k" * 8, "actor", "runner", InFlightState.ACTIVE)
        told: list[DropReason] = []
        record.on_drop = told.append
        record.drop(DropReason.GARBAGE_COLLECTED)
        assert record.stopping
        assert told == [DropReason.GARBAGE_COLLECTED]


def test_error_answers_have_the_engines_form_and_status() -> None:
    error = EngineError("guard.retry_attempts_exceeded", "all failed", {"attempts": 7})
    assert error.status == 502
    assert error.body() == (
        b'{"group":"guard","code":"retry_attempts_exceeded","message":"all failed","metadata":{"attempts":7}}'
    )
    assert EngineError("guard.missing_header").status == 400


def test_close_reason_is_cut_at_a_character() -> None:
    reason = close_reason("ws.é" + "é" * 100, "ray")
    assert len(reason.encode()) <= 123
    assert close_reason("ws.eviction", "ray") == "ws.eviction#ray"
