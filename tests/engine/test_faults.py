"""A hundred network faults in about a minute, under load: nothing is lost, nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

import pytest
import websockets

import rivet_runner
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.idle_tasks import running_tasks, tasks_that_stay
from tests.support.load import SHARES, Load, hosted_load, strike

pytestmark = [
    pytest.mark.both_protocols,
    pytest.mark.real_engine("it counts the memory of this process, where the simulated engine lives too"),
]

BETWEEN: Final = (0.02, 0.2)
LASTING: Final = (0.05, 0.35)
"""Seconds: with these, a hundred faults take about a minute."""

ACTORS: Final = 5
EVERY_KEY: Final = 1_000_000
"""No key is written twice, so that each put of the whole minute is looked for."""

MORE_OBJECTS: Final = 2_000
MORE_BYTES: Final = 256 * 1024
"""Slack for caches and timers. One connection that stays behind is some 200 objects and 30 KiB, and over 28 are cut."""


class Census(NamedTuple):
    """A count of everything when no load is on."""

    tasks: Counter[str]
    objects: int
    traced_bytes: int


def take_census() -> Census:
    gc.collect()
    packages = [path for package in (rivet_runner, websockets) for path in package.__path__]
    ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, f"{path}/*") for path in packages])
    return Census(running_tasks(), len(gc.get_objects()), sum(trace.size for trace in ours.traces))


PATIENCE = 60.0
"""Seconds until all works again, on a busy machine. The report of a run tells how long it took."""


@pytest.fixture
def tracing() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@contextlib.asynccontextmanager
async def behind_a_proxy() -> AsyncIterator[tuple[Load, FaultProxy]]:
    """An engine, a network that can fail, and a runner on it with its actors, for five minutes at most."""
    async with asyncio.timeout(300), hosted_load("ledger", ACTORS, EVERY_KEY) as (load, proxy):
        # The engine puts an actor to sleep that it cannot place in a runner's first milliseconds. A request wakes it.
        await load.works(PATIENCE)
        yield load, proxy


async def test_nothing_is_lost_and_nothing_stays_behind_when_a_hundred_faults_strike(
    tracing: None, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(100)
    async with behind_a_proxy() as (load, proxy):
        ledger, figures = load.ledger, load.ledger.figures
        at_first = running_tasks()
        async with load.busy():  # the first fault of each kind may allocate for good
            await strike(proxy, ledger, Fault, chance, between=BETWEEN, lasting=LASTING)
            await load.works(PATIENCE)
        assert await tasks_that_stay(at_first, ledger) == {}
        before = take_census()
        began = time.monotonic()
        async with load.busy():
            faults = chance.sample([*SHARES], counts=[*SHARES.values()], k=sum(SHARES.values()))
            await strike(proxy, ledger, faults, chance, between=BETWEEN, lasting=LASTING)
            lasted = time.monotonic() - began
            worked_after = await load.works(PATIENCE)
        staying = await tasks_that_stay(before.tasks, ledger)
        after = take_census()
        print(
            f"\n{len(faults)} faults in {lasted:.1f} s; all worked {worked_after:.2f} s after the last; {dict(figures)};"
            f" before {before[1:]}, after {after[1:]}"
        )
        assert figures["stops"] == 0, "an actor was lost"
        assert staying == {}
        assert after.objects <= before.objects + MORE_OBJECTS
        assert after.traced_bytes <= before.traced_bytes + MORE_BYTES
        assert load.error_answers == {}
        assert figures["overwritten"] == 0, "a value was replaced by an older one"
        assert figures["skipped messages"] == 0, "a handler has missed a client's message"
        for actor_id in load.actor_ids:
            assert await load.missing(actor_id) == [], f"acknowledged puts of {actor_id} are gone"
    assert figures["connections"] == figures["disconnections"]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
