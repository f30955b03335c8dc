"""Runs that fail or are many, on the simulated engine and virtual time."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from rivet_runner import Actor, KvError
from rivet_runner.actors import ScheduleFull
from rivet_runner.actors._schedule.runs import MAX_RUNS
from rivet_runner.actors._schedule.scheduler import MAX_BYTES, MAX_ENTRIES
from rivet_runner.kv import KV
from rivet_runner.testing import SimulatedEngine
from tests.actors.schedule.planner import Planner, Program, planned
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols


# Failures


@virtual
async def test_a_run_that_raises_is_retried_with_back_off_and_reported_at_last() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        identity = await program.schedule.after(10, program.fail)
        await engine.advance(13)
        scheduled = await program.schedule.get(identity)
        assert scheduled is not None
        assert scheduled.attempt == 3
        assert runner.failures == []
        await engine.advance(100)
        times = [at.timestamp() for _, _, at in runner.notes]
        assert [round(later - earlier) for earlier, later in itertools.pairwise(times)] == [2, 4, 8]
        [(method, error)] = runner.failures
        assert (method, str(error)) == ("fail", "no")
        assert await runner.stored(actor) == []


@virtual
async def test_retries_go_on_across_sleep_and_their_number_is_an_argument() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        await program.schedule.after(10, program.fail, retries=5)
        await engine.advance(26)
        assert len(runner.notes) == 4
        await actor.sleep()
        await engine.advance(10)
        assert actor.status == "sleeping"
        await engine.advance(60)
        assert [generation for _, generation, _ in runner.notes] == [0, 0, 0, 0, 1, 1]
        assert len(runner.failures) == 1


@virtual
async def test_without_retries_the_first_error_is_the_last() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.after(10, program.fail, retries=0)
        await engine.advance(11)
        assert (runner.noted, len(runner.failures)) == (["fail"], 1)


@virtual
async def test_a_method_that_was_cancelled_by_what_it_awaits_has_failed() -> None:
    class Cancelling(Program):
        async def work(self) -> None:
            self.note("work")
            task = asyncio.ensure_future(asyncio.sleep(10))
            asyncio.get_running_loop().call_soon(task.cancel)
            await task

    async with planned(Cancelling) as (engine, runner, _, program):
        await program.schedule.after(10, program.work, retries=1)
        await engine.advance(20)
        assert runner.noted == ["work", "work"]
        [(_, error)] = runner.failures
        assert "something that it awaited" in str(error)


@virtual
async def test_a_method_that_cancels_itself_has_failed() -> None:
    class Cancelling(Program):
        async def work(self) -> None:
            self.note("work")
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(10)

    async with planned(Cancelling) as (engine, runner, actor, program):
        await program.schedule.after(10, program.work, retries=1)
        await engine.advance(20)
        assert runner.noted == ["work", "work"]
        assert [method for method, _ in runner.failures] == ["work"]
        assert await runner.stored(actor) == []


@virtual
async def test_a_run_whose_state_could_not_be_stored_is_retried() -> None:
    refusals = [KvError("no room")]

    async def store(actor: Actor) -> None:
        if refusals:
            raise refusals.pop()

    async with planned(Program) as (engine, runner, _, program):
        runner.on_ran = store
        await program.schedule.after(10, program.ping)
        await engine.advance(20)
        assert (runner.noted, runner.failures) == (["ping", "ping"], [])


@virtual
async def test_the_state_is_stored_before_the_entry_is_removed() -> None:
    stored: list[int] = []

    async def store(actor: Actor) -> None:
        stored.append(len(await actor.kv.area("schedule").list()))

    async with planned(Program) as (engine, runner, _, program):
        runner.on_ran = store
        await program.schedule.after(10, program.ping)
        await engine.advance(11)
        assert stored == [1]


@pytest.mark.parametrize("recurring", [False, True])
@virtual
async def test_a_call_whose_method_is_gone_is_dropped_with_an_error(recurring: bool) -> None:
    async with planned(Program) as (engine, runner, actor, program):
        if recurring:
            await program.schedule.every("tick", 60, program.ping)
        else:
            await program.schedule.after(60, program.ping)
        runner.gone.add("ping")
        await engine.advance(200)
        [(method, error)] = runner.failures
        assert (method, type(error)) == ("ping", LookupError)
        assert await runner.stored(actor) == []


@virtual
async def test_arguments_that_do_not_fit_any_more_are_reported_and_not_tried_again() -> None:
    class Before(Program):
        async def work(self, count: str) -> None:
            pass

    class After(Program):
        async def work(self, count: int) -> None:
            pass

    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Planner(Before)) as first:
            actor = await engine.create("planned")
            await actor.request("GET", "/")
            program = first.of(actor, Before)
            await program.schedule.after(600, program.work, "three")
            await program.schedule.every("tick", 600, program.work, "three")
        async with engine.host(Planner(After)) as second:
            await engine.advance(700)
            assert [method for method, _ in second.failures] == ["work", "work"]
            assert "count" in str(second.failures[0][1])
            left = await second.of(actor, After).schedule.list()
            assert [scheduled.name for scheduled in left] == ["tick"]


@virtual
async def test_an_entry_that_cannot_be_read_is_logged_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    class Damaged(Program):
        async def on_stop(self) -> None:
            await self.actor.kv.area("schedule").put(b"entry/7-7", b"\xff damaged")

    async with planned(Damaged) as (engine, runner, actor, program):
        await program.schedule.after(600, program.ping)
        await actor.sleep()
        await engine.advance(700)
        assert runner.noted == ["ping"]
        assert "'7-7' cannot be read" in caplog.text
        assert await runner.stored(actor) == [b"entry/7-7"]


@virtual
async def test_an_end_that_cannot_be_stored_is_a_run_more_in_the_next_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(kv: KV, key: bytes) -> None:
        raise KvError("no room")

    async with planned(Program) as (engine, runner, actor, program):
        await program.schedule.after(10, program.ping)
        with monkeypatch.context() as patch:
            patch.setattr(KV, "delete", refuse)
            await engine.advance(60)
            assert (runner.noted, await program.schedule.list()) == (["ping"], [])
        await actor.sleep()
        await actor.wake()
        await engine.advance(1)
        assert runner.noted == ["ping", "ping"]
        assert await runner.stored(actor) == []


@virtual
async def test_an_alarm_that_cannot_be_set_is_set_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async with planned(Program) as (engine, runner, actor, program):
        await program.schedule.after(10, program.ping)
        await program.schedule.after(3600, program.ping, "later")
        refused = []

        async def refuse(actor: Actor, when: datetime | None) -> None:
            refused.append(when)
            raise KvError("no room")

        with monkeypatch.context() as patch:
            patch.setattr(type(program.actor), "set_alarm", refuse)
            await engine.advance(60)
            assert len(refused) > 5
        await engine.advance(10)
        await actor.sleep()
        await engine.advance(hours=1)
        assert runner.noted == ["ping", "later"]


@virtual
async def test_what_could_not_be_stored_is_not_scheduled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(kv: KV, key: bytes, value: bytes) -> None:
        raise KvError("no room")

    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.every("tick", 60, program.ping, "old")
        with monkeypatch.context() as patch:
            patch.setattr(KV, "put", refuse)
            with pytest.raises(KvError):
                await program.schedule.after(5, program.ping)
            with pytest.raises(KvError):
                await program.schedule.every("tick", 30, program.ping, "new")
        [scheduled] = await program.schedule.list()
        assert scheduled.args == ("old",)
        await engine.advance(61)
        assert runner.noted == ["old"]


# Many


@pytest.mark.slow
@virtual
async def test_only_so_many_run_side_by_side_and_the_rest_follows() -> None:
    class Counting(Program):
        running = most = done = 0

        async def work(self) -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(1)
            self.running -= 1
            self.done += 1

    async with planned(Counting) as (engine, runner, actor, program):
        await asyncio.gather(*(program.schedule.after(60, program.work) for _ in range(2 * MAX_RUNS + 10)))
        await engine.advance(70)
        assert (program.most, program.done) == (MAX_RUNS, 2 * MAX_RUNS + 10)
        assert await runner.stored(actor) == []


@pytest.mark.slow
@pytest.mark.only_protocol(3)
@virtual
async def test_thousands_are_loaded_and_one_too_many_is_refused() -> None:
    async with planned(Program) as (engine, runner, actor, program):
        add = program.schedule.after
        soon = 2_500  # each run costs as much as each entry
        await asyncio.gather(*(add(3600, program.ping, str(index)) for index in range(soon)))
        await asyncio.gather(*(add(9000, program.ping, "late") for _ in range(MAX_ENTRIES - 1 - soon)))
        await program.schedule.every("tick", 7200, program.ping)
        with pytest.raises(ScheduleFull, match="10,000") as caught:
            await add(3600, program.ping)
        assert caught.value.entries == MAX_ENTRIES
        await program.schedule.every("tick", 7000, program.ping, "replaced")
        await actor.sleep()
        await actor.wake()
        assert len(await runner.of(actor, Program).schedule.list()) == MAX_ENTRIES
        await engine.advance(hours=1.5)
        assert sorted(map(int, runner.noted)) == [*range(soon)]


@virtual
async def test_the_arguments_of_all_have_a_limit_together() -> None:
    async with planned(Program) as (_, _, _, program):
        large = "x" * 60_000
        count = MAX_BYTES // 60_000
        await asyncio.gather(*(program.schedule.after(60, program.ping, large) for _ in range(count)))
        with pytest.raises(ScheduleFull):
            await program.schedule.after(60, program.ping, large)


# The clock


@virtual
async def test_a_clock_that_is_set_forward_is_seen_within_half_a_minute() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.after(3600, program.ping)
        await engine.advance(60)
        runner.clock_error_ms = 3_600_000
        await engine.advance(31)
        assert runner.noted == ["ping"]


@virtual
async def test_nothing_runs_twice_or_early_when_the_clock_is_set_back() -> None:
    async with planned(Program) as (engine, runner, _, program):
        await program.schedule.after(60, program.ping)
        await program.schedule.after(600, program.ping, "later")
        await engine.advance(61)
        runner.clock_error_ms = -300_000
        await engine.advance(800)
        assert runner.noted == ["ping"]
        await engine.advance(100)
        assert runner.noted == ["ping", "later"]


# Arguments


class Order(msgspec.Struct):
    item: str
    count: int = 1


class Shop(Program):
    async def ship(self, order: Order, *others: Order, when: datetime | None = None) -> None:
        self.note(f"{type(order).__name__} {order.item} {order.count} {len(others)}")


@virtual
async def test_arguments_come_back_as_their_annotations_say() -> None:
    async with planned(Shop) as (engine, runner, actor, program):
        await program.schedule.after(60, program.ship, Order("tea"), Order("milk", 2))
        [scheduled] = await program.schedule.list()
        assert scheduled.args == ({"item": "tea", "count": 1}, {"item": "milk", "count": 2})
        await actor.sleep()
        await engine.advance(61)
        assert runner.noted == ["Order tea 1 1"]


@virtual
async def test_a_call_that_could_not_be_made_is_refused() -> None:
    async def stranger() -> None: ...

    async with planned(Shop) as (_, _, _, program):
        schedule: Any = program.schedule
        other = Shop(program.actor, program.schedule, [])
        for method in (stranger, print, "ship", None, other.ship, lambda: None):
            with pytest.raises(TypeError, match="a method of this actor"):
                await schedule.after(60, method)
        for arguments in ((), (5,), ({"item": 1},), (object(),)):
            with pytest.raises(TypeError, match="ship"):
                await schedule.after(60, program.ship, *arguments)
        with pytest.raises(ValueError, match="65,536"):
            await schedule.after(60, program.ship, {"item": "x" * 70_000})
        for delay in ("5", None, True):
            with pytest.raises(TypeError, match="seconds or a timedelta"):
                await schedule.after(delay, program.ping)
        for endless in (float("nan"), float("inf"), 1e15, timedelta.max):
            with pytest.raises(ValueError):
                await schedule.after(endless, program.ping)
        with pytest.raises(ValueError, match="aware"):
            await schedule.at(datetime(2030, 1, 1), program.ping)
        with pytest.raises(TypeError, match="aware datetime"):
            await schedule.at(1_800_000_000, program.ping)
        for retries in (-1, 1.5, True, 1001):
            with pytest.raises(ValueError, match="retries"):
                await schedule.after(60, program.ping, retries=retries)
        assert await schedule.list() == []
