"""A runner and clients for the WebSocket tests: everything that arrives is written down."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rivet_runner import Actor, Request, Runner, WebSocket
from rivet_runner.testing import EngineApi
from tests.support.waiting import eventually

__all__ = ["Room", "asleep", "clients", "close_of", "created"]


class Room(Runner):
    """Hibernates everything under ``/room``, notes each message, and echoes it under ``?echo``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received: list[tuple[str, str | bytes]] = []
        self.ended: list[tuple[str, bool, int | None, str | None]] = []
        self.stops = 0

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path.startswith("/room")

    async def on_actor_stop(self, actor: Actor) -> None:
        self.stops += 1

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            self.received.append((ws.path, message))
            if ws.query_string == "echo":
                await ws.send(message)
        self.ended.append((ws.path, ws.restored, ws.close_code, ws.close_reason))


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
