"""A start that takes long is reported as running, so that the engine and the actor's clients wait for it."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor
from rivet_runner._hosting.slow_starts import RUNNING_AT_LATEST
from rivet_runner._session.event_spacing import EVENT_SPACING
from rivet_runner.protocol.messages import ActorStateRunning, StopCode
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import SETTLE, hang, settle, started
from tests.support.virtual_time import VirtualTimeLoop, virtual_time

pytestmark = pytest.mark.both_protocols


def running(connection: RunnerConnection) -> list[str]:
    """The actors that were reported as running, in order."""
    return [reported.actor_id for reported in connection.events if isinstance(reported.event, ActorStateRunning)]


async def starts_by_name(actor: Actor) -> None:
    """``slow-…`` takes a minute, ``fails-…`` fails after two seconds."""
    if actor.id.startswith("slow"):
        await asyncio.sleep(60)
    if actor.id.startswith("fails"):
        await asyncio.sleep(2)
        raise ValueError("no such document")


@virtual_time
async def test_each_is_reported_in_its_own_time_when_several_starts_are_slow() -> None:
    async with started({"on_actor_start": starts_by_name}) as (_, connection):
        connection.start_actor("slow-1")
        await asyncio.sleep(1)
        connection.start_actor("slow-2")
        connection.start_actor("quick")
        await settle()
        assert running(connection) == ["quick"]
        await asyncio.sleep(RUNNING_AT_LATEST - 1 - 3 * SETTLE)
        assert running(connection) == ["quick"]
        await asyncio.sleep(EVENT_SPACING)
        assert running(connection) == ["quick", "slow-1"]
        await asyncio.sleep(1)
        assert running(connection) == ["quick", "slow-1", "slow-2"]
        connection.start_actor("slow-3")
        await asyncio.sleep(RUNNING_AT_LATEST + EVENT_SPACING)
        assert running(connection)[3:] == ["slow-3"], "also when none was slow for a while"
        await asyncio.sleep(60)
        assert len(running(connection)) == 4, "each is reported once"


@virtual_time
async def test_a_start_is_never_reported_when_it_fails_in_time() -> None:
    async with started({"on_actor_start": starts_by_name}) as (current, connection):
        connection.start_actor("fails-1")
        stopped = await connection.stopped("fails-1")
        await asyncio.sleep(2 * RUNNING_AT_LATEST)
        assert stopped.code is StopCode.ERROR
        assert running(connection) == []
        current.expect_error("on_actor_start raised")
        await current.runner.shutdown()
        assert isinstance(current.loop, VirtualTimeLoop)
        assert current.loop.timers == []


@virtual_time
async def test_no_start_is_waited_for_when_the_runner_is_down() -> None:
    async with started({"on_actor_start": starts_by_name}) as (current, connection):
        connection.start_actor("slow-1")
        await settle()
        await current.runner.shutdown(immediate=True)
        assert isinstance(current.loop, VirtualTimeLoop)
        assert current.loop.timers == []
        assert running(connection) == []


@virtual_time
@pytest.mark.parametrize("seconds", [2, 120])
async def test_a_start_is_cancelled_and_reported_as_crashed_when_it_hangs(seconds: int) -> None:
    async with started({"on_actor_start": hang}, actor_start_timeout=seconds) as (current, connection):
        connection.start_actor("a1")
        stopped = await connection.stopped("a1", timeout=200)
        assert current.now == pytest.approx(seconds, abs=EVENT_SPACING + 0.01)
        assert stopped.code is StopCode.ERROR
        assert stopped.message == (
            f"on_actor_start did not return within {seconds} s (actor_start_timeout), so it was cancelled"
        )
        assert running(connection) == (["a1"] if seconds > RUNNING_AT_LATEST else [])
        assert current.runner.called("on_actor_stop") == []
        current.expect_error("on_actor_start did not return")
        await settle()
        assert dict(current.runner.actors) == {}


@virtual_time
async def test_a_start_may_take_its_time_when_it_has_no_limit() -> None:
    async with started({"on_actor_start": hang}, actor_start_timeout=None) as (current, connection):
        connection.start_actor("a1")
        await asyncio.sleep(600)
        assert "a1" in current.runner.actors


@virtual_time
async def test_nothing_is_cancelled_when_a_slow_start_has_ended_before_its_limit() -> None:
    async with started({"on_actor_start": lambda actor: asyncio.sleep(60)}) as (_, connection):
        connection.start_actor("a1")
        await asyncio.sleep(200)
        assert (await connection.request("a1").response()).status == 200


@virtual_time
async def test_requests_that_wait_get_a_503_when_the_start_is_given_up() -> None:
    async with started({"on_actor_start": hang}, actor_start_timeout=10) as (current, connection):
        connection.start_actor("a1")
        await asyncio.sleep(5)
        exchange = connection.request("a1")
        assert (await exchange.response()).status == 503
        assert current.now == pytest.approx(10, abs=0.1)
        current.expect_error("on_actor_start did not return")
