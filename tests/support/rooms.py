"""The runner of the WebSocket tests, on the scripted engine and on the real one: it notes everything that arrives."""

from __future__ import annotations

import asyncio
from typing import Any

from rivet_runner import Actor, Request, WebSocket
from tests.support.scene import HookedRunner

__all__ = ["Room"]


class Room(HookedRunner):
    """Hibernates everything but what is under ``/plain``, and notes each message.

    It echoes each message of a client that asks for ``?echo``, and of the others those that begin with ``echo``. The hook
    ``restored`` is called with each WebSocket that is restored, before its first message.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.received: list[tuple[str, str | bytes]] = []
        """Path and message, in the order in which they came."""
        self.by_path: dict[str, list[str | bytes]] = {}
        """The same, for each path."""
        self.ended: list[tuple[str, bool, int | None, str | None]] = []
        """Path, whether it was restored, close code and close reason of each WebSocket whose loop has ended."""
        self.free = asyncio.Event()
        """Until it is set, a handler gets no further than its first message."""
        self.free.set()

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return not request.path.startswith("/plain")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        if ws.restored and "restored" in self.hooks:
            await self.hooks["restored"](ws)
        async for message in ws:
            self.received.append((ws.path, message))
            self.by_path.setdefault(ws.path, []).append(message)
            await self.free.wait()
            if ws.query_string == "echo" or (isinstance(message, str) and message.startswith("echo")):
                await ws.send(message)
        self.ended.append((ws.path, ws.restored, ws.close_code, ws.close_reason))
