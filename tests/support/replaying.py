"""A runner with one room, and a gateway in front of an engine whose queue is short."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from rivet_runner.protocol.v3 import ToServerWebSocketClose
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.rooms import Room
from tests.support.scene import HookedRunner, Scene, scene

__all__ = ["REPLAY", "Gateway", "all_lost", "asleep", "everything", "reconnected", "replays_asked", "rooms", "texts"]

REPLAY = ToServerWebSocketClose(None, None, True)

QUEUE = 1000


class Gateway:
    """Attaches the clients whose replay was asked for, and loses what is more than `QUEUE` messages of each moment."""

    def __init__(self, sockets: list[ClientWebSocket]) -> None:
        self.sockets = sockets
        self.attach_seconds = 0.05
        self.loses_newest = False
        self.asked = dict.fromkeys(sockets, 0)
        self.largest = 0
        """The most messages that were replayed at once."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.attach_seconds)
            self.replay([socket for socket in self.sockets if replays_asked(socket) > self.asked[socket]])

    def replay(self, sockets: list[ClientWebSocket]) -> None:
        burst = [(socket, index) for socket in sockets for index in socket.unacknowledged]
        self.largest = max(self.largest, len(burst))
        for socket in sockets:
            self.asked[socket] = replays_asked(socket)
        for socket, index in burst[:QUEUE] if self.loses_newest else burst[-QUEUE:]:
            socket.replay([index])


def replays_asked(client: ClientWebSocket) -> int:
    """How many replays the runner has asked for."""
    return sum(reply.message_kind == REPLAY for reply in client.replies)


@contextlib.asynccontextmanager
async def rooms(
    sockets: int, **options: Any
) -> AsyncIterator[tuple[Scene, Room, RunnerConnection, list[ClientWebSocket], Gateway]]:
    """A runner with one actor and so many clients, whose records are stored."""
    async with scene(kind=Room, **options) as current:
        runner = current.runner
        assert isinstance(runner, Room)
        connection = await current.start()
        await current.actor(connection)
        clients = [connection.open_websocket("a1", f"/{number}") for number in range(sockets)]
        for client in clients:
            await client.opened()
        await asyncio.sleep(1)
        gateway = Gateway(clients)
        running = asyncio.create_task(gateway.run())
        try:
            yield current, runner, connection, clients, gateway
        finally:
            running.cancel()
            await asyncio.wait([running])


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def all_lost(clients: Iterable[ClientWebSocket], messages: Sequence[str]) -> None:
    """Each of these clients sends all of these messages, and the engine loses them."""
    for client in clients:
        for text in messages:
            client.send_lost(text)


def everything(clients: int, messages: int) -> dict[str, list[str]]:
    return {f"/{number}": texts(messages) for number in range(clients)}


async def reconnected(current: Scene, connection: RunnerConnection, clients: list[ClientWebSocket]) -> RunnerConnection:
    """Return another connection. The clients are on it before the runner can ask for a replay of their messages."""
    connection.abort()
    second = await current.engine.accept(timeout=60)
    for client in clients:
        client.connection = second
    await second.init()
    return second


async def asleep(runner: HookedRunner, connection: RunnerConnection) -> None:
    """The actor goes to sleep."""
    runner.actors["a1"].sleep()
    connection.stop_actor("a1")
    await connection.stopped("a1")
