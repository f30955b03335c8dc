"""The example of reminders, over months of virtual time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from examples.reminders import Reminders, app
from rivet_runner.actors import UserError
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import virtual


@virtual
async def test_a_reminder_comes_in_its_time_while_the_actor_sleeps() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        ada = engine.client.get_or_create(Reminders, "ada")
        asked = engine.now()
        await ada.call(Reminders.once, "tea", 3600)
        [pending] = await ada.call(Reminders.pending)
        assert pending.text == "tea"
        await engine.advance(minutes=30)
        assert engine.get(await ada.resolve()).status == "sleeping"
        await engine.advance(minutes=31)
        [due] = await ada.call(Reminders.past)
        assert due.text == "tea"
        assert timedelta(0) <= due.at - asked - timedelta(hours=1) < timedelta(seconds=1)
        assert await ada.call(Reminders.pending) == []


@pytest.mark.slow
@virtual
async def test_mornings_of_a_month_come_by_the_clocks_of_the_time_zone() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        ada = engine.client.get_or_create(Reminders, "ada")
        await ada.call(Reminders.daily, "stand-up", "30 9 * * MON-FRI", "Asia/Kolkata")
        await engine.advance(days=28)
        past = await ada.call(Reminders.past)
        assert len(past) == 20
        assert {due.at.strftime("%H:%M") for due in past} == {"04:00"}
        assert {due.at.weekday() for due in past} == {0, 1, 2, 3, 4}


@virtual
async def test_reminders_are_forgotten_and_reach_those_who_listen() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        ada = engine.client.get_or_create(Reminders, "ada")
        forgotten = await ada.call(Reminders.once, "milk", 60)
        async with ada.connect() as live:
            due = live.on(Reminders.due)
            await live.call(Reminders.once, "tea", 60)
            assert await live.call(Reminders.forget, forgotten)
            assert not await live.call(Reminders.forget, forgotten)
            assert (await anext(due)).text == "tea"
        assert [each.text for each in await ada.call(Reminders.past)] == ["tea"]


@virtual
async def test_a_time_that_cannot_be_read_is_the_callers_error() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        ada = engine.client.get_or_create(Reminders, "ada")
        with pytest.raises(UserError, match="not a cron expression") as caught:
            await ada.call(Reminders.daily, "stand-up", "every day")
        assert caught.value.code == "bad_time"
