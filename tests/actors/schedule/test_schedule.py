"""Calls that are scheduled, on the simulated engine and virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.actors.schedule.planner import Program, planned
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols


def near(when: datetime) -> object:
    return pytest.approx(when.timestamp(), abs=0.1)


@virtual
async def test_a_call_is_made_once_after_its_delay() -> None:
    async with planned(Program) as (engine, runner, _, program):
        due = engine.now() + timedelta(seconds=300)
        identity = await program.schedule.after(300, program.ping, "tea")
        scheduled = await program.schedule.get(identity)
        assert scheduled is not None
        assert (scheduled.id, scheduled.name, scheduled.method, scheduled.args) == (identity, None, "ping", ("tea",))
        assert scheduled.at.timestamp() == near(due)
        assert (scheduled.attempt, scheduled.at.tzinfo) == (1, UTC)
        await engine.advance(299)
        assert runner.notes == []
        await engine.advance(2)
        [(text, generation, at)] = runner.notes
        assert (text, generation, at.timestamp()) == ("tea", 0, near(due))
        await engine.advance(hours=2)
        assert len(runner.notes) == 1
        assert await program.schedule.get(identity) is None
        assert await program.schedule.list() == []


@virtual
async def test_calls_wake_a_sleeping_actor_in_their_order() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        await program.schedule.after(timedelta(hours=2), program.ping, "second")
        await program.schedule.at(engine.now() + timedelta(hours=1), program.ping, "first")
        await program.schedule.after(timedelta(hours=3), program.ping, "third")
        await actor.sleep()
        await engine.advance(minutes=59)
        assert (actor.status, runner.noted) == ("sleeping", [])
        await engine.advance(minutes=2)
        assert runner.noted == ["first"]
        await actor.sleep()
        await engine.advance(minutes=58)
        assert actor.status == "sleeping"
        await engine.advance(hours=2)
        assert [(what, generation) for what, generation, _ in runner.notes] == [("first", 1), ("second", 2), ("third", 2)]


@virtual
async def test_a_time_that_has_passed_is_due_at_once() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.at(engine.now() - timedelta(days=1), program.ping, "past")
        await program.schedule.after(-5, program.ping, "negative")
        await engine.advance(0.2)
        assert sorted(runner.noted) == ["negative", "past"]


@virtual
async def test_a_cancelled_call_is_not_made_and_wakes_nothing() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        keep = await program.schedule.after(7200, program.ping, "kept")
        drop = await program.schedule.after(60, program.ping, "dropped")
        assert [scheduled.id for scheduled in await program.schedule.list()] == [drop, keep]
        assert await program.schedule.cancel(drop)
        assert not await program.schedule.cancel(drop)
        assert not await program.schedule.cancel("other")
        await actor.sleep()
        await engine.advance(hours=1)
        assert (actor.status, runner.noted) == ("sleeping", [])
        await engine.advance(hours=1.1)
        assert runner.noted == ["kept"]


@virtual
async def test_what_is_scheduled_is_known_in_later_generations() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        first = await program.schedule.after(3600, program.ping, "kept")
        await actor.sleep()
        await actor.wake()
        program = runner.of(actor, Program)
        second = await program.schedule.after(3600, program.ping, "new")
        assert {scheduled.id for scheduled in await program.schedule.list()} == {first, second}
        assert await program.schedule.cancel(first)
        await engine.advance(hours=2)
        assert runner.noted == ["new"]


@virtual
async def test_nothing_is_left_in_the_store() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        for seconds in (1, 100, 5000):
            await program.schedule.after(seconds, program.ping)
        await program.schedule.cancel(await program.schedule.after(200, program.ping))
        await engine.advance(hours=2)
        assert await runner.stored(actor) == []
