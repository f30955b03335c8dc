"""Calls that repeat, on the simulated engine and virtual time."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from tests.actors.schedule.planner import Planner, Program, planned
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols


def seconds_between(runner: Planner) -> list[int]:
    times = [at.timestamp() for _, _, at in runner.notes]
    return [round(later - earlier) for earlier, later in itertools.pairwise(times)]


@virtual
async def test_it_is_called_each_interval_awake_and_asleep() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        assert await program.schedule.every("tick", 60, program.ping) == "tick"
        await engine.advance(61)
        await actor.sleep()
        await engine.advance(240)
        assert len(runner.notes) == 5
        assert seconds_between(runner) == [60] * 4
        scheduled = await runner.of(actor, Program).schedule.get("tick")
        assert scheduled is not None
        assert (scheduled.id, scheduled.name) == ("tick", "tick")


@virtual
async def test_ticks_keep_their_distance_however_long_a_run_takes_and_those_during_it_are_skipped() -> None:
    class Slow(Program):
        async def work(self) -> None:
            self.note("work")
            await asyncio.sleep(25)

    async with planned(Slow) as (engine, runner, _, program):
        await program.schedule.every("tick", 10, program.work)
        await engine.advance(100)
        assert seconds_between(runner) == [30, 30, 30]


@virtual
async def test_ticks_that_were_missed_run_once() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.every("tick", 60, program.ping)
        await engine.kill(runner)
        await engine.advance(minutes=30, seconds=30)
        async with engine.host(Planner) as second:
            await engine.advance(20)
            assert len(second.notes) == 1
            await engine.advance(60)
            assert len(second.notes) == 2
            assert seconds_between(second) == [pytest.approx(30, abs=15)], "in step with the ticks before"


@virtual
async def test_cron_follows_the_clocks_of_its_time_zone() -> None:
    async with planned(Program) as (_, _, _, program):
        await program.schedule.cron("daily", "0 9 * * *", program.ping, tz="Asia/Kathmandu")
        [scheduled] = await program.schedule.list()
        assert scheduled.at.strftime("%H:%M") == "03:15"


@virtual
async def test_the_same_name_replaces() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.every("tick", 60, program.ping, "old")
        await program.schedule.cron("tick", "*/2 * * * *", program.ping, "new")
        assert len(await program.schedule.list()) == 1
        await engine.advance(minutes=2)
        assert runner.noted == ["new"]


@virtual
async def test_saying_it_at_each_start_puts_no_tick_off_and_drops_none() -> None:
    class Steady(Program):
        async def on_start(self) -> None:
            await self.schedule.every("tick", timedelta(hours=1), self.ping)

    async with planned(Steady) as (engine, runner, actor, _):
        await engine.advance(minutes=50)
        await actor.sleep()
        await actor.wake()
        await engine.advance(minutes=11)
        assert runner.noted == ["ping"]
        await actor.sleep()
        await engine.advance(hours=1)
        assert runner.noted == ["ping", "ping"]


@virtual
async def test_a_run_may_replace_its_own_schedule() -> None:
    class Slower(Program):
        async def work(self, seconds: int) -> None:
            self.note("work")
            await self.schedule.every("tick", seconds * 2, self.work, seconds * 2)

    async with planned(Slower) as (engine, runner, _, program):
        await program.schedule.every("tick", 10, program.work, 10)
        await engine.advance(10 + 20 + 40 + 80 + 5)
        assert seconds_between(runner) == [20, 40, 80]


@virtual
async def test_a_new_schedule_waits_for_the_run_of_the_one_that_it_replaces() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.every("tick", 10, program.hang)
        await engine.advance(11)
        await program.schedule.every("tick", 60, program.ping)
        await engine.advance(minutes=59)
        assert runner.noted == ["begin"]
        await engine.advance(seconds=59.5)
        assert runner.noted == ["begin", "end", "ping"]


@virtual
async def test_a_run_that_cancels_its_schedule_goes_on_to_its_end() -> None:
    class Countdown(Program):
        async def work(self) -> None:
            if len(self.notes) == 2:
                assert await self.schedule.cancel("tick")
            await asyncio.sleep(1)
            self.note("work")

    async with planned(Countdown) as (engine, runner, actor, program):
        await program.schedule.every("tick", 10, program.work)
        await engine.advance(100)
        assert runner.noted == ["work"] * 3
        assert await runner.stored(actor) == []


@virtual
async def test_a_tick_that_fails_is_retried_then_given_up_and_the_next_one_comes() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.every("tick", 600, program.fail, retries=2)
        await engine.advance(700)
        assert seconds_between(runner) == [2, 4]
        assert [method for method, _ in runner.failures] == ["fail"]
        await engine.advance(600)
        assert seconds_between(runner) == [2, 4, 594, 2, 4]


@pytest.mark.parametrize("interval", [0, -1, timedelta(0), 0.0001, float("nan"), float("inf"), 1e300])
@virtual
async def test_an_interval_without_ticks_is_refused(interval: Any) -> None:
    async with planned(Program) as (_, _, _, program):
        with pytest.raises(ValueError):
            await program.schedule.every("tick", interval, program.ping)
        assert await program.schedule.list() == []


@pytest.mark.parametrize("name", ["", "x" * 257, "é" * 129, "0-1"])
@virtual
async def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    async with planned(Program) as (_, _, _, program):
        with pytest.raises(ValueError, match="name"):
            await program.schedule.every(name, 60, program.ping)


@virtual
async def test_cron_that_cannot_be_read_or_never_comes_is_refused() -> None:
    async with planned(Program) as (_, _, _, program):
        with pytest.raises(ValueError, match="not a cron expression"):
            await program.schedule.cron("daily", "at nine", program.ping)
        with pytest.raises(ValueError, match="not a time zone"):
            await program.schedule.cron("daily", "0 9 * * *", program.ping, tz="Mars")
        assert await program.schedule.list() == []


@virtual
async def test_a_clock_that_is_set_back_far_does_not_stop_what_repeats() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        runner.clock_error_ms = 10 * 365 * 86_400_000
        await program.schedule.every("tick", 3600, program.ping)
        runner.clock_error_ms = 0
        await actor.sleep()
        await actor.wake()
        await engine.advance(hours=1.2)
        assert runner.noted == ["ping"]
