"""The schedule of a typed actor: what a run sees, keeps and reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rivet_runner.actors import App, Connection, DurableActor, action
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine
from tests.actors.hosting.scene import value
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols

events: list[Any] = []


@pytest.fixture(autouse=True)
def _no_events() -> None:
    events.clear()


class Clock(DurableActor[dict[str, int]]):
    async def on_start(self) -> None:
        events.append(("start", self.generation))

    async def on_sleep(self) -> None:
        events.append(("sleep", dict(self.state)))

    async def on_error(self, error: Exception, where: str) -> None:
        events.append((where, str(error)))

    @action
    async def later(self, method: str, seconds: float) -> str:
        events.append(("caller", self.caller is not None))
        return await self.schedule.after(seconds, getattr(self, method), retries=1)

    @action
    async def count(self) -> int:
        return self.state.get("count", 0)

    @action
    async def tick(self) -> None:
        self.state["count"] = self.state.get("count", 0) + 1
        caller: Connection | None = self.caller
        events.append(("tick", self.generation, caller is not None))

    async def fail(self) -> None:
        raise ValueError("no tea")

    async def hang(self) -> None:
        events.append("hangs")
        try:
            await asyncio.sleep(60)
        finally:
            self.state["cut"] = self.generation
            events.append("ends")


@asynccontextmanager
async def clock(**options: Any) -> AsyncIterator[tuple[SimulatedEngine, SimulatedActorHandle]]:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(App(Clock), **options):
        yield engine, await engine.create("clock")


@virtual
async def test_a_run_starts_after_on_start_and_has_no_caller() -> None:
    async with clock() as (engine, actor):
        await value(actor, "later", "tick", 60)
        await actor.sleep()
        await engine.advance(61)
        assert events == [("start", 0), ("caller", True), ("sleep", {}), ("start", 1), ("tick", 1, False)]


@virtual
async def test_a_run_while_the_actor_is_awake_does_not_see_who_scheduled_it() -> None:
    async with clock() as (engine, actor):
        await value(actor, "later", "tick", 5)
        await engine.advance(6)
        assert events[-1] == ("tick", 0, False)


@virtual
async def test_what_a_run_changed_is_kept_when_the_process_dies_right_after_it() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(App(Clock), runner_key="one") as first:
            actor = await engine.create("clock")
            await value(actor, "later", "tick", 20)
            await engine.advance(20.1)
            assert events[-1] == ("tick", 0, False)
            await engine.kill(first)
        async with engine.host(App(Clock), runner_key="two"):
            await engine.advance(60)
            assert await value(actor, "count") == 1


@virtual
async def test_on_error_gets_what_a_run_raises_in_its_last_attempt() -> None:
    async with clock() as (engine, actor):
        await value(actor, "later", "fail", 5)
        await engine.advance(6)
        assert events[-1] == ("caller", True)
        await engine.advance(3)
        assert events[-1] == ("fail", "no tea")


@virtual
async def test_a_run_keeps_the_actor_awake_and_then_it_sleeps() -> None:
    async with clock() as (engine, actor):
        await value(actor, "later", "hang", 5)
        await engine.advance(64)
        assert (events[-1], actor.status) == ("hangs", "running")
        await engine.advance(2)
        assert events[-1] == "ends"
        await engine.advance(31)
        assert actor.status == "sleeping"


@virtual
async def test_what_a_run_does_when_it_is_cut_off_is_stored() -> None:
    async with clock() as (engine, actor):
        await value(actor, "later", "hang", 5)
        await engine.advance(10)
        await actor.sleep()
        assert events[-2:] == ["ends", ("sleep", {"cut": 0})]
