"""The runner of the serverless tests, and its application for a server in a process of its own."""

from __future__ import annotations

import asyncio

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.serverless import ServerlessApp, serverless_app

__all__ = ["CountingRunner", "make_app"]


class CountingRunner(Runner):
    """Counts in KV, echoes on hibernating WebSockets, and says which runner and generation answered."""

    async def on_actor_start(self, actor: Actor) -> None:
        actor.state = int(await actor.kv.get(b"count") or 0)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/increment":
            actor.state += 1
            await actor.kv.put(b"count", str(actor.state).encode())
        elif request.path == "/slow":
            await asyncio.sleep(1)
        stored = int(await actor.kv.get(b"count") or 0)
        return Response.json({"count": stored, "generation": actor.generation, "runner": self.runner_id})

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(f"{actor.generation} {message!s}")


def make_app() -> ServerlessApp:
    """The application of a server in a process of its own: the name of a factory is all that such a server is given."""
    return serverless_app(CountingRunner, stop_timeout=10.0, actor_stop_timeout=5.0)
