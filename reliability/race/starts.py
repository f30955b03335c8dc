"""A note of each ``/start`` request that reaches the serverless application."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from rivet_runner.serverless import ServerlessApp

__all__ = ["StartRequest", "StartRequests"]


class StartRequest(msgspec.Struct):
    """One request of the engine for a runner. ``began`` is `time.monotonic`."""

    began: float
    status: int | None = None


class StartRequests:
    """An application around the application, which notes the requests to ``/start``."""

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

        await self._app(scope, receive, noting_send)
