"""The state across generations and deploys: kept in its type, migrated, and never lost for an error."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import msgspec
import pydantic
import pytest

from rivet_runner.actors import App, DurableActor, StateTooLarge, action
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine
from tests.actors.hosting.scene import failure, value


class Struct(msgspec.Struct):
    count: int = 0
    tags: set[str] = set()


@dataclasses.dataclass
class Point:
    count: int = 0
    tags: set[str] = dataclasses.field(default_factory=set)


class Model(pydantic.BaseModel):
    count: int = 0
    tags: set[str] = set()


class OfStruct(DurableActor[Struct]):
    @action
    async def add(self, tag: str) -> int:
        self.state.count += 1
        self.state.tags.add(tag)
        return len(self.state.tags)


class OfPoint(DurableActor[Point]):
    @action
    async def add(self, tag: str) -> int:
        self.state.count += 1
        self.state.tags.add(tag)
        return len(self.state.tags)


class OfModel(DurableActor[Model]):
    @action
    async def add(self, tag: str) -> int:
        self.state.count += 1
        self.state.tags.add(tag)
        return len(self.state.tags)


class OfDict(DurableActor[dict[str, int]]):
    @action
    async def add(self, tag: str) -> int:
        self.state[tag] = 1
        return len(self.state)


class OfInt(DurableActor[int]):
    @action
    async def add(self, tag: str) -> int:
        self.state += 1
        return self.state


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedEngine]:
    async with SimulatedEngine() as engine:
        yield engine


@asynccontextmanager
async def version(engine: SimulatedEngine, cls: type[DurableActor[Any]]) -> AsyncIterator[None]:
    """A deploy of ``cls`` under the name ``counter``."""
    deployed = type(cls.__name__, (cls,), {}, name="counter")
    async with engine.host(App(deployed)):
        yield


async def error_of_start(actor: SimulatedActorHandle) -> str:
    """Wake an actor that cannot start, and return the reason."""
    waking = asyncio.create_task(actor.wake())
    async with asyncio.timeout(5):
        while actor.error is None:
            await asyncio.sleep(0.01)
    waking.cancel()
    await asyncio.wait([waking])
    return str(actor.error)


@pytest.mark.parametrize("cls", [OfStruct, OfPoint, OfModel, OfDict, OfInt])
async def test_a_state_of_any_type_outlives_its_generation(engine: SimulatedEngine, cls: type[DurableActor[Any]]) -> None:
    async with version(engine, cls):
        actor = await engine.create("counter")
        assert await value(actor, "add", "a") == 1
        await actor.sleep()
        assert await value(actor, "add", "b") == 2


async def test_types_of_the_same_form_read_each_other_s_state(engine: SimulatedEngine) -> None:
    async with version(engine, OfStruct):
        actor = await engine.create("counter")
        await value(actor, "add", "a")
        await actor.sleep()
    for cls, tag, count in ((OfPoint, "b", 2), (OfModel, "c", 3), (OfStruct, "d", 4)):
        async with version(engine, cls):
            assert await value(actor, "add", tag) == count
            await actor.sleep()


class Renamed(msgspec.Struct):
    total: int = 0
    label: str = ""


class Migrating(DurableActor[Renamed]):
    raw: ClassVar[list[Any]] = []
    result: ClassVar[Any] = None

    @classmethod
    def migrate_state(cls, raw: Any) -> Any:
        Migrating.raw.append(raw)
        if "count" in raw:
            raw = {"total": raw["count"], "label": "migrated"}
        return raw if Migrating.result is None else Migrating.result

    @action
    async def get(self) -> Renamed:
        return self.state


async def test_an_older_form_of_the_state_is_migrated_once(engine: SimulatedEngine) -> None:
    Migrating.raw, Migrating.result = [], None
    async with version(engine, OfStruct):
        actor = await engine.create("counter")
        await value(actor, "add", "a")
        await actor.sleep()
    async with version(engine, Migrating):
        assert await value(actor, "get") == {"total": 1, "label": "migrated"}
        await actor.sleep()
        assert await value(actor, "get") == {"total": 1, "label": "migrated"}
    assert Migrating.raw == [{"count": 1, "tags": ["a"]}, {"total": 1, "label": "migrated"}]


async def test_a_new_actor_is_not_migrated(engine: SimulatedEngine) -> None:
    Migrating.raw, Migrating.result = [], None
    async with version(engine, Migrating):
        assert await value(await engine.create("counter"), "get") == {"total": 0, "label": ""}
    assert Migrating.raw == []


async def test_a_migration_with_a_wrong_result_crashes_the_start(engine: SimulatedEngine) -> None:
    Migrating.raw, Migrating.result = [], {"total": "many"}
    async with version(engine, OfStruct):
        actor = await engine.create("counter")
        await value(actor, "add", "a")
        await actor.sleep()
    async with version(engine, Migrating):
        assert "the result of migrate_state does not fit Renamed: total: Expected `int`" in await error_of_start(actor)


async def test_a_state_that_does_not_fit_crashes_the_start_and_stays_stored(engine: SimulatedEngine) -> None:
    async with version(engine, OfDict):
        actor = await engine.create("counter")
        await value(actor, "add", "count")
        await value(actor, "add", "tags")
        await actor.sleep()
    async with version(engine, OfStruct):
        error = await error_of_start(actor)
        assert (
            "the stored state does not fit Struct: tags: Expected `array`, got `int`; migrate_state may change it" in error
        )
    async with version(engine, OfDict):
        await actor.sleep()
        assert await value(actor, "add", "new") == 3


class Growing(DurableActor[list[bytes]]):
    save_interval = 0
    errors: ClassVar[list[Exception]] = []

    @action
    async def grow(self, kib: int) -> int:
        self.state.append(bytes(kib * 1024))
        await self.save()
        return len(self.state)

    @action
    async def grow_unawaited(self, kib: int) -> None:
        self.state.append(bytes(kib * 1024))

    @action
    async def clear(self) -> None:
        await self.kv.put(b"mine", b"1")
        await self.kv.clear()

    @action
    async def size(self) -> int:
        return len(self.state)

    async def on_error(self, error: Exception, where: str) -> None:
        Growing.errors.append(error)


async def test_a_state_over_the_limit_is_refused_and_the_older_one_stays(engine: SimulatedEngine) -> None:
    Growing.errors = []
    async with version(engine, Growing):
        actor = await engine.create("counter")
        assert await value(actor, "grow", 900) == 1
        assert await failure(actor, "grow", 200) == (500, "core.internal_error")
        await value(actor, "grow_unawaited", 1)
        await actor.sleep()
        assert await value(actor, "size") == 1
    assert {type(error) for error in Growing.errors} == {StateTooLarge}
    assert "keep what grows, such as a history, in kv" in str(Growing.errors[0])


async def test_clearing_the_store_leaves_the_state(engine: SimulatedEngine) -> None:
    async with version(engine, Growing):
        actor = await engine.create("counter")
        await value(actor, "grow", 300)
        await value(actor, "clear")
        await actor.sleep()
        assert await value(actor, "size") == 1


class Unstorable(DurableActor[dict[str, Any]]):
    errors: ClassVar[list[Exception]] = []

    @action
    async def keep(self) -> None:
        self.state["it"] = object()
        await self.save()

    @action
    async def mend(self) -> None:
        self.state["it"] = 1
        await self.save()

    async def on_error(self, error: Exception, where: str) -> None:
        Unstorable.errors.append(error)


async def test_a_value_that_cannot_be_stored_is_an_error_that_can_be_mended(engine: SimulatedEngine) -> None:
    Unstorable.errors = []
    async with version(engine, Unstorable):
        actor = await engine.create("counter")
        assert await failure(actor, "keep") == (500, "core.internal_error")
        await value(actor, "mend")
    assert "the state cannot be stored: a value of type builtins.object has no stored form" in str(Unstorable.errors[0])
