"""What a hook raises must harm its own actor at most, whatever it is."""

from __future__ import annotations

import asyncio
import os

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner._session.event_spacing import EVENT_SPACING
from rivet_runner.protocol.messages import ActorStateStopped, StopCode
from tests.support.scene import Hook, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

ENGINE_LIMIT = 20 * 1024 * 1024
"""Bytes of one message over which the engine cuts the whole runner."""


def failing_start(error: BaseException) -> dict[str, Hook]:
    """A start that fails, for the actor ``bad`` alone."""

    async def start(actor: Actor) -> None:
        if actor.id == "bad":
            raise error

    return {"on_actor_start": start}


@virtual_time
async def test_the_engine_is_told_the_errors_text_when_a_start_raises() -> None:
    async with started(failing_start(LookupError("no such thing"))) as (current, connection):
        connection.start_actor("bad")
        assert await connection.stopped("bad") == ActorStateStopped(StopCode.ERROR, "LookupError: no such thing")
        await settle()
        assert dict(current.runner.actors) == {}
        current.expect_error("on_actor_start raised")


@virtual_time
async def test_other_actors_are_reported_when_a_start_raises_text_that_is_not_unicode() -> None:
    """The name of a file that is not UTF-8 is enough: Python reads it with lone surrogates."""
    async with started(failing_start(LookupError(os.fsdecode(b"state-\xff")))) as (current, connection):
        connection.start_actor("bad")
        connection.start_actor("good")
        await settle()
        current.expect_error("on_actor_start raised")
        await asyncio.sleep(EVENT_SPACING)
        await settle()
        assert sorted(event.actor_id for event in connection.events) == ["bad", "good"]
        connection.abort()
        second = await current.reconnected()
        assert sorted(event.actor_id for event in second.events) == ["bad", "good"]


@virtual_time
async def test_the_errors_text_is_cut_when_it_is_longer_than_the_engine_takes() -> None:
    async with started(failing_start(ValueError("x" * (ENGINE_LIMIT + 1)))) as (current, connection):
        connection.start_actor("bad")
        message = (await connection.stopped("bad")).message
        current.expect_error("on_actor_start raised")
        assert message is not None
        assert len(message) < ENGINE_LIMIT
        assert message.startswith("ValueError: xxx")


@virtual_time
async def test_the_actor_is_reported_as_crashed_when_its_start_raises_a_cancellation() -> None:
    """It awaited a task that somebody cancelled; nobody has cancelled the start itself."""
    async with started(failing_start(asyncio.CancelledError())) as (current, connection):
        connection.start_actor("bad")
        await settle()
        current.errors.clear()
        assert dict(current.runner.actors) == {}
        assert (await connection.stopped("bad")).code is StopCode.ERROR


@virtual_time
async def test_the_client_gets_an_answer_when_fetch_raises_a_cancellation() -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        raise asyncio.CancelledError

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        assert (await connection.request().response()).status >= 500
        current.errors.clear()
