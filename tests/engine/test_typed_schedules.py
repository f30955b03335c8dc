"""Schedules of typed actors at an engine: over sleep, failures, and a move in the middle of a run."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, ClassVar

import pytest

from rivet_runner import Runner
from rivet_runner.actors import App, Client, DurableActor, action
from rivet_runner.actors.client import ActorHandle
from tests.engine.support import Engine
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("alarms go by the wall clock")]


class Planner(DurableActor[list[str]]):
    """``happened`` has what each key did, with the generation, over all generations."""

    happened: ClassVar[defaultdict[tuple[str, ...], list[tuple[str, int]]]] = defaultdict(list)

    def note(self, what: str) -> None:
        self.happened[self.key].append((what, self.generation))

    plans = False

    @action
    async def plan(self) -> None:
        await self.schedule.after(3600, self.once, "never")
        self.plans = True
        self.sleep()

    async def on_sleep(self) -> None:
        # What is scheduled here never runs before the sleep, however long a busy machine takes to get there.
        if self.plans:
            await self.schedule.after(1, self.once, "once")
            await self.schedule.every("tick", 1, self.tick)
            await self.schedule.cron("second", "* * * * * *", self.tick)
            await self.schedule.after(1, self.fail, retries=1)

    @action
    async def work(self) -> None:
        await self.schedule.after(0, self.long)

    @action
    async def pending(self) -> list[str]:
        return sorted(scheduled.method for scheduled in await self.schedule.list())

    async def once(self, text: str) -> None:
        self.state.append(text)
        self.note(text)

    async def tick(self) -> None:
        self.note("tick")
        await self.schedule.cancel("second")
        if self.happened[self.key].count(("tick", self.generation)) == 3:
            await self.schedule.cancel("tick")

    async def fail(self) -> None:
        self.note("fail")
        raise ValueError("no")

    async def long(self) -> None:
        self.note("begin")
        await asyncio.sleep(2 if self.generation else 60)
        self.note("end")

    async def on_error(self, error: Exception, where: str) -> None:
        self.note(f"{where} raised {error}")


def runner(engine: Engine, runner_name: str, **options: Any) -> Runner:
    return App(Planner).runner(endpoint=engine.endpoint, runner_name=runner_name, actor_stop_timeout=5.0, **options)


def planner(client: Client, runner_name: str) -> tuple[ActorHandle[Planner], list[tuple[str, int]]]:
    return client.get_or_create(Planner, runner_name), Planner.happened[(runner_name,)]


async def test_what_comes_due_wakes_a_sleeping_actor(engine: Engine, runner_name: str) -> None:
    async with Client(engine.endpoint, pool=runner_name) as client, runner(engine, runner_name):
        actor, happened = planner(client, runner_name)
        await actor.call(Planner.plan)
        await eventually(lambda: happened.count(("tick", 1)) == 3, what="three ticks after the wake")
        await eventually(lambda: ("fail raised no", 1) in happened, what="the last attempt")
        assert happened.count(("once", 1)) == 1
        assert happened.count(("fail", 1)) == 2
        assert {generation for _, generation in happened} == {1}
        assert await actor.call(Planner.pending) == ["once"], "what is due in an hour is left"


async def test_a_run_begins_again_on_the_runner_that_the_actor_moves_to(engine: Engine, runner_name: str) -> None:
    async with Client(engine.endpoint, pool=runner_name) as client:
        actor, happened = planner(client, runner_name)
        async with runner(engine, runner_name, runner_key="first"):
            await actor.call(Planner.work)
            await eventually(lambda: happened == [("begin", 0)])
        async with runner(engine, runner_name, runner_key="second"):
            await eventually(lambda: happened and happened[-1][0] == "end", seconds=60, what="the end of the run")
            assert [what for what, _ in happened] == ["begin", "begin", "end"]

            async def nothing_is_pending() -> bool:
                return await actor.call(Planner.pending) == []

            await eventually(nothing_is_pending)
