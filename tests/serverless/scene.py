"""A serverless application with one runner, a scripted engine behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rivet_runner import Actor, Request, Runner, WebSocket
from rivet_runner.serverless import ServerlessApp, serverless_app
from rivet_runner.testing.scripted_engine import RunnerConnection, ScriptedEngine
from tests.support.asgi_server import Call, start_headers

__all__ = ["Sleeper", "started"]


class Sleeper(Runner):
    """Hibernates every WebSocket."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


@contextlib.asynccontextmanager
async def started(
    app: ServerlessApp | None = None, **options: Any
) -> AsyncIterator[tuple[ScriptedEngine, Call, RunnerConnection, ServerlessApp]]:
    """Start a runner by a request. At the end no task is left."""
    async with ScriptedEngine() as engine:
        app = app or serverless_app(Sleeper, **options)
        call = Call(app, "/start", start_headers(engine.endpoint))
        connection = await engine.accept()
        await connection.init("r1")
        await asyncio.sleep(0.01)
        yield engine, call, connection, app
        call.disconnect()
        await app.drain(immediate=True)
        await call.task
        assert app.runners == ()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) <= 2, asyncio.all_tasks()  # the test and the engine's server
