"""Connections of the JavaScript client, while actors sleep and runners come and go."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rivet_runner import Runner
from rivet_runner.testing import EngineApi
from tests.engine.javascript.rooms import app
from tests.engine.support import Engine, OwnEngine, Program
from tests.support.javascript.client import JavaScript, JavaScriptError, JsHandle, JsLive
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("the client is a program of its own")]

RECORD_SECONDS = 3.0
"""After which the record of a connection is stored, also on a busy machine. The runner collects records for 0.25 s."""

LOST_SECONDS = 5.0
"""After which this engine gives up a runner. In version 7 it hears of a runner every 3 s: less won't do."""


async def test_a_connection_outlives_the_sleep_of_its_actor(runner: Runner, room: JsHandle) -> None:
    live = room.connect()
    changes, closes = await live.on("changed"), await live.closes()
    assert await live.call("increment") == 1
    actor_id = await room.resolve()
    for round_ in range(3):
        await live.call("nap")
        await eventually(lambda: actor_id not in runner.actors, what="the actor's sleep")
        assert await live.status() == "connected"
        # The message wakes it, and the subscription is still there.
        assert await live.call("increment") == round_ + 2
    assert [await changes.get() for _ in range(4)] == [[1], [2], [3], [4]]
    assert closes.taken() == []
    notes = await live.call("notes")
    assert [note for note in notes if not note.startswith("start")] == ["connect"]
    assert len(notes) == 5


async def test_calls_while_the_actor_falls_asleep_are_all_answered(runner: Runner, room: JsHandle) -> None:
    live = room.connect()
    await live.ready()
    calls = [live.start("increment") if number % 10 else live.start("nap") for number in range(1, 40)]
    results = [await call.result() for call in calls]
    assert sorted(result for result in results if result is not None) == list(range(1, 37))


async def test_an_http_call_wakes_an_actor_which_greets_its_connections(runner: Runner, room: JsHandle) -> None:
    live = room.connect()
    changes = await live.on("changed")
    assert await live.call("increment") == 1
    actor_id = await room.resolve()
    await live.call("nap")
    await eventually(lambda: actor_id not in runner.actors, what="the actor's sleep")
    assert await room.call("increment") == 2
    assert [await changes.get() for _ in range(2)] == [[1], [2]]


@asynccontextmanager
async def runner_of(engine: Engine, runner_name: str, version: int) -> AsyncIterator[Runner]:
    options = {"endpoint": engine.endpoint, "runner_name": runner_name, "token": None, "namespace": "default"}
    async with app().runner(**options, version=version) as runner:
        yield runner


async def test_connections_move_when_their_runner_drains(
    engine: Engine, runner_name: str, encoding: str, javascript: JavaScript
) -> None:
    client = javascript.client(engine.endpoint, encoding=encoding, pool=runner_name)
    room = client.get_or_create("room", runner_name)
    async with runner_of(engine, runner_name, 1) as old:
        live = room.connect()
        changes, closes = await live.on("changed"), await live.closes()
        assert await live.call("increment") == 1
        async with runner_of(engine, runner_name, 2) as new:
            await old.shutdown()
            assert await live.call("increment") == 2
            assert await room.call("increment") == 3
            assert [await changes.get() for _ in range(3)] == [[1], [2], [3]]
            assert closes.taken() == []
            assert await room.resolve() in new.actors


@pytest.mark.parametrize("stored", [True, False], ids=["its record is stored", "at once"])
async def test_connections_come_back_when_their_runner_is_killed(
    own_engine: OwnEngine, encoding: str, javascript: JavaScript, protocol: int, stored: bool
) -> None:
    milliseconds, name = int(LOST_SECONDS * 1000), "killed"
    async with own_engine(runner_lost_threshold=milliseconds, runner_eligible_threshold=milliseconds) as engine:
        await EngineApi(engine.endpoint).upsert_runner_config(name)
        room = javascript.client(engine.endpoint, encoding=encoding, pool=name).get_or_create("room", "key")
        options = {"endpoint": engine.endpoint, "runner_name": name, "namespace": "default", "protocol": protocol}
        async with Program("-m", "tests.engine.javascript.rooms", json.dumps(options), seconds=300) as first:
            await first.printed("connected")
            live = room.connect()
            changes, closes = await live.on("changed"), await live.closes()
            assert await live.call("increment") == 1
            assert await changes.get() == [1]
            if stored:
                await asyncio.sleep(RECORD_SECONDS)
            first.signal(signal.SIGKILL)
            await first.exit_code()
        async with runner_of(engine, name, 1):
            if stored:
                # The gateway has held the client, which notices nothing.
                assert await live.call("increment") == 2
                assert await changes.get() == [2]
                assert closes.taken() == []
                return
            # The client opens a connection again, and subscribes again.
            await eventually(lambda: is_answered(live), seconds=60)
            count = await live.call("increment")
            await eventually(lambda: [count] in changes.taken(), what="the last event")


async def is_answered(live: JsLive) -> bool:
    try:
        await live.call("increment")
    except JavaScriptError:
        return False
    return True
