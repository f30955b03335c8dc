"""The clients of the actors, which note what they send and receive."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final, Protocol

from reliability.simulation.world import World
from rivet_runner import WebSocketClosed
from rivet_runner.testing import HttpExchangeFailed, SimulatedActorHandle

__all__ = ["Client", "request"]

REQUEST_SECONDS: Final = 60.0
"""After this time, a client gives its request up."""


class _Socket(Protocol):
    async def send(self, message: str | bytes) -> None: ...

    async def recv(self) -> str | bytes: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...

    def abort(self) -> None: ...


class Client:
    """One WebSocket client. Its messages are the numbers from 1 up."""

    def __init__(self, world: World, handle: SimulatedActorHandle, name: str, *, stays: bool) -> None:
        self.world = world
        self.name = name
        self.actor_id = handle.id
        self.stays = stays
        """Whether its WebSocket can hibernate."""
        self.sent = 0
        self.received = 0
        self.is_open = True
        self._news = asyncio.Event()
        """Set with each message and with the end."""
        self._handle = handle
        self._socket: _Socket | None = None

    async def run(self) -> None:
        """Receive until the end."""
        self._note("connects", self.stays)
        self._socket = await self._handle.websocket(f"/{'stays' if self.stays else 'leaves'}/{self.name}")
        try:
            while True:
                self.received = int(await self._socket.recv())
                self._note("receives", self.received)
                self._news.set()
        except WebSocketClosed as closed:
            self._note("is closed", closed.code, closed.reason.partition("#")[0])
        finally:
            self.is_open = False
            self._news.set()

    async def wait_for_reply(self, after: int) -> None:
        """Wait until it has a reply with a higher number than ``after``, or is closed."""
        while self.is_open and self.received <= after:
            self._news.clear()
            await self._news.wait()

    async def send(self, count: int) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(WebSocketClosed):
            for _ in range(count):
                self._note("sends", self.sent + 1)
                await self._socket.send(str(self.sent + 1))
                self.sent += 1

    async def leave(self, *, frame: bool) -> None:
        """Close, with a close frame or without."""
        self._note("leaves", frame)
        if self._socket is None:
            return
        if frame:
            await self._socket.close()
        else:
            self._socket.abort()

    def _note(self, what: str, *details: object) -> None:
        self.world.note("client", self.actor_id, what, self.name, *details)


async def request(world: World, handle: SimulatedActorHandle, path: str) -> int:
    """Send a request and return the status, or 0 without an answer. Cancelling is a client that leaves."""
    world.requests += 1
    number = world.requests
    world.note("client", handle.id, "asks", path, number)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            response = await handle.request("POST", f"/{number}/{path}")
    except (TimeoutError, HttpExchangeFailed):
        world.note("client", handle.id, "gets no answer", path, number)
        return 0
    world.note("client", handle.id, "has answer", path, number, response.status)
    return response.status
