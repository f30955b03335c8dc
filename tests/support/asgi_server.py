"""An ASGI server of one request, for tests: it calls the serverless application as uvicorn would."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from rivet_runner.serverless import ServerlessApp

__all__ = ["TOKEN", "Call", "get", "start_headers"]

TOKEN = "s3cret-token"


class Call:
    """One HTTP request to the application, as a server makes it."""

    def __init__(self, app: ServerlessApp, path: str, headers: dict[str, str], method: str = "GET", root: str = "") -> None:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "root_path": root, "headers": raw}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.sent: list[tuple[float, Any]] = []
        self.broken = False
        self.task = asyncio.create_task(app(scope, self._inbox.get, self._send))

    async def _send(self, message: Any) -> None:
        if self.broken:
            raise BrokenPipeError("the client is gone")
        self.sent.append((asyncio.get_running_loop().time(), message))

    def disconnect(self) -> None:
        self._inbox.put_nowait({"type": "http.disconnect"})

    @property
    def status(self) -> int | None:
        return self.sent[0][1]["status"] if self.sent else None

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0][1]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for _, message in self.sent[1:])

    @property
    def finished(self) -> bool:
        return bool(self.sent) and self.sent[-1][1].get("more_body") is False

    async def answered(self) -> Any:
        """The whole answer, as JSON."""
        await self.task
        assert self.finished
        return json.loads(self.body)


def start_headers(engine: str, /, **changes: str | None) -> dict[str, str]:
    headers = {
        "x-rivet-endpoint": f"{engine}/",
        "x-rivet-token": TOKEN,
        "x-rivet-total-slots": "7",
        "x-rivet-runner-name": "pool",
        "x-rivet-namespace-name": "ns",
    }
    changed = {f"x-rivet-{name.replace('_', '-')}": value for name, value in changes.items()}
    return {name: value for name, value in (headers | changed).items() if value is not None}


async def get(
    app: ServerlessApp, path: str, headers: dict[str, str] | None = None, **options: Any
) -> tuple[int | None, Any]:
    call = Call(app, path, headers or {}, **options)
    value = await call.answered()
    return call.status, value
