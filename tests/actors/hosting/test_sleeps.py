"""The moments around a sleep: what is under way, what is kept, and what is told to no hook."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest

from rivet_runner import Request
from rivet_runner.actors import Connection, DurableActor, action
from rivet_runner.actors._wire.messages import Init
from tests.actors.hosting.scene import connected, hosted, opened


class State(msgspec.Struct):
    notes: list[str] = []


class Sleeper(DurableActor[State]):
    happened: ClassVar[list[str]] = []
    slow: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        self.kept: dict[str, Any] | None = None

    async def until_fast(self, hook: str) -> None:
        while hook in self.slow:
            await asyncio.sleep(0.1)

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        self.happened.append(f"before_connect {self.generation}")
        await self.until_fast("before_connect")
        return {"notes": 0}

    async def on_connect(self, connection: Connection) -> None:
        self.kept = connection.state

    async def on_disconnect(self, connection: Connection) -> None:
        self.happened.append("on_disconnect")

    async def on_sleep(self) -> None:
        self.state.notes.append("on_sleep")
        if self.kept is not None:
            self.kept["notes"] += 1
        await self.until_fast("on_sleep")

    @action
    async def note(self, text: str) -> int:
        self.happened.append(f"{text} {self.generation}")
        self.state.notes.append(text)
        return self.generation

    @action
    async def notes(self) -> list[str]:
        return self.state.notes

    @action
    async def own_notes(self) -> int:
        assert self.caller is not None
        notes: int = self.caller.state["notes"]
        return notes


@pytest.fixture(autouse=True)
def forget() -> None:
    Sleeper.happened.clear()
    Sleeper.slow.clear()


async def test_a_connection_that_hibernates_is_not_disconnected() -> None:
    async with hosted(Sleeper) as engine:
        actor = await engine.create("sleeper")
        async with connected(actor) as client:
            for generation in range(3):
                assert await client.call("note", "a") == generation
                await actor.sleep()
            assert "on_disconnect" not in Sleeper.happened
            assert await client.call("notes") == ["a", "on_sleep"] * 3
        await asyncio.sleep(0.1)
        assert Sleeper.happened.count("on_disconnect") == 1


async def test_the_state_of_a_connection_is_kept_however_the_actor_came_to_it() -> None:
    async with hosted(Sleeper) as engine:
        actor = await engine.create("sleeper")
        async with connected(actor) as client:
            await client.call("note", "a")
            await asyncio.sleep(2)  # it was stored since the actor asked for it
            await actor.sleep()
            assert await client.call("own_notes") == 1


async def test_a_message_that_comes_during_the_stop_is_for_the_next_generation() -> None:
    async with hosted(Sleeper) as engine:
        Sleeper.slow.add("on_sleep")
        actor = await engine.create("sleeper")
        async with connected(actor) as client:
            await client.call("note", "a")
            sleeping = asyncio.create_task(actor.sleep())
            await asyncio.sleep(1)
            call = await client.begin("note", "b")
            await asyncio.sleep(1)
            assert Sleeper.happened[-1] == "a 0"
            Sleeper.slow.clear()
            await sleeping
            assert await client.answer(call) == 1
            assert await client.call("notes") == ["a", "on_sleep", "b"]


async def test_a_client_that_was_not_accepted_before_the_sleep_is_asked_for_again() -> None:
    async with hosted(Sleeper, actor_stop_timeout=2.0) as engine:
        Sleeper.slow.add("before_connect")
        actor = await engine.create("sleeper")
        await actor.wake()
        async with opened(actor) as client:
            call = await client.begin("note", "a")
            await asyncio.sleep(1)
            await actor.sleep()
            Sleeper.slow.clear()
            assert isinstance(await client.message(), Init)
            assert await client.answer(call) == 1
        assert Sleeper.happened[:3] == ["before_connect 0", "before_connect 1", "a 1"]


async def test_a_hook_that_never_returns_does_not_keep_the_state_from_being_stored() -> None:
    class Patient(Sleeper):
        save_interval = 1000.0

    async with hosted(Patient, actor_stop_timeout=2.0) as engine:
        Sleeper.slow.add("on_sleep")
        actor = await engine.create("patient")
        async with connected(actor) as client:
            await client.call("note", "a")
            await actor.sleep()
            Sleeper.slow.clear()
            assert await client.call("notes") == ["a", "on_sleep"]
