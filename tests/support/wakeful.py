"""An actor with hibernating clients, on the scripted engine, which can be put to sleep and woken."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import NamedTuple

from rivet_runner import Actor, HibernationRecord, Request, WebSocket
from rivet_runner.errors import RecordError
from rivet_runner.testing import MemoryHibernationStores
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.replaying import asleep
from tests.support.scene import HookedRunner, Scene, scene, settle

__all__ = ["Seen", "Wakeful", "wakeful"]


class Seen(NamedTuple):
    """One run of a handler."""

    path: str
    restored: bool
    attachment: bytes
    messages: list[str]
    close: tuple[int | None, str | None]


class Rooms(HookedRunner):
    """Hibernates everything, and keeps the number of messages as the attachment."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.seen: list[Seen] = []

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        before, messages = ws.attachment, []
        if ws.restored and "restored" in self.hooks:
            await self.hooks["restored"](ws)
        async for message in ws:
            messages.append(str(message))
            ws.attachment = str(len(messages)).encode()
            await ws.send(message)
        self.seen.append(Seen(ws.path, ws.restored, before, messages, (ws.close_code, ws.close_reason)))


class Wakeful:
    """An actor with clients, which can be put to sleep and woken."""

    def __init__(self, current: Scene, connection: RunnerConnection, stores: MemoryHibernationStores) -> None:
        assert isinstance(current.runner, Rooms)
        self.current = current
        self.runner = current.runner
        self.connection = connection
        self.stores = stores

    @property
    def records(self) -> dict[bytes, HibernationRecord | RecordError]:
        """What is stored, by request key."""
        return self.stores.by_actor["a1"].records

    async def client(self, path: str = "/") -> ClientWebSocket:
        """A client whose one message was answered."""
        client = self.connection.open_websocket("a1", path)
        await client.opened()
        client.send("first")
        assert await client.receive() == "first"
        return client

    async def asleep(self) -> None:
        await settle()
        await asleep(self.runner, self.connection)
        self.runner.seen.clear()

    async def reconnected(self) -> None:
        """The connection breaks, and the runner comes back. Clients stay with the gateway."""
        self.connection.abort()
        self.connection = await self.current.reconnected()

    async def wake(self, *clients: ClientWebSocket) -> None:
        self.connection.start_actor("a1", generation=2, hibernating=clients)
        await self.connection.running("a1")
        await settle()


@contextlib.asynccontextmanager
async def wakeful(**hooks: object) -> AsyncIterator[Wakeful]:
    """An actor that runs. A hook ``restored`` gets each WebSocket that is restored."""
    stores = MemoryHibernationStores()
    async with scene(hooks, kind=Rooms, hibernation_store=stores) as current:  # type: ignore[arg-type]
        connection = await current.start()
        await current.actor(connection)
        yield Wakeful(current, connection, stores)
