"""Shutdowns: repeated, concurrent, from hooks, racing a close. Each is ordinary."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from rivet_runner import Response, RunnerEvicted
from rivet_runner.protocol.v3 import ToServerStopping
from tests.support.scene import Hook, HookedRunner, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@virtual_time
async def test_the_connection_is_closed_in_good_order_when_there_are_no_actors() -> None:
    async with started() as (current, connection):
        before = current.now
        await current.runner.shutdown()
        assert current.now - before < 0.1
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")
        assert isinstance(await connection.receive(), ToServerStopping)
        assert current.runner.called("on_disconnected") == [(1000, "pegboard.runner_shutdown")]
        await current.runner.wait_closed()
        await asyncio.sleep(120)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_all_calls_return_when_many_shut_down_at_once() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        calls = [asyncio.create_task(current.runner.shutdown(immediate=number % 3 == 2)) for number in range(9)]
        await asyncio.wait(calls, timeout=10)
        assert all(call.done() and call.exception() is None for call in calls)
        assert len(connection.messages(ToServerStopping)) == 1
        for _ in range(3):
            await current.runner.shutdown()
            await current.runner.shutdown(immediate=True)


@virtual_time
async def test_shutdown_goes_on_when_its_caller_is_cancelled() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        call = asyncio.create_task(current.runner.shutdown())
        await settle()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        connection.stop_actor()
        await asyncio.wait_for(current.runner.wait_closed(), 1)
        assert current.runner.called("on_shutdown") == [()]


@virtual_time
async def test_a_graceful_shutdown_hurries_when_an_immediate_one_follows() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        graceful = asyncio.create_task(current.runner.shutdown())
        await asyncio.sleep(20)
        assert not graceful.done()
        before = current.now
        await current.runner.shutdown(immediate=True)
        assert current.now - before < 1.5
        await graceful


@pytest.mark.parametrize("immediate", [False, True])
@virtual_time
async def test_shutdown_ends_when_the_runner_backs_off(immediate: bool) -> None:
    async with started() as (current, _):
        current.engine.refuse(503)
        current.engine.connections[0].abort()
        await asyncio.sleep(20)
        dials, before = len(current.engine.dials), current.now
        await current.runner.shutdown(immediate)
        assert current.now - before < 0.1
        await asyncio.sleep(120)
        assert len(current.engine.dials) == dials
        await current.runner.wait_closed()


@pytest.mark.parametrize("immediate", [False, True])
@virtual_time
async def test_shutdown_ends_when_the_runner_dials(immediate: bool) -> None:
    async with started() as (current, connection):
        current.engine.stall()
        connection.abort()
        await asyncio.sleep(3)
        before = current.now
        await current.runner.shutdown(immediate)
        assert current.now - before < 2
        current.engine.resume()
        await settle()
        assert not any(connection.is_open for connection in current.engine.connections)


@pytest.mark.parametrize(
    "immediate",
    [
        False,
        True,
    ],
)
@virtual_time
async def test_shutdown_ends_and_hooks_are_in_order_when_the_engine_has_stalled(immediate: bool) -> None:
    """The close handshake is never answered; `scene` checks that on_disconnected is called, and before on_shutdown."""
    async with started() as (current, connection):
        connection.stall()
        before = current.now
        await current.runner.shutdown(immediate)
        assert current.now - before <= (2 if immediate else 7)
        connection.resume()
        await settle()


@pytest.mark.parametrize(
    "turns", [pytest.param(turns, marks=pytest.mark.slow) if turns % 3 else turns for turns in range(12)]
)
@pytest.mark.parametrize("reason", ["ws.eviction", "pegboard.runner_shutdown", "ws.going_away", "api.forbidden", "a.b"])
@virtual_time
async def test_shutdown_is_clean_when_a_close_races_it(reason: str, turns: int) -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        closing = asyncio.create_task(connection.close(1011, reason))
        for _ in range(turns):
            await asyncio.sleep(0)
        before = current.now
        await current.runner.shutdown()
        assert current.now - before < 1
        await closing
        with contextlib.suppress(RunnerEvicted):
            await current.runner.wait_closed()
        assert len(current.runner.called("on_disconnected")) == 1
        assert len(current.engine.dials) == 1
        current.errors[:] = [error for error in current.errors if "api.forbidden" not in error]


@virtual_time
async def test_wait_closed_raises_nothing_when_an_eviction_comes_after_the_shutdown_began() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        call = asyncio.create_task(current.runner.shutdown())
        await connection.receive(ToServerStopping)
        await connection.close(1000, "ws.eviction#r")
        await call
        await current.runner.wait_closed()
        assert current.runner.called("on_disconnected") == [(1000, "ws.eviction#r")]
        assert current.runner.called("on_actor_stop") == [("a1", 1)]


@virtual_time
async def test_init_is_harmless_when_it_comes_after_the_shutdown_began() -> None:
    """`scene` checks the pairing of on_connected and on_disconnected."""
    async with scene() as current:
        starting, connection = await current.starting()
        calls = [asyncio.create_task(current.runner.shutdown()), asyncio.create_task(connection.init())]
        await asyncio.wait([*calls, starting], timeout=30)
        assert calls[0].done()
        with contextlib.suppress(Exception):
            await starting
        with contextlib.suppress(Exception):
            await calls[1]


def shutting_down(name: str, *, immediate: bool = False) -> tuple[dict[str, Hook], list[HookedRunner], list[str]]:
    """A hook that shuts its runner down, where to put the runner, and what tells that the hook went on."""
    runners: list[HookedRunner] = []
    done: list[str] = []

    async def hook(*_: Any) -> Response:
        await runners[0].shutdown(immediate)
        done.append(name)
        return Response("done")

    return {name: hook}, runners, done


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize("name", ["on_actor_start", "fetch", "websocket", "on_actor_stop"])
@virtual_time
async def test_the_runner_goes_down_when_an_actors_hook_shuts_it_down(name: str, immediate: bool) -> None:
    hooks, runners, done = shutting_down(name, immediate=immediate)
    async with started(hooks) as (current, connection):
        runners.append(current.runner)
        connection.start_actor()
        exchange, socket = connection.request(), connection.open_websocket()
        if name == "on_actor_stop":
            await socket.opened()
            connection.stop_actor()
        elif not immediate:
            await connection.receive(ToServerStopping)
            connection.stop_actor()
        await asyncio.wait_for(current.runner.wait_closed(), 5)
        assert done == [name]
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")
        if name == "fetch":
            assert (await exchange.response()).body == b"done"


@pytest.mark.parametrize("name", ["on_connected", "on_disconnected"])
@virtual_time
async def test_the_runner_goes_down_when_a_connections_hook_shuts_it_down(name: str) -> None:
    hooks, runners, done = shutting_down(name)
    async with scene(hooks) as current:
        runners.append(current.runner)
        connection = await current.start()
        if name == "on_disconnected":
            connection.abort()
        await asyncio.wait_for(current.runner.wait_closed(), 5)
        assert done == [name]
        await asyncio.sleep(60)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_the_runner_goes_down_when_on_shutdown_asks_for_it_once_more() -> None:
    hooks, runners, done = shutting_down("on_shutdown", immediate=True)
    async with started(hooks) as (current, _):
        runners.append(current.runner)
        await asyncio.wait_for(current.runner.shutdown(), 5)
        assert done == ["on_shutdown"]


@virtual_time
async def test_the_runner_goes_down_when_a_spawned_task_shuts_it_down() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        done: list[bool] = []

        async def work() -> None:
            await current.runner.shutdown()
            done.append(True)

        actor.spawn(work())
        await connection.receive(ToServerStopping)
        connection.stop_actor()
        await asyncio.wait_for(current.runner.wait_closed(), 5)
        assert done == [True]


@virtual_time
async def test_the_runner_is_down_when_a_with_block_ends() -> None:
    async with scene() as current:

        async def use() -> None:
            async with current.runner as runner:
                assert runner.connected
                raise LookupError("in the block")

        using = asyncio.create_task(use())
        connection = await current.engine.accept()
        await connection.init()
        with pytest.raises(LookupError):
            await using
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")


@virtual_time
async def test_on_disconnected_finishes_when_it_takes_a_moment_during_a_shutdown() -> None:
    finished: list[str] = []

    async def take_a_moment(*_: Any) -> None:
        await asyncio.sleep(0.1)
        finished.append("on_disconnected")

    async def note_the_end(*_: Any) -> None:
        finished.append("on_shutdown")

    async with started({"on_disconnected": take_a_moment, "on_shutdown": note_the_end}) as (current, _):
        await current.runner.shutdown()
        assert finished == ["on_disconnected", "on_shutdown"]


@virtual_time
async def test_on_shutdown_is_cancelled_when_it_hangs() -> None:
    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    async with started({"on_shutdown": hang}) as (current, _):
        before = current.now
        await current.runner.shutdown()
        assert current.now - before == pytest.approx(10, abs=0.5)
