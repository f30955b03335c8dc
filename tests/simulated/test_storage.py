"""An engine's file: the next engine goes on from it."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, SimulatedEngine
from tests.simulated.rooms import Room, virtual


async def count(actor: Actor, request: Request) -> Response:
    number = int(await actor.kv.get(b"n") or 0) + 1
    await actor.kv.put(b"n", b"%d" % number)
    return Response(str(number))


def test_actors_and_data_are_there_when_another_engine_goes_on(tmp_path: Path) -> None:
    ids: list[str] = []
    ends: list[float] = []

    @virtual
    async def first() -> None:
        async with SimulatedEngine(clock="virtual", data=tmp_path / "engine.db") as engine, engine.host(Room, fetch=count):
            sleeper, awake, gone = [await engine.create("room", key=key) for key in ("a", "b", "c")]
            ids.extend(actor.id for actor in (sleeper, awake, gone))
            for actor in (sleeper, awake, gone):
                assert (await actor.request("POST", "/")).text() == "1"
            await sleeper.sleep()
            await gone.destroy()

    @virtual
    async def second() -> None:
        async with SimulatedEngine(clock="virtual", data=tmp_path / "engine.db") as engine, engine.host(Room, fetch=count):
            sleeper, awake, gone = [engine.get(actor_id) for actor_id in ids]
            assert [actor.status for actor in (sleeper, awake, gone)] == ["sleeping", "sleeping", "destroyed"]
            assert await sleeper.kv() == await awake.kv() == {b"n": b"1"}
            for actor in (sleeper, awake):
                assert (await actor.request("POST", "/")).text() == "2"
                assert actor.generation == 1
            assert (await engine.get_or_create("room", key="a")).id == sleeper.id
            fresh = await engine.get_or_create("room", key="c")
            assert fresh.id not in ids, "no id is given out again"
            ends.append(1)

    first()
    second()
    assert ends == [1]


def test_namespaces_are_there_when_another_engine_goes_on(tmp_path: Path) -> None:
    async def first() -> str:
        async with SimulatedEngine(data=tmp_path / "engine.db") as engine:
            api = EngineApi(await engine.listen(), namespace="other")
            await api.create_namespace("other")
            await api.upsert_runner_config("pool")
            return (await api.create_actor("room", runner_name="pool", key="a")).actor_id

    async def second() -> tuple[str, list[str]]:
        async with SimulatedEngine(data=tmp_path / "engine.db") as engine:
            api = EngineApi(await engine.listen(), namespace="other")
            found = await api.get_or_create_actor("room", runner_name="pool", key="a")
            return found.actor_id, [namespace.name for namespace in await api.list_namespaces()]

    made = asyncio.run(first())
    assert asyncio.run(second()) == (made, ["other", "default"])


def test_alarm_fires_when_the_engine_that_took_it_is_gone(tmp_path: Path) -> None:
    woken: list[int] = []

    async def on_start(actor: Actor) -> None:
        if actor.generation:
            woken.append(actor.generation)

    @virtual
    async def first() -> None:
        async def set_alarm(actor: Actor) -> None:
            await actor.set_alarm(engine.now() + timedelta(hours=1))

        async with SimulatedEngine(clock="virtual", data=tmp_path / "db") as engine, engine.host(Room, on_start=set_alarm):
            actor = await engine.create("room")
            await actor.wake()
            await actor.sleep()

    @virtual
    async def second() -> None:
        async with SimulatedEngine(clock="virtual", data=tmp_path / "db") as engine, engine.host(Room, on_start=on_start):
            await engine.advance(minutes=59)
            assert woken == []
            await engine.advance(minutes=2)
            assert woken == [1]

    first()
    second()


async def test_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.commit()
    other.close()
    with pytest.raises(ValueError, match="format 99"):
        async with SimulatedEngine(data=path):
            pass
