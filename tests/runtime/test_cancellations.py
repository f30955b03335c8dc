"""A cancellation at every await, one after the other, leaves no task, no socket and no half-changed state.

Each scenario runs again and again, each time on a loop of its own: at the first await of any of the runner's tasks, then at
the second, and so on until it ends before its trap springs. `scene` checks what must be true of every runner that is down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import pytest

from rivet_runner import EngineRejected
from rivet_runner.protocol.v3 import ActorStateStopped, StopCode, ToServerStopping
from rivet_runner.testing.scripted_engine import ScriptedEngine
from tests.support.scene import HookedRunner, Scene, scene, started
from tests.support.traps import TURNS, Trap, at_each_await

NEVER_LOST: Final = 3_600_000
"""Milliseconds: for scenarios whose point is not that the engine gives the runner up."""


# What an engine does to whoever connects. Each answers init in the end, if there is one.

Behaviour = Callable[[Scene], Coroutine[Any, Any, None]]


async def answers(current: Scene) -> None:
    while True:
        connection = await current.engine.accept(timeout=3600)
        with contextlib.suppress(EOFError, ConnectionError):
            await connection.init()


async def answers_late(current: Scene) -> None:
    connection = await current.engine.accept(timeout=3600)
    await asyncio.sleep(5)
    with contextlib.suppress(EOFError, ConnectionError):
        await connection.init()


async def refuses_at_first(current: Scene) -> None:
    current.engine.refuse(503, times=2)
    await answers(current)


async def is_away_at_first(current: Scene) -> None:
    await current.engine.stop()
    await asyncio.sleep(5)
    await current.engine.start()
    await answers(current)


async def stalls_at_first(current: Scene) -> None:
    current.engine.stall()
    await asyncio.sleep(12)
    current.engine.resume()
    await answers(current)


async def closes_at_first(current: Scene) -> None:
    connection = await current.engine.accept(timeout=3600)
    await connection.close(1011, "ws.going_away")
    await answers(current)


async def never_answers(_: Scene) -> None:
    await asyncio.Event().wait()


async def rejects(current: Scene) -> None:
    connection = await current.engine.accept(timeout=3600)
    await connection.close(1011, "namespace.not_found")


BEHAVIOURS: Final[list[Behaviour]] = [
    answers,
    answers_late,
    refuses_at_first,
    is_away_at_first,
    stalls_at_first,
    closes_at_first,
    never_answers,
    rejects,
]


@contextlib.asynccontextmanager
async def engine_that(behaves: Behaviour, current: Scene) -> AsyncIterator[None]:
    task = asyncio.create_task(behaves(current))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def check_that_it_stays_down(current: Scene) -> None:
    """The runner is down by now; wait for what should not come."""
    before = current.now
    with contextlib.suppress(EngineRejected):
        await current.runner.wait_closed()
    assert current.now == before, "the runner was not down yet"
    dials = len(current.engine.dials)
    await asyncio.sleep(120)
    assert len(current.engine.dials) == dials
    assert [connection for connection in current.engine.connections if connection.is_open] == []


@TURNS
@pytest.mark.parametrize("behaves", BEHAVIOURS)
def test_nothing_is_left_when_start_is_cancelled(behaves: Behaviour, turns: int) -> None:
    async def scenario(trap: Trap) -> None:
        async with scene(start_timeout=40) as current, engine_that(behaves, current):
            trap.arm(lambda: starting.cancel())
            starting = asyncio.create_task(current.runner.start())
            await asyncio.wait([starting])
            trap.disarm()
            error = None if starting.cancelled() else starting.exception()
            assert error is None or isinstance(error, TimeoutError | EngineRejected)
            if not starting.cancelled() and error is None:
                assert current.runner.connected
                await current.runner.shutdown()
            assert "closed" in repr(current.runner), "it was not down yet when start() raised"
            await check_that_it_stays_down(current)

    at_each_await(scenario, turns)


@TURNS
@pytest.mark.parametrize("behaves", BEHAVIOURS)
def test_nothing_is_left_when_a_shutdown_meets_a_reconnect(behaves: Behaviour, turns: int) -> None:
    async def scenario(trap: Trap) -> None:
        async with scene() as current:
            connection = await current.start(lost_threshold_ms=NEVER_LOST)
            await current.actor(connection)
            calls: list[asyncio.Task[None]] = []
            trap.arm(lambda: calls.append(asyncio.create_task(current.runner.shutdown())))
            connection.abort()
            async with engine_that(behaves, current):
                await asyncio.sleep(40)
                trap.disarm()
            await current.runner.shutdown(immediate=True)
            await asyncio.gather(*calls)
            await check_that_it_stays_down(current)
            current.errors[:] = [error for error in current.errors if "it had accepted this runner before" not in error]

    at_each_await(scenario, turns)


@TURNS
@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("victim", ["shutdown", "wait_closed"])
def test_the_drain_goes_on_when_one_who_waits_for_it_is_cancelled(victim: str, immediate: bool, turns: int) -> None:
    async def scenario(trap: Trap) -> None:
        async with started() as (current, connection):
            await current.actor(connection)
            socket = connection.open_websocket()
            await socket.opened()
            trap.arm(lambda: cancelled.cancel())
            runner = current.runner
            others = [asyncio.create_task(call) for call in (runner.shutdown(immediate), runner.wait_closed())]
            call = runner.shutdown(immediate) if victim == "shutdown" else runner.wait_closed()
            cancelled = asyncio.create_task(call)
            if not immediate:
                await connection.receive(ToServerStopping)
                connection.stop_actor()
            await asyncio.wait([cancelled, *others])
            assert [task.cancelled() or task.exception() for task in others] == [None, None]
            assert cancelled.cancelled() or cancelled.exception() is None
            assert await connection.closed() == (1000, "pegboard.runner_shutdown")
            if not immediate:
                assert await connection.stopped("a1") == ActorStateStopped(StopCode.OK, None)
            await check_that_it_stays_down(current)

    at_each_await(scenario, turns)


@TURNS
@pytest.mark.parametrize("moment", ["start", "drain", "reconnect"])
def test_nothing_is_left_when_every_task_is_cancelled_at_once(moment: str, turns: int) -> None:
    """As the end of `asyncio.run` does after an exception in its main task."""

    async def scenario(trap: Trap) -> None:
        async with ScriptedEngine() as engine:
            current = Scene(engine, HookedRunner(endpoint=engine.endpoint), [])
            async with engine_that(answers, current):
                if moment == "start":
                    trap.arm(trap.cancel_all)
                starting = asyncio.create_task(current.runner.start())
                await asyncio.wait([starting])
                if moment != "start":
                    await begin(moment, current, trap)
                await trap.all_ended()
            assert [connection for connection in engine.connections if connection.is_open] == []

    at_each_await(scenario, turns)


async def begin(moment: str, current: Scene, trap: Trap) -> None:
    """Let the runner do what ``moment`` says, and wait until it has, or the trap has sprung."""
    connection = current.engine.connections[0]
    connection.start_actor("a1")
    await connection.running("a1")
    trap.arm(trap.cancel_all)
    if moment == "reconnect":
        connection.abort()
        await asyncio.sleep(5)
    else:
        stopping = asyncio.create_task(current.runner.shutdown())
        with contextlib.suppress(EOFError, ConnectionError):
            await connection.receive(ToServerStopping)
            connection.stop_actor("a1")
        await asyncio.wait([stopping], timeout=20)
