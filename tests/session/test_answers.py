"""HTTP answers that left just before the connection broke."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import Response
from rivet_runner._session.answers import MAX_AGE, MAX_ANSWERS, MAX_BYTES, SentAnswers
from rivet_runner._session.outbox import Outbox
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


GATEWAY = b"gate"


def frame(number: int, size: int = 0) -> bytes:
    return number.to_bytes(4, "big") + bytes(size)


class Sender:
    """An outbox, and the answers among its messages."""

    def __init__(self) -> None:
        self.outbox = Outbox(10**9)
        self.answers = SentAnswers()

    def add(self, frame: bytes, gateway: bytes = GATEWAY) -> None:
        self.answers.add(self.outbox.add(gateway, frame), gateway, frame)

    def leave(self, count: int, gateway: bytes = GATEWAY) -> None:
        self.outbox.take(gateway, count, 10**9)


def test_only_answers_that_had_left_are_lost_when_the_connection_breaks() -> None:
    sender = Sender()
    for number in range(3):
        sender.outbox.add(GATEWAY, frame(100 + number))
        sender.add(frame(number))
    sender.leave(5)
    assert sender.answers.take_lost() == [(GATEWAY, frame(0)), (GATEWAY, frame(1))]
    sender.leave(1)
    assert sender.answers.take_lost() == [(GATEWAY, frame(2))]
    assert sender.answers.take_lost() == []


def test_each_gateway_counts_for_itself_when_the_connection_breaks() -> None:
    sender = Sender()
    sender.add(frame(1), b"near")
    sender.add(frame(2), b"away")
    sender.leave(1, b"away")
    assert sender.answers.take_lost() == [(b"away", frame(2))]


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    sender = Sender()
    for number in range(MAX_ANSWERS + 5):
        sender.add(frame(number))
    assert len(sender.answers) == MAX_ANSWERS
    sender.leave(10**9)
    assert sender.answers.take_lost()[0] == (GATEWAY, frame(5))


@given(sizes=st.lists(st.integers(0, MAX_BYTES), max_size=12))
def test_kept_bytes_are_bounded_but_for_a_single_larger_answer(sizes: list[int]) -> None:
    sender = Sender()
    for number, size in enumerate(sizes):
        sender.add(frame(number, size=size))
        sender.leave(1)
    kept = [frame for _, frame in sender.answers.take_lost()]
    assert sum(map(len, kept)) <= MAX_BYTES or len(kept) == 1


def test_an_answer_is_forgotten_when_it_left_long_ago() -> None:
    sender = Sender()
    sender.add(frame(1))
    sender.leave(1)
    for _ in range(MAX_AGE - 1):
        sender.answers.grow_older()
    sender.add(frame(2))
    sender.leave(1)
    assert len(sender.answers) == 2
    sender.answers.grow_older()
    assert sender.answers.take_lost() == [(GATEWAY, frame(2))]


def test_an_answer_that_has_not_left_stays_when_time_goes_by() -> None:
    sender = Sender()
    sender.add(frame(1))
    for _ in range(3 * MAX_AGE):
        sender.answers.grow_older()
    assert len(sender.answers) == 1


@virtual_time
async def test_the_client_gets_its_answer_when_the_connection_broke_with_it() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await exchange.response()
        connection.abort()
        exchange.connection = await current.reconnected()
        assert (await exchange.response()).status == 200, "the gateway ignores it if it has the first one"


@virtual_time
async def test_an_answer_is_not_sent_again_when_the_connection_has_lasted() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await exchange.response()
        await asyncio.sleep(40)
        connection.abort()
        await current.reconnected()
        await asyncio.sleep(5)
        assert len(exchange.replies) == 1


@virtual_time
async def test_no_answer_is_sent_when_the_engine_has_forgotten_the_runner() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await exchange.response()
        connection.abort()
        await current.reconnected(runner_id="another")
        await asyncio.sleep(1)
        assert len(exchange.replies) == 1


@virtual_time
async def test_an_answer_leaves_once_when_it_was_given_during_the_outage() -> None:
    async def slow(*_: object) -> Response:
        await asyncio.sleep(0.5)
        return Response("late")

    async with started({"fetch": slow}) as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await settle()
        connection.abort()
        exchange.connection = await current.reconnected()
        assert (await exchange.response()).body == b"late"
        await asyncio.sleep(1)
        assert len(exchange.replies) == 1
