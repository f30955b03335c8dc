"""The runner's own hooks: `on_connected`, `on_disconnected` and `on_shutdown`."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.scene import Call, started
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_hooks_are_called_once_for_each_connection_when_there_are_many() -> None:
    async with started() as (current, connection):
        reasons = [(1011, "ws.going_away"), (1000, "x.y"), (1011, "api.forbidden"), (1000, "")]
        for code, reason in reasons:
            await asyncio.sleep(5)
            await connection.close(code, reason)
            unanswered = await current.engine.accept(timeout=60)
            await unanswered.close(1011, "not.initialised")
            connection = await current.reconnected()
        current.expect_error("api.forbidden")
        assert current.runner.called("on_disconnected") == reasons
        assert len(current.runner.called("on_connected")) == 5


@virtual_time
async def test_the_runner_stays_when_on_connected_and_on_disconnected_raise() -> None:
    async def fail(*_: object) -> None:
        raise LookupError("from a hook")

    async with started({"on_connected": fail, "on_disconnected": fail, "on_shutdown": fail}) as (current, connection):
        connection.abort()
        await current.reconnected()
        assert current.runner.connected
        await current.runner.shutdown()
        for name in ("on_connected", "on_connected", "on_disconnected", "on_disconnected", "on_shutdown"):
            current.expect_error(f"{name} raised")


@pytest.mark.parametrize("name", ["on_connected", "on_disconnected", "on_shutdown"])
@virtual_time
async def test_the_runner_stays_when_a_hook_of_its_own_is_not_async(name: str) -> None:
    def plain(*_: object) -> None:
        current.runner.calls.append(Call(current.loop.time(), name, _))

    async with started() as (current, connection):
        setattr(current.runner, name, plain)
        await asyncio.sleep(10)
        connection.abort()
        await current.reconnected()
        assert current.runner.connected
        await current.runner.shutdown()
        current.errors.clear()
