"""The state of an actor: when it is stored, and what becomes of one that cannot be."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import msgspec
import pytest

from rivet_runner.actors import App, DurableActor, StateTooLarge, action
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine
from tests.actors.hosting.scene import connected, failure, hosted, value


class State(msgspec.Struct):
    text: str = ""
    count: int = 0


class Keeper(DurableActor[State]):
    errors: ClassVar[list[tuple[str, str]]] = []

    @action
    async def keep(self, text: str) -> None:
        self.state.text = text

    @action
    async def grow(self, size: int) -> None:
        self.state.text = "x" * size

    @action
    async def grow_and_save(self, size: int) -> None:
        self.state.text = "x" * size
        await self.save()

    @action
    async def text(self) -> str:
        return self.state.text

    @action
    async def replace(self, text: str) -> None:
        self.state = State(text)

    @action
    async def clear(self) -> None:
        await self.kv.put(b"mine", b"1")
        await self.kv.clear()

    async def on_error(self, error: Exception, where: str) -> None:
        self.errors.append((type(error).__name__, where))


@pytest.fixture(autouse=True)
def forget() -> None:
    Keeper.errors.clear()


def writes(engine: SimulatedEngine, actor: SimulatedActorHandle) -> bytes | None:
    """The stored state of an actor, as it is in the engine now."""
    entries = engine._running.cluster.kv_stores[actor.id].as_dict()
    return next((value for key, value in entries.items() if key.endswith(b"lib/state/\x00")), None)


async def test_a_change_is_stored_after_the_interval() -> None:
    class Quick(Keeper):
        save_interval = 0.25

    for actor_class, seconds in ((Keeper, 1.0), (Quick, 0.25)):
        async with hosted(actor_class) as engine:
            actor = await engine.create(actor_class.__name__.lower())
            await value(actor, "keep", "a")
            before = writes(engine, actor)
            await asyncio.sleep(seconds * 0.9)
            assert writes(engine, actor) == before
            await asyncio.sleep(seconds * 0.2)
            assert writes(engine, actor) != before


async def test_an_explicit_save_is_stored_when_it_returns() -> None:
    async with hosted(Keeper) as engine:
        actor = await engine.create("keeper")
        await value(actor, "grow_and_save", 3)
        assert b"xxx" in (writes(engine, actor) or b"")


async def test_a_state_may_be_replaced_and_the_users_store_be_cleared() -> None:
    async with hosted(Keeper) as engine:
        actor = await engine.create("keeper")
        await value(actor, "replace", "new")
        await actor.sleep()
        await value(actor, "clear")
        await actor.sleep()
        assert await value(actor, "text") == "new"


async def test_a_state_that_is_too_large_is_told_of_and_nothing_is_lost() -> None:
    async with hosted(Keeper) as engine:
        actor = await engine.create("keeper")
        await value(actor, "keep", "good")
        await asyncio.sleep(2)
        await value(actor, "grow", 1024 * 1024)
        await asyncio.sleep(2)
        assert Keeper.errors == [("StateTooLarge", "save")]
        assert await failure(actor, "grow_and_save", 2 * 1024 * 1024) == (500, "core.internal_error")
        await actor.sleep()
        assert await value(actor, "text") == "good"


async def test_a_large_state_is_stored_in_several_values() -> None:
    async with hosted(Keeper) as engine:
        actor = await engine.create("keeper")
        await value(actor, "grow", 500_000)
        await actor.sleep()
        assert await value(actor, "text") == "x" * 500_000
        await value(actor, "keep", "small")
        await actor.sleep()
        assert await value(actor, "text") == "small"


async def test_a_save_that_fails_is_tried_again() -> None:
    async with hosted(Keeper, kv_timeout=0.5) as engine:
        actor = await engine.create("keeper")
        async with connected(actor) as client:
            await client.call("keep", "a")
            (runner,) = engine._hosted
            engine.partition(runner)
            await asyncio.sleep(4)
            assert Keeper.errors[:2] == [("KvTimeout", "save")] * 2
            engine.heal()
            await asyncio.sleep(4)
            assert b"a" in (writes(engine, actor) or b"")


async def test_stored_state_that_does_not_fit_crashes_the_start_and_stays_stored() -> None:
    class Old(DurableActor[dict[str, Any]], name="changing"):
        @action
        async def set(self) -> None:
            self.state["words"] = ["a", "b"]

    class Words(msgspec.Struct):
        words: str

    class New(DurableActor[Words], name="changing"):
        def initial_state(self, input: None) -> Words:
            return Words("")

    class Migrating(DurableActor[Words], name="changing"):
        def initial_state(self, input: None) -> Words:
            return Words("")

        @classmethod
        def migrate_state(cls, raw: Any) -> Any:
            return {"words": " ".join(raw["words"])} if isinstance(raw["words"], list) else raw

        @action
        async def words(self) -> str:
            return self.state.words

    async with SimulatedEngine() as engine:
        async with engine.host(App(Old)):
            actor = await engine.create("changing")
            await value(actor, "set")
            await actor.sleep()
        async with engine.host(App(New)):
            await asyncio.gather(actor.wake(), return_exceptions=True)
            assert "words" in str(actor.error)
        async with engine.host(App(Migrating)):
            assert await value(actor, "words") == "a b"
            await actor.sleep()
            assert await value(actor, "words") == "a b"


@pytest.mark.parametrize(("annotation", "made"), [(int, 0), (str, ""), (list[int], []), (dict[str, int], {})])
async def test_a_plain_type_can_be_a_state(annotation: Any, made: Any) -> None:
    class Plain(DurableActor[annotation]):
        @action
        async def get(self) -> Any:
            return self.state

        @action
        async def set(self, value: Any) -> None:
            self.state = value

    async with hosted(Plain) as engine:
        actor = await engine.create("plain")
        assert await value(actor, "get") == made
        changed = {int: 7, str: "text"}.get(annotation, made)
        await value(actor, "set", changed)
        await actor.sleep()
        assert await value(actor, "get") == changed


def test_the_error_of_a_large_state_says_how_large() -> None:
    assert "1,000" in str(StateTooLarge(1000, 900))
