"""Runs that a stop, a kill or a cancellation ends, on the simulated engine and virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor
from rivet_runner.testing import SimulatedEngine
from tests.actors.schedule.planner import Planner, Program, planned
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols


SETTINGS: dict[str, Any] = {"actor_stop_timeout": 10}

# Cut off


@virtual
async def test_a_run_that_a_stop_cancels_runs_again_without_counting_as_a_retry() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        identity = await program.schedule.after(10, program.hang, retries=0)
        await engine.advance(60)
        await actor.sleep()
        await engine.advance(1)
        assert [(what, generation) for what, generation, _ in runner.notes] == [("begin", 0), ("end", 0), ("begin", 1)]
        scheduled = await runner.of(actor, Program).schedule.get(identity)
        assert scheduled is not None
        assert scheduled.attempt == 1
        assert runner.failures == []


@virtual
async def test_an_actor_without_runs_sleeps_until_the_next_one() -> None:
    class Sleepy(Program):
        async def work(self) -> None:
            self.note("work")
            self.actor.sleep()

    async with planned(Sleepy) as (engine, runner, actor, program):
        await program.schedule.after(10, program.work)
        await program.schedule.after(10.5, program.ping)
        await program.schedule.after(3600, program.ping)
        await engine.advance(60)
        assert [(what, generation) for what, generation, _ in runner.notes] == [("work", 0), ("ping", 1)]
        await actor.sleep()
        await engine.advance(60)
        assert actor.status == "sleeping"
        await engine.advance(3600)
        assert len(runner.notes) == 3


@virtual
async def test_what_is_scheduled_while_it_stops_wakes_it() -> None:
    class Late(Program):
        async def on_stop(self) -> None:
            if not self.notes:
                await self.schedule.after(600, self.ping)

    async with planned(Late) as (engine, runner, actor, _):
        await actor.sleep()
        await engine.advance(590)
        assert actor.status == "sleeping"
        await engine.advance(11)
        assert runner.noted == ["ping"]


@pytest.mark.parametrize("running", [False, True])
@pytest.mark.parametrize("crash_policy", ["restart", "sleep"])
@virtual
async def test_a_run_happens_when_the_runner_was_killed_before_or_in_it(crash_policy: Any, running: bool) -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Planner(runner_key="one", **SETTINGS)) as first:
            actor = await engine.create("planned", crash_policy=crash_policy)
            await actor.request("GET", "/")
            program = first.of(actor, Program)
            await program.schedule.after(5, program.hang)
            await engine.advance(600 if running else 1)
            assert first.noted == ["begin"] * running
            await engine.kill(first)
        async with engine.host(Planner(runner_key="two", **SETTINGS)) as second:
            await engine.advance(120)
            assert second.noted == ["begin"]


@pytest.mark.parametrize("seconds", [0, 5])
@virtual
async def test_runs_go_on_elsewhere_when_the_runner_shuts_down(seconds: float) -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Planner(**SETTINGS)) as first:
            actor = await engine.create("planned")
            await actor.request("GET", "/")
            program = first.of(actor, Program)
            await program.schedule.after(seconds, program.hang)
            await program.schedule.after(600, program.ping)
            await engine.advance(10)
        assert first.noted == ["begin", "end"]
        async with engine.host(Planner(**SETTINGS)) as second:
            await engine.advance(60)
            assert second.noted == ["begin"]
            await engine.advance(700)
            assert second.noted == ["begin", "ping"]


@virtual
async def test_a_run_that_does_not_end_when_cancelled_keeps_no_stop_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(Program):
        async def work(self) -> None:
            self.note("work")
            for _ in range(3):
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    self.note("no")

    async with planned(Stubborn) as (engine, runner, actor, program):
        await program.schedule.after(1, program.work)
        await engine.advance(2)
        await actor.sleep()
        assert "1 scheduled runs did not end" in caplog.text
        assert runner.noted[:2] == ["work", "no"]


@virtual
async def test_an_end_that_is_being_stored_is_not_cut_off_by_a_stop() -> None:
    async def slow(actor: Actor) -> None:
        actor.sleep()
        await asyncio.sleep(2)

    async with planned(Program) as (engine, runner, actor, program):
        runner.on_ran = slow
        await program.schedule.after(10, program.ping)
        await engine.advance(60)
        assert (runner.noted, actor.status) == (["ping"], "sleeping")
        await actor.wake()
        assert await runner.stored(actor) == []


@virtual
async def test_a_destroyed_actor_runs_nothing() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        await program.schedule.after(5, program.hang)
        await program.schedule.after(60, program.ping)
        await engine.advance(10)
        await actor.destroy()
        await engine.advance(600)
        assert runner.noted == ["begin", "end"]


# Cancelled


@virtual
async def test_cancelling_ends_the_run_and_its_retries() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        hanging = await program.schedule.after(5, program.hang)
        failing = await program.schedule.after(5, program.fail)
        await engine.advance(6)
        assert await program.schedule.cancel(hanging)
        assert await program.schedule.cancel(failing)
        await engine.advance(60)
        assert runner.noted == ["begin", "fail", "end"]
        assert (runner.failures, await runner.stored(actor)) == ([], [])


@virtual
async def test_a_call_that_is_cancelled_while_it_is_stored_leaves_nothing_behind() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        adding = asyncio.ensure_future(program.schedule.every("tick", 10, program.ping))
        await asyncio.sleep(0)
        assert len(await program.schedule.list()) == 1
        assert await program.schedule.cancel("tick")
        await adding
        await engine.advance(60)
        assert (runner.noted, await runner.stored(actor)) == ([], [])


@virtual
async def test_adding_that_is_cancelled_schedules_nothing_in_this_generation() -> None:
    async with planned(Program) as (engine, runner, _, program):
        adding = asyncio.ensure_future(program.schedule.after(1, program.ping))
        await asyncio.sleep(0)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        await engine.advance(60)
        assert (runner.noted, await program.schedule.list()) == ([], [])
