"""Which generation of an actor runs, when commands for several come in any order."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor
from rivet_runner._session.dialect import StartActor, StopActor
from rivet_runner.protocol.messages import ActorConfig, ActorStateRunning
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@virtual_time
async def test_a_start_is_ignored_when_that_generation_runs_already() -> None:
    async with started() as (current, connection):
        await current.actor(connection, generation=2)
        connection.start_actor(generation=2)
        connection.start_actor(generation=1)
        await settle()
        assert current.runner.called("on_actor_start") == [("a1", 2)]


@virtual_time
async def test_a_stop_is_ignored_when_it_names_another_generation_or_actor() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection, generation=2)
        connection.stop_actor(generation=1)
        connection.stop_actor(generation=3)
        connection.stop_actor("unknown")
        await settle()
        assert current.runner.get_actor("a1") is actor
        assert current.runner.called("on_actor_stop") == []


@virtual_time
async def test_the_older_generation_stops_first_when_a_newer_one_starts() -> None:
    order: list[str] = []

    async def stop(actor: Actor) -> None:
        await asyncio.sleep(5)
        order.append(f"{actor.generation} stopped")

    async def start(actor: Actor) -> None:
        order.append(f"{actor.generation} started")

    async with started({"on_actor_start": start, "on_actor_stop": stop}) as (current, connection):
        await current.actor(connection)
        connection.start_actor(generation=2)
        exchange = connection.request()
        await asyncio.sleep(4)
        assert order == ["1 started"]
        await asyncio.sleep(2)
        assert order == ["1 started", "1 stopped", "2 started"]
        assert (await exchange.response()).status == 200
        actor = current.runner.get_actor("a1")
        assert actor is not None
        assert actor.generation == 2
        states = [event for event in connection.events if isinstance(event.event, ActorStateRunning)]
        assert [state.generation for state in states] == [1, 2]


@virtual_time
async def test_the_newest_generation_wins_when_several_start_at_once() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        config = ActorConfig("a", None, 0, None)
        connection.command(*(StartActor("a1", generation, config, []) for generation in (2, 3, 4)))
        connection.command(StopActor("a1", 3))
        await asyncio.sleep(5)
        actor = current.runner.get_actor("a1")
        assert actor is not None
        assert actor.generation == 4
        stopped = {generation for _, generation in current.runner.called("on_actor_stop")}
        began = {generation for _, generation in current.runner.called("on_actor_start")}
        assert stopped == began - {4}
