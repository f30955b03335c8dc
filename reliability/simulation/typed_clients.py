"""The clients of typed actors: calls by HTTP, and connections."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from reliability.simulation.invariants import OK
from reliability.simulation.typed_subject import Tally
from reliability.simulation.world import World
from rivet_runner import WebSocketClosed
from rivet_runner.actors import ActorError, ClientError, UserError
from rivet_runner.actors.client import ActorHandle
from rivet_runner.actors.live_connection import LiveConnection
from rivet_runner.testing import SimulatedActorHandle

__all__ = ["LiveClient", "call_by_http", "echo", "request_raw", "tell"]

FAILED: Final = 500

ECHO_SECONDS: Final = 20.0
"""What does not come back within this time is lost."""


class LiveClient:
    """One connection and its calls, which have the ids ``name.1``, ``name.2`` and so on."""

    def __init__(self, world: World, actor_id: str, name: str) -> None:
        self.world = world
        self.name = name
        self.actor_id = actor_id
        self.calls = 0
        self.told = 0
        """The count in the last answer."""
        self.heard = 0
        """The count in the last event."""
        self.live: LiveConnection[Tally] = world.engine.client.get_for_id(Tally, actor_id).connect()
        self.is_open = False

    async def run(self) -> None:
        """Connect, and receive events until the end."""
        try:
            async with self.live:
                self.is_open = True
                self._note("connects")
                async for count in self.live.on(Tally.changed):
                    self.heard = count
            self._note("is closed")
        except (ActorError, ClientError) as error:
            self._note("is closed", str(error))
        finally:
            self.is_open = False

    async def call(self, *, saved: bool) -> bool:
        """Make a call, and return whether it was answered without an error."""
        self.calls += 1
        call = f"{self.name}.{self.calls}"
        self._note("calls", call)
        try:
            self.told = await self.live.call(Tally.add, call, 0, saved)
        except UserError:
            self._note("is refused", call)
            return True
        except (ActorError, ClientError) as error:
            self._note("has no answer", call, type(error).__name__)
            return False
        self._note("has an answer", call)
        return True

    async def leave(self) -> None:
        self._note("leaves")
        await self.live.close()

    def _note(self, what: str, *details: object) -> None:
        self.world.note("client", self.actor_id, what, self.name, *details)


async def call_by_http(world: World, actor_id: str, method: str, *args: Any) -> int:
    """Call an action that takes an id and its number, and return the status. Cancelling is a client that leaves."""
    world.requests += 1
    number = world.requests
    handle: ActorHandle[Tally] = world.engine.client.get_for_id(Tally, actor_id)
    world.note("client", actor_id, "asks", method, number)
    status = OK
    try:
        await handle.call(method, f"request.{number}", number, *args)
    except UserError:
        pass
    except ActorError:
        status = FAILED
    except ClientError:
        world.note("client", actor_id, "gets no answer", method, number)
        return 0
    world.note("client", actor_id, "has answer", method, number, status)
    return status


async def request_raw(world: World, actor_id: str, *, saved: bool) -> int:
    """Send a raw request and return the status. Cancelling is a client that leaves."""
    world.requests += 1
    number = world.requests
    handle: ActorHandle[Tally] = world.engine.client.get_for_id(Tally, actor_id)
    world.note("client", actor_id, "asks", "raw", number)
    try:
        response = await handle.fetch("PUT" if saved else "POST", f"raw.{number}")
    except (ActorError, ClientError):
        world.note("client", actor_id, "gets no answer", "raw", number)
        return 0
    if response.status == OK and response.body != f"raw.{number}".encode():
        world.note("client", actor_id, "has a wrong answer", "raw", number)
    world.note("client", actor_id, "has answer", "raw", number, response.status)
    return response.status


async def echo(world: World, handle: SimulatedActorHandle, name: str, count: int, seconds: float) -> bool:
    """Send the numbers from 1 to ``count`` over a raw WebSocket, and note what comes back. Return whether all did."""
    heard = 0
    socket = await handle.websocket(f"/websocket/{name}")
    try:
        async with asyncio.timeout(ECHO_SECONDS):
            for number in range(1, count + 1):
                await socket.send(str(number))
                await asyncio.sleep(seconds)
            while heard < count:
                heard = int(await socket.recv())
                world.note("client", handle.id, "hears", name, heard)
            await socket.close()
    except (WebSocketClosed, TimeoutError) as error:
        world.note("client", handle.id, "is closed", name, type(error).__name__)
    finally:
        socket.abort()
    return heard == count


async def tell(world: World, actor_id: str, method: str) -> bool:
    """Call ``nap`` or ``report``. Return whether it was answered."""
    try:
        async with asyncio.timeout(60.0):
            await world.engine.client.get_for_id(Tally, actor_id).call(method)
    except (ActorError, ClientError, TimeoutError):
        return False
    return True
