"""The immediate way down, beside hooks that hang."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from rivet_runner import Actor
from rivet_runner.protocol.messages import (
    ToServerStopping,
)
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import Scene, hang, hang_and_swallow, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


SWALLOWED_SECONDS = 2.5
"""A second for the stop, and one more in which the tasks are asked to end."""

HANGING = ["on_actor_start", "fetch", "websocket", "on_actor_stop", "background"]


async def busy(current: Scene, connection: RunnerConnection, hook: Any) -> None:
    """An actor of which everything hangs."""
    connection.start_actor()
    await settle()
    actor = current.runner.get_actor("a1")
    assert actor is not None
    actor.spawn(hook())
    connection.request()
    connection.open_websocket()
    await settle()


@pytest.mark.parametrize("hooks", [*([name] for name in HANGING), HANGING[1:]])
@virtual_time
async def test_an_immediate_shutdown_takes_about_a_second_when_hooks_hang(hooks: list[str]) -> None:
    async with started(dict.fromkeys(hooks, hang)) as (current, connection):
        await busy(current, connection, hang)
        before = current.now
        await current.runner.shutdown(immediate=True)
        assert current.now - before <= 1.5


@pytest.mark.parametrize(
    "hooks",
    [
        ["on_actor_start"],
        ["fetch"],
        ["websocket"],
        ["on_actor_stop"],
        ["background"],
        HANGING[1:],
    ],
)
@virtual_time
async def test_an_immediate_shutdown_ends_soon_when_hooks_swallow_their_cancellation(
    hooks: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Such a task cannot be ended; what counts is that the runner goes down without it, and says so."""
    async with started(dict.fromkeys(hooks, hang_and_swallow)) as (current, connection):
        await busy(current, connection, hang_and_swallow)
        before = current.now
        with caplog.at_level(logging.WARNING, "rivet_runner"):
            await current.runner.shutdown(immediate=True)
        assert current.now - before <= SWALLOWED_SECONDS
        assert any("did not end when cancelled" in record.getMessage() for record in caplog.records)
        await asyncio.sleep(4000)


@virtual_time
async def test_on_actor_stop_runs_and_may_write_when_the_shutdown_is_immediate() -> None:
    async def stop(actor: Actor) -> None:
        await actor.kv.put(b"last", b"words")

    async with started({"on_actor_stop": stop}) as (current, connection):
        await current.actor(connection)
        await current.runner.shutdown(immediate=True)
        assert current.engine.kv.of("a1") == {b"last": b"words"}
        assert isinstance(await connection.receive(ToServerStopping), ToServerStopping)


@pytest.mark.slow
@virtual_time
async def test_a_hundred_actors_take_no_longer_than_one_when_the_shutdown_is_immediate() -> None:
    async with started({"on_actor_stop": hang, "fetch": hang}) as (current, connection):
        for number in range(100):
            connection.start_actor(f"a{number}")
            connection.request(f"a{number}")
        await settle()
        before = current.now
        await current.runner.shutdown(immediate=True)
        assert current.now - before <= 1.5
        assert len(current.runner.called("on_actor_stop")) == 100


@virtual_time
async def test_no_actor_starts_when_an_immediate_shutdown_has_begun() -> None:
    async with started({"on_actor_stop": hang}) as (current, connection):
        await current.actor(connection)
        call = asyncio.create_task(current.runner.shutdown(immediate=True))
        await connection.receive(ToServerStopping)
        connection.start_actor("late")
        await call
        assert current.runner.called("on_actor_start") == [("a1", 1)]
