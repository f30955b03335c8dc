"""A client of typed actors whose engine is killed."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.actors import ConnectionLost, EngineUnreachable
from rivet_runner.actors.live_connection import LiveConnection
from rivet_runner.testing import EngineApi
from tests.engine.support import OwnEngine
from tests.engine.test_typed_client import Room, Scene


@pytest.mark.real_time("a killed engine is back only after seconds, also for the runner")
async def test_a_killed_engine_is_reached_again(own_engine: OwnEngine) -> None:
    async with own_engine() as engine:
        await EngineApi(engine.endpoint).upsert_runner_config("rooms")
        scene = Scene(engine, "rooms", timeout=120.0)
        async with scene.runner(), scene.client, scene.room.connect() as live:
            said = live.on(Room.said)
            waiting = asyncio.create_task(scene.room.call(Room.wait))
            called = asyncio.create_task(live.call(Room.wait))
            await live.call(Room.say, "before")
            await engine.kill()
            for lost in (waiting, called):
                with pytest.raises(ConnectionLost):
                    await lost
            with pytest.raises((EngineUnreachable, ConnectionLost)):
                await scene.room.call(Room.history)
            await engine.start()
            # The engine keeps the actor of a runner for a while, and may give it up then.
            while not await _said(live, "after"):
                pass
            assert [await anext(said), await anext(said)] == ["before", "after"]


async def _said(live: LiveConnection[Room], text: str) -> bool:
    """Whether the actor has said it. If not, it may have."""
    try:
        await live.call(Room.say, text)
    except ConnectionLost:
        return False
    return True
