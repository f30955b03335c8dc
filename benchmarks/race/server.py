"""The serverless application under uvicorn, in this process, and a note of each ``/start`` request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn

from rivet_runner.serverless import ServerlessApp

__all__ = ["StartRequest", "StartRequests", "served"]


class StartRequest(msgspec.Struct):
    """One request of the engine for a runner. Times are `time.monotonic`."""

    began: float
    status: int | None = None
    ended: float | None = None


class StartRequests:
    """An application around the application that notes each request to ``/start``."""

    def __init__(self, app: ServerlessApp) -> None:
        self._app = app
        self.requests: list[StartRequest] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/start":
            await self._app(scope, receive, send)
            return
        request = StartRequest(time.monotonic())
        self.requests.append(request)

        async def noting_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        finally:
            request.ended = time.monotonic()


class _Server(uvicorn.Server):
    """Leaves Ctrl-C to the harness."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: ServerlessApp, starts: StartRequests) -> AsyncIterator[str]:
    """Serve ``starts`` on a free port and give the URL; at the end every runner goes down at once."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(starts, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await app.drain(immediate=True)
            server.should_exit = True
            await serving
