"""The hooks that a user overrides, as the rooms below `rivet_runner.Runner` see them."""

from __future__ import annotations

from typing import Protocol

from rivet_runner.actor import Actor, Alarm
from rivet_runner.http import Request, Response
from rivet_runner.websocket import WebSocket

__all__ = ["Hooks"]


class Hooks(Protocol):
    """See `rivet_runner.Runner` for the meaning of each."""

    async def on_actor_start(self, actor: Actor) -> None: ...

    async def on_actor_stop(self, actor: Actor) -> None: ...

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None: ...

    async def fetch(self, actor: Actor, request: Request) -> Response: ...

    async def websocket(self, actor: Actor, ws: WebSocket) -> None: ...

    def can_hibernate(self, actor: Actor, request: Request) -> bool: ...

    async def on_connected(self) -> None: ...

    async def on_disconnected(self, code: int, reason: str) -> None: ...

    async def on_shutdown(self) -> None: ...
