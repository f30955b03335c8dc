"""A runner that notes its hooks, and tests on virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import virtual_loop

__all__ = ["Room", "virtual"]

P = ParamSpec("P")

Fetch = Callable[[Actor, Request], Awaitable[Response]]
Hook = Callable[[Actor], Awaitable[None]]
Serve = Callable[[Actor, WebSocket], Awaitable[None]]


async def _nothing(_: Actor) -> None:
    pass


async def _hello(actor: Actor, request: Request) -> Response:
    return Response(f"{request.method} {request.path} {actor.generation}")


async def _echo(_: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


class Room(Runner):
    """Hibernates WebSockets under ``/room``. ``calls`` has its hooks, each with the actor's generation."""

    def __init__(
        self,
        *,
        on_start: Hook = _nothing,
        on_stop: Hook = _nothing,
        fetch: Fetch = _hello,
        serve: Serve = _echo,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.on_start, self.on_stop, self.do_fetch, self.serve = on_start, on_stop, fetch, serve
        self.calls: list[tuple[str, int]] = []
        self.closes: list[tuple[int | None, str | None]] = []

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path.startswith("/room")

    async def on_actor_start(self, actor: Actor) -> None:
        self.calls.append(("start", actor.generation))
        await self.on_start(actor)

    async def on_actor_stop(self, actor: Actor) -> None:
        self.calls.append(("stop", actor.generation))
        await self.on_stop(actor)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return await self.do_fetch(actor, request)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        self.calls.append(("restored" if ws.restored else "websocket", actor.generation))
        await self.serve(actor, ws)
        self.closes.append((ws.close_code, ws.close_reason))


def virtual(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test function on virtual time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=virtual_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run
