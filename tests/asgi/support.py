"""Applications without a framework, and an actor that serves one on virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner._asgi_types import AsgiApp, Receive, Scope, Send
from rivet_runner.asgi import AsgiRunner, respond
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing._simulated.handles import SimulatedActorHandle
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import Scene, started

__all__ = ["LifespanApp", "OneEach", "answer", "get", "hello", "hosted", "responding", "start", "text"]


def start(status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers or []}


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    await send(start(status))
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes no lifespan events."""
    assert scope["type"] == "http"
    await answer(send, b"hello")


@contextlib.asynccontextmanager
async def responding(app: AsgiApp, **options: Any) -> AsyncIterator[tuple[Scene, RunnerConnection]]:
    """The actor ``a1``, whose `fetch` lets ``app`` respond. ``timeout`` is the application's `response_timeout`."""
    timeout = {"response_timeout": options.pop("timeout")} if "timeout" in options else {}

    async def fetch(actor: Actor, request: Request) -> Response:
        return await respond(app, actor, request, **timeout)

    async with started({"fetch": fetch}, **options) as (current, connection):
        await current.actor(connection)
        yield current, connection


async def get(connection: RunnerConnection, path: str = "/") -> tuple[int, bytes]:
    response = await connection.request(path=path).response(timeout=120)
    return response.status, response.body or b""


class LifespanApp:
    """Notes its lifespan, and answers with what it has set up. ``requests`` counts those under way."""

    def __init__(self, name: str = "app", notes: list[str] | None = None) -> None:
        self.name = name
        self.notes: list[str] = [] if notes is None else notes
        self.startup: asyncio.Event | None = None
        """If there is one, the startup waits for it."""
        self.failure: str | None = None
        self.unclean: str | None = None
        self.hangs = False
        self.shutdown_seconds = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                await self._lifespan(scope, receive, send)
            except asyncio.CancelledError:
                self.notes.append(f"{self.name} cancelled")
                raise
        elif scope["type"] == "http":
            state = scope.get("state", {})
            body = f"{self.name} {state.get('set up')}".encode()
            state["set up"] = "changed"
            await answer(send, body)
        else:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": str(scope["state"]["set up"])})
            message = await receive()
            self.notes.append(f"{self.name} {message['type']}")

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "lifespan.startup"}
        self.notes.append(f"{self.name} startup")
        if self.startup is not None:
            await self.startup.wait()
        if self.failure is not None:
            await send({"type": "lifespan.startup.failed", "message": self.failure})
            raise RuntimeError("as frameworks do")
        scope["state"]["set up"] = "yes"
        await send({"type": "lifespan.startup.complete"})
        assert await receive() == {"type": "lifespan.shutdown"}
        if self.hangs:
            await asyncio.Event().wait()
        if self.unclean is not None:
            await send({"type": "lifespan.shutdown.failed", "message": self.unclean})
            raise RuntimeError("as frameworks do")
        await asyncio.sleep(self.shutdown_seconds)
        self.notes.append(f"{self.name} shutdown")
        await send({"type": "lifespan.shutdown.complete"})


@contextlib.asynccontextmanager
async def hosted(runner: Runner) -> AsyncIterator[tuple[SimulatedEngine, SimulatedActorHandle]]:
    """One actor on ``runner``, which does not run yet."""
    async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
        yield engine, await engine.create("actor", runner_name=runner.config.runner_name)


async def text(actor: SimulatedActorHandle, path: str = "/") -> str:
    response = await actor.request("GET", path)
    assert response.status == 200
    return response.text()


class OneEach(AsgiRunner):
    """An application for each actor generation. ``apps`` has them in the order in which they were made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes: list[str] = []
        self.apps: list[LifespanApp] = []
        self.failure: str | None = None

    def asgi_app(self, actor: Actor) -> AsgiApp:
        app = LifespanApp(f"{actor.key}{actor.generation}", self.notes)
        app.failure = self.failure
        self.apps.append(app)
        return app
