"""The tasks that a load leaves behind."""

from __future__ import annotations

import asyncio
from collections import Counter

from rivet_runner import Runner
from tests.support.idle_tasks import SETTLE_SECONDS, running_tasks, tasks_that_stay
from tests.support.virtual_time import virtual_time


def runner() -> Runner:
    """A runner without actors."""
    return Runner(endpoint="http://127.0.0.1:1")


@virtual_time
async def test_task_is_named_when_it_never_ends() -> None:
    before = running_tasks()
    stays = asyncio.create_task(asyncio.Event().wait(), name="connection")
    assert await tasks_that_stay(before, runner()) == Counter({"connection": 1})
    stays.cancel()


@virtual_time
async def test_task_is_named_by_its_coroutine_when_it_has_no_name() -> None:
    before = running_tasks()
    stays = asyncio.create_task(asyncio.Event().wait())
    assert await tasks_that_stay(before, runner()) == Counter({"Event.wait": 1})
    stays.cancel()


@virtual_time
async def test_no_task_stays_when_the_last_one_ends_in_time() -> None:
    loop = asyncio.get_running_loop()
    before, began = running_tasks(), loop.time()
    ends = asyncio.create_task(asyncio.sleep(SETTLE_SECONDS - 1))
    assert await tasks_that_stay(before, runner()) == Counter()
    assert ends.done()
    assert loop.time() - began < SETTLE_SECONDS
