"""The actors and the clients of the WebSocket tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rivet_runner import Runner
from rivet_runner.testing import EngineApi
from tests.support.waiting import eventually

__all__ = ["asleep", "clients", "close_of", "created"]


async def created(api: EngineApi, runner_name: str) -> str:
    """The id of a new actor that is ready."""
    return (await api.create_ready_actor("room", runner_name=runner_name)).actor_id


async def asleep(runner: Runner, actor_id: str) -> None:
    """Put the actor to sleep and wait until it is gone from here."""
    runner.actors[actor_id].sleep()
    await eventually(lambda: actor_id not in runner.actors, what="the actor's sleep")


@asynccontextmanager
async def clients(api: EngineApi, actor_id: str, *paths: str) -> AsyncIterator[list[ClientConnection]]:
    """One open client for each path."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(api.websocket(actor_id, path)) for path in paths]


async def close_of(client: ClientConnection) -> tuple[int, str]:
    """The close that a client sees, after whatever messages come before it."""
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.recv()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""
