"""How long the runner waits between attempts, whatever makes them fail."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from rivet_runner._connection.backoff import Backoff
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import Scene, scene, started
from tests.support.virtual_time import virtual_time

LONG = 400


def check_growth(delays: list[float], *, slack: float = 0.05) -> None:
    """Doubling from 1 s to 30 s, each with up to 25 % of jitter."""
    assert len(delays) >= 8
    for number, delay in enumerate(delays):
        base = min(30.0, 2.0**number)
        assert base - slack <= delay <= base * 1.25 + slack, f"delay {number}: {delay}"


def dial_delays(current: Scene) -> list[float]:
    times = [dial.time for dial in current.engine.dials]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@contextlib.asynccontextmanager
async def dialling(current: Scene) -> AsyncIterator[asyncio.Task[None]]:
    """A runner that has begun to start."""
    starting = asyncio.create_task(current.runner.start())
    try:
        yield starting
    finally:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting


@contextlib.asynccontextmanager
async def each_connection(current: Scene, script: Callable[[RunnerConnection], Awaitable[None]]) -> AsyncIterator[None]:
    """Treat every connection in the same way."""

    async def run() -> None:
        while True:
            await script(await current.engine.accept(timeout=LONG))

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@virtual_time
async def test_delays_double_up_to_thirty_seconds_when_dials_are_refused() -> None:
    async with scene() as current:
        current.engine.refuse(503)
        async with dialling(current):
            await asyncio.sleep(LONG)
            check_growth(dial_delays(current))


@virtual_time
async def test_delays_double_when_the_engine_accepts_and_closes() -> None:
    async def close(connection: RunnerConnection) -> None:
        await connection.close(1011, "x.y")

    async with scene() as current, dialling(current), each_connection(current, close):
        await asyncio.sleep(LONG)
        check_growth(dial_delays(current))


@virtual_time
async def test_delays_double_when_the_engine_accepts_and_drops() -> None:
    async def drop(connection: RunnerConnection) -> None:
        connection.abort()

    async with scene() as current, dialling(current), each_connection(current, drop):
        await asyncio.sleep(LONG)
        check_growth(dial_delays(current))


@pytest.mark.parametrize("lasting", [0.0, 1.0])
@virtual_time
async def test_delays_double_when_the_engine_answers_init_and_closes(lasting: float) -> None:
    async def init_and_close(connection: RunnerConnection) -> None:
        await connection.init()
        await asyncio.sleep(lasting)
        await connection.close(1011, "x.y")

    async with scene() as current, dialling(current), each_connection(current, init_and_close):
        await asyncio.sleep(LONG)
        check_growth([delay - lasting for delay in dial_delays(current)])


@virtual_time
async def test_delays_start_over_when_a_connection_was_stable() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        current.engine.refuse(503, times=5)
        connection.abort()
        connection = await current.reconnected(within=100)
        await asyncio.sleep(10)
        before = current.now
        connection.abort()
        await current.reconnected()
        assert current.now - before <= 1.3


@virtual_time
async def test_delays_go_on_growing_when_a_connection_was_short() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        current.engine.refuse(503, times=3)
        connection.abort()
        connection = await current.reconnected(within=100)
        before = current.now
        connection.abort()
        await current.reconnected()
        assert current.now - before >= 15.9


@virtual_time
async def test_delays_do_not_start_over_when_a_connection_lasted_without_init() -> None:
    async def wait_and_close(connection: RunnerConnection) -> None:
        await asyncio.sleep(20)
        await connection.close(1011, "x.y")

    async with scene() as current, dialling(current), each_connection(current, wait_and_close):
        await asyncio.sleep(LONG * 2)
        check_growth([delay - 20 for delay in dial_delays(current)])


@virtual_time
async def test_runners_do_not_come_back_together_when_they_lost_one_engine() -> None:
    delays = {Backoff().next_delay() for _ in range(50)}
    assert len(delays) > 40
    assert all(1 <= delay <= 1.25 for delay in delays)
