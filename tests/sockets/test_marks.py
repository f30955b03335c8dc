"""Messages that a handler marks as processed itself, because it works on several at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import pytest

from rivet_runner import Actor, WebSocket
from rivet_runner._sockets import hibernatable
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.replaying import asleep
from tests.support.rooms import Room
from tests.support.scene import HookedRunner, Scene, scene, settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

STORED = 1.0
"""Virtual seconds after which a mark is stored and acknowledged."""


class Desk(HookedRunner):
    """Takes all messages at once and marks none; the test does."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.sockets: list[WebSocket] = []
        self.received: list[str | bytes] = []
        self.failed: list[Exception] = []

    def can_hibernate(self, actor: Actor, request: object) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        ws.auto_processed = False
        self.sockets.append(ws)
        try:
            async for message in ws:
                self.received.append(message)
        except RuntimeError as error:
            self.failed.append(error)
        await self._call("websocket", (actor.id, ws.path), actor, ws)


@contextlib.asynccontextmanager
async def desk(**hooks: object) -> AsyncIterator[tuple[Scene, Desk, RunnerConnection, ClientWebSocket]]:
    """A runner whose actor has one client."""
    async with scene(hooks, kind=Desk) as current:  # type: ignore[arg-type]
        runner = current.runner
        assert isinstance(runner, Desk)
        connection = await current.start()
        await current.actor(connection)
        client = connection.open_websocket("a1", "/")
        await client.opened()
        await asyncio.sleep(STORED)
        yield current, runner, connection, client


async def sent(client: ClientWebSocket, texts: Iterable[str]) -> None:
    for text in texts:
        client.send(text)
    await settle()


async def woken(connection: RunnerConnection, client: ClientWebSocket) -> None:
    """The actor starts again, and the gateway replays what it keeps."""
    connection.start_actor("a1", generation=2, hibernating=[client])
    await connection.running("a1")
    await settle()
    client.replay()
    await settle()


@virtual_time
async def test_only_marked_messages_are_acknowledged() -> None:
    async with desk() as (_, runner, _connection, client):
        await sent(client, "abcd")
        assert runner.received == [*"abcd"]
        await asyncio.sleep(STORED)
        assert client.acknowledged == []
        (ws,) = runner.sockets
        ws.mark_processed()
        ws.mark_processed(2)
        await asyncio.sleep(STORED)
        assert client.acknowledged == [3]


@virtual_time
async def test_unmarked_messages_come_again_to_the_next_generation() -> None:
    async with desk() as (_, runner, connection, client):
        await sent(client, "abcd")
        runner.sockets[0].mark_processed(2)
        await asleep(runner, connection)
        await woken(connection, client)
        assert runner.received == [*"abcd", *"cd"]
        assert [ws.auto_processed for ws in runner.sockets] == [False, False]


@virtual_time
async def test_marks_count_when_they_are_made_after_the_socket_hibernates() -> None:
    async def finish(actor: Actor, ws: WebSocket) -> None:
        await asyncio.sleep(1)
        with contextlib.suppress(ValueError):
            ws.mark_processed(3)

    async with desk(websocket=finish) as (_, runner, connection, client):
        await sent(client, "abcd")
        await asyncio.sleep(STORED)
        await asleep(runner, connection)
        await woken(connection, client)
        assert runner.received == [*"abcd", "d"]


@virtual_time
async def test_a_mark_after_the_close_of_the_client_does_nothing() -> None:
    async with desk() as (_, runner, _connection, client):
        await sent(client, "ab")
        client.close()
        await settle()
        runner.sockets[0].mark_processed(2)
        await asyncio.sleep(STORED)
        assert client.acknowledged == []


@virtual_time
async def test_more_marks_than_messages_are_refused() -> None:
    async with desk() as (_, runner, _connection, client):
        await sent(client, "ab")
        (ws,) = runner.sockets
        for count in (3, -1):
            with pytest.raises(ValueError, match=r"2 delivered ones are not"):
                ws.mark_processed(count)
        ws.mark_processed(2)
        with pytest.raises(ValueError, match=r"0 delivered ones are not"):
            ws.mark_processed()


@virtual_time
async def test_recv_raises_when_too_many_messages_are_unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hibernatable, "MAX_UNMARKED", 3)
    async with desk() as (_, runner, _connection, client):
        await sent(client, "abcd")
        assert runner.received == [*"abc"]
        assert [str(error) for error in runner.failed] == [
            "3 delivered messages of this WebSocket are not marked as processed"
        ]


@pytest.mark.slow
@virtual_time
async def test_indexes_wrap_when_messages_are_marked() -> None:
    async with desk() as (_, runner, connection, client):
        for _ in range(5):
            await sent(client, map(str, range(13_500)))
            runner.sockets[0].mark_processed(13_500)
            await asyncio.sleep(STORED)
        assert client.acknowledged[-1] == 5 * 13_500 % 65_536
        runner.received.clear()
        await sent(client, "ab")
        runner.sockets[0].mark_processed()
        await asleep(runner, connection)
        await woken(connection, client)
        assert runner.received == ["a", "b", "b"]


@virtual_time
async def test_a_socket_that_marks_by_itself_refuses_marks() -> None:
    async with scene(kind=Room) as current:
        connection = await current.start()
        actor = await current.actor(connection)
        await connection.open_websocket("a1", "/").opened()
        (ws,) = actor.websockets
        assert ws.auto_processed
        with pytest.raises(RuntimeError, match="auto_processed = False"):
            ws.mark_processed()


@virtual_time
async def test_marks_do_nothing_when_the_socket_cannot_hibernate() -> None:
    async with scene(kind=Room) as current:
        connection = await current.start()
        actor = await current.actor(connection)
        await connection.open_websocket("a1", "/plain").opened()
        (ws,) = actor.websockets
        ws.auto_processed = False
        ws.mark_processed(5)


@virtual_time
async def test_an_actor_is_not_idle_while_a_message_is_unmarked() -> None:
    async with scene(kind=Desk, sleep_after=10) as current:
        connection = await current.start()
        await current.actor(connection)
        client = connection.open_websocket("a1", "/")
        await client.opened()
        await sent(client, "ab")
        (ws,) = current.runner.sockets  # type: ignore[attr-defined]
        ws.mark_processed()
        await asyncio.sleep(40)
        assert not any(type(event.event).__name__ == "ActorIntentSleep" for event in connection.events)
        ws.mark_processed()
        await asyncio.sleep(25)
        assert "IntentSleep" in str(connection.events[-1])
