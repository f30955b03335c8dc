"""HTTP answers that left just before the connection broke."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from rivet_runner import Response
from rivet_runner._session.answers import MAX_AGE, MAX_ANSWERS, MAX_BYTES, SentAnswers
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time


def test_only_answers_that_had_left_are_lost_when_the_connection_breaks() -> None:
    answers = SentAnswers()
    for place in (2, 3, 7):
        answers.add(place, b"%d" % place)
    assert answers.take_lost(5) == [b"2", b"3"]
    assert answers.take_lost(7) == [b"7"]
    assert answers.take_lost(9) == []


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    answers = SentAnswers()
    for place in range(MAX_ANSWERS + 5):
        answers.add(place, b"x")
    assert len(answers) == MAX_ANSWERS
    assert len(answers.take_lost(10**9)) == MAX_ANSWERS


@given(sizes=st.lists(st.integers(0, MAX_BYTES), max_size=12))
def test_kept_bytes_are_bounded_but_for_a_single_larger_answer(sizes: list[int]) -> None:
    answers = SentAnswers()
    for place, size in enumerate(sizes):
        answers.add(place, bytes(size))
    kept = answers.take_lost(len(sizes))
    assert sum(map(len, kept)) <= MAX_BYTES or len(kept) == 1


def test_an_answer_is_forgotten_when_it_left_long_ago() -> None:
    answers = SentAnswers()
    answers.add(1, b"old")
    for _ in range(MAX_AGE):
        answers.ping(1)
    answers.add(2, b"new")
    assert len(answers) == 2
    answers.ping(2)
    assert answers.take_lost(2) == [b"new"]


def test_an_answer_that_has_not_left_stays_when_pings_go_by() -> None:
    answers = SentAnswers()
    answers.add(5, b"waits in the outbox")
    for _ in range(3 * MAX_AGE):
        answers.ping(4)
    assert len(answers) == 1


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
