"""When a client's message counts as processed: once its action has ended and the state that it changed is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pytest

from rivet_runner.actors import App, DurableActor, Event, action
from rivet_runner.actors._wire.messages import ActionResponse
from rivet_runner.testing import SimulatedEngine
from tests.actors.hosting.scene import Client, call, connected, hosted


class State(msgspec.Struct):
    seen: list[str] = []


class Seen(DurableActor[State]):
    begun: ClassVar[list[str]] = []

    @action(timeout=1000)
    async def see(self, what: str, seconds: float = 0) -> str:
        self.begun.append(what)
        await asyncio.sleep(seconds)
        self.state.seen.append(what)
        return what

    @action
    async def seen(self) -> list[str]:
        return self.state.seen


class Stateless(DurableActor[None]):
    begun: ClassVar[list[str]] = []

    @action
    async def see(self, what: str, seconds: float = 0) -> str:
        self.begun.append(what)
        await asyncio.sleep(seconds)
        return what


@pytest.fixture(autouse=True)
def forget() -> None:
    Seen.begun.clear()
    Stateless.begun.clear()


@asynccontextmanager
async def killed(actor_class: type[DurableActor[Any]], after: float) -> AsyncIterator[Client]:
    """A client of an actor. ``after`` seconds after the block the runner dies, and the actor goes on with another one."""
    async with SimulatedEngine() as engine, engine.host(App(actor_class)) as first:
        name = actor_class.__name__.lower()
        actor = await engine.create(name)
        async with connected(actor) as client:
            yield client
            await asyncio.sleep(after)
            await engine.kill(first)
            async with engine.host(App(actor_class)):
                await asyncio.sleep(40)  # until the engine gives the dead runner up
                await actor.wake()
                await asyncio.sleep(5)
                assert client.ws.close_code is None


@pytest.mark.parametrize("actor_class", [Seen, Stateless])
async def test_what_is_stored_is_not_repeated(actor_class: type[Seen]) -> None:
    async with killed(actor_class, after=2) as client:
        await client.call("see", "a")
        await client.call("see", "b")
    assert actor_class.begun == ["a", "b"]


async def test_what_is_not_stored_yet_is_repeated() -> None:
    async with killed(Seen, after=0.5) as client:
        await client.call("see", "a")
    assert Seen.begun == ["a", "a"]


async def test_an_explicit_save_counts() -> None:
    class Saving(Seen):
        @action
        async def see(self, what: str, seconds: float = 0) -> str:
            await super().see(what, seconds)
            await self.save()
            return what

    async with killed(Saving, after=0.5) as client:
        await client.call("see", "a")
        await client.call("see", "b")
    assert Saving.begun == ["a", "b", "b"], "the second save ran before its action had ended"


@pytest.mark.parametrize("actor_class", [Seen, Stateless])
async def test_the_oldest_message_that_has_not_ended_and_all_after_it_are_repeated(actor_class: type[Seen]) -> None:
    async with killed(actor_class, after=3) as client:
        await client.call("see", "before")
        await client.begin("see", "slow", 100)
        await client.begin("see", "after")
    assert actor_class.begun == ["before", "slow", "after", "slow", "after"]


@pytest.mark.parametrize("actor_class", [Seen, Stateless])
async def test_an_action_of_more_than_20_seconds_is_not_repeated(actor_class: type[Seen]) -> None:
    async with killed(actor_class, after=22) as client:
        await client.begin("see", "slow", 100)
        await client.begin("see", "after")
    assert actor_class.begun == ["slow", "after"]


async def test_a_client_stays_connected_while_an_action_runs_for_minutes(caplog: pytest.LogCaptureFixture) -> None:
    async with hosted(Seen) as engine:
        actor = await engine.create("seen")
        async with connected(actor) as client:
            assert await client.call("see", "slow", 200) == "slow"
            assert await client.call("seen") == ["slow"]
    assert "unprocessed" not in caplog.text, "its message was acknowledged in time"


async def test_a_subscription_is_kept_before_its_message_is_acknowledged() -> None:
    class Telling(DurableActor[None]):
        told = Event[int]()

        async def on_start(self) -> None:
            await self.told.emit(self.generation)

    async with killed(Telling, after=1) as client:
        await client.subscribe("told")
    assert await client.event() == ("told", [1])


@pytest.mark.slow
@pytest.mark.parametrize("actor_class", [Seen, Stateless])
async def test_a_burst_of_messages_is_worked_off(actor_class: type[Seen]) -> None:
    async with hosted(actor_class) as engine:
        actor = await engine.create(actor_class.__name__.lower())
        async with connected(actor) as client:
            calls = [await client.begin("see", str(number), 0.01) for number in range(3000)]
            answers = [await client.message() for _ in calls]
            assert sorted(answer.id for answer in answers if isinstance(answer, ActionResponse)) == calls
    assert actor_class.begun == [str(number) for number in range(3000)]


async def test_an_action_in_flight_is_repeated_after_a_sleep() -> None:
    async with hosted(Seen, actor_stop_timeout=4.0) as engine:
        actor = await engine.create("seen")
        async with connected(actor) as client:
            await client.begin("see", "slow", 10)
            await asyncio.sleep(0.1)
            await actor.sleep()
            assert await client.answer(1) == "slow"
    assert Seen.begun == ["slow", "slow"]


async def test_a_save_that_failed_is_made_up_for_by_the_next_one() -> None:
    sizes: list[int] = []

    class Growing(DurableActor[State]):
        @action
        async def grow(self, size: int) -> None:
            sizes.append(size)
            self.state.seen = ["x" * size]

    async with SimulatedEngine() as engine, engine.host(App(Growing)) as first:
        actor = await engine.create("growing")
        async with connected(actor) as client:
            await client.call("grow", 2_000_000)
            await asyncio.sleep(2)
            await call(actor, "grow", 1)
            await asyncio.sleep(2)
            await engine.kill(first)
            async with engine.host(App(Growing)):
                await asyncio.sleep(40)  # until the engine gives the dead runner up
                await actor.wake()
                await asyncio.sleep(5)
    assert sizes == [2_000_000, 1]


async def test_an_action_that_is_cut_off_after_it_was_acknowledged_is_answered_with_an_error() -> None:
    async with hosted(Seen, actor_stop_timeout=10.0) as engine:
        actor = await engine.create("seen")
        async with connected(actor) as client:
            call = await client.begin("see", "slow", 100)
            await asyncio.sleep(25)
            await actor.sleep()
            assert (await client.answer(call)).code == "stopping"
            assert await client.call("seen") == []
    assert Seen.begun == ["slow"]
