"""Alarms on the real engine: it wakes a sleeping actor, and nobody else."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from rivet_runner import Actor
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, hosting
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("an alarm is a time of the wall clock")]

# What the engine may be late by on a busy machine. 0.1 s is usual, and an alarm that was replaced was due in an hour.
LATE_SECONDS = 50.0
# It was seen to be 20 ms early.
EARLY_SECONDS = 0.1


def after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def test_actor_wakes_at_about_the_time_when_its_alarm_is_due(engine: Engine, api: EngineApi, runner_name: str) -> None:
    woken_at: dict[str, float] = {}

    async def on_start(actor: Actor) -> None:
        if actor.generation == 1:
            woken_at[actor.id] = time.time()

    async with hosting(engine, runner_name, on_start=on_start) as runner:
        plain, later, earlier, zoned = await asyncio.gather(*(runner.new_actor(api) for _ in range(4)))
        due = {
            actor.id: time.time() + seconds for actor, seconds in [(plain, 1.5), (later, 2.5), (earlier, 1.5), (zoned, 1.5)]
        }
        await plain.set_alarm(datetime.fromtimestamp(due[plain.id], UTC))
        await later.set_alarm(after(0.5))
        await later.set_alarm(datetime.fromtimestamp(due[later.id], UTC))
        await earlier.set_alarm(after(3600))
        await earlier.set_alarm(datetime.fromtimestamp(due[earlier.id], UTC))
        await zoned.set_alarm(datetime.fromtimestamp(due[zoned.id], timezone(timedelta(hours=9))))
        for actor in (plain, later, earlier, zoned):
            actor.sleep()
        await eventually(lambda: len(woken_at) == 4)
        for actor_id, at in woken_at.items():
            assert -EARLY_SECONDS < at - due[actor_id] < LATE_SECONDS
        assert {generation for hook, _, generation in runner.calls if hook == "start"} == {0, 1}


async def test_actor_sleeps_on_when_its_alarm_is_cleared_or_was_due_before(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name) as runner:
        control, cleared, cleared_later, never = await asyncio.gather(*(runner.new_actor(api) for _ in range(4)))
        await cleared.set_alarm(after(0.5))
        await cleared.set_alarm(None)
        await never.set_alarm(None)
        await cleared_later.set_alarm(after(60))
        await runner.put_to_sleep(api, cleared_later)
        cleared_later = await runner.wake(api, cleared_later)
        await cleared_later.set_alarm(None)
        await cleared_later.set_alarm(after(0.5))
        await cleared_later.set_alarm(None)
        # It is set last and due last, so whoever has not woken when it has will not.
        await control.set_alarm(after(1.5))
        await asyncio.gather(*(runner.put_to_sleep(api, actor) for actor in (control, cleared, cleared_later, never)))
        await eventually(lambda: control.id in runner.actors)
        await asyncio.sleep(0.5)
        assert [*runner.actors] == [control.id]


async def test_alarm_is_kept_when_the_actor_was_woken_and_sleeps_again(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name) as runner:
        actor = await runner.new_actor(api)
        due = time.time() + 2
        await actor.set_alarm(datetime.fromtimestamp(due, UTC))
        await runner.put_to_sleep(api, actor)
        woken = await runner.wake(api, actor)
        await runner.put_to_sleep(api, woken)
        await eventually(lambda: ("start", actor.id, 2) in runner.calls)
        assert -EARLY_SECONDS < time.time() - due < LATE_SECONDS


async def test_alarm_counts_when_it_is_set_by_the_stop_hook(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def on_stop(actor: Actor) -> None:
        if actor.generation == 0:
            await actor.set_alarm(after(0.5))

    async with hosting(engine, runner_name, on_stop=on_stop) as runner:
        actor = await runner.new_actor(api)
        actor.sleep()
        await eventually(lambda: ("start", actor.id, 1) in runner.calls)


async def test_alarm_is_refused_when_it_is_not_an_aware_datetime(engine: Engine, api: EngineApi, runner_name: str) -> None:
    refused: list[tuple[Any, type[Exception]]] = [(datetime(2030, 1, 1), ValueError), (1.5, TypeError), ("soon", TypeError)]
    async with hosting(engine, runner_name) as runner:
        actor = await runner.new_actor(api)
        for when, error in refused:
            with pytest.raises(error, match="aware datetime"):
                await actor.set_alarm(when)
        assert (await api.request(actor.id, "GET", "/")).status == 200
