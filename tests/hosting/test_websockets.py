"""The WebSockets of one actor: what the gateway hears of each, from the open to the end of its handler."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rivet_runner import Actor, Request, WebSocket, WebSocketClosed
from rivet_runner.protocol.v3 import ToServerWebSocketClose, ToServerWebSocketOpen
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.scene import Hook, HookedRunner, Scene, scene, settle, started
from tests.support.virtual_time import virtual_time

NOT_FOUND = ToServerWebSocketClose(1011, "actor.not_found", False)
HANDLER_ERROR = ToServerWebSocketClose(1011, "ws.handler_error", False)

MAX_RECORD_BYTES = 56 * 1024


class Rooms(HookedRunner):
    """Hibernates as ``decide`` says."""

    decide: Callable[[Request], Any] = staticmethod(lambda _: True)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        decided: bool = self.decide(request)
        return decided


@contextlib.asynccontextmanager
async def rooms(decide: Callable[[Request], Any], hooks: dict[str, Hook]) -> AsyncIterator[tuple[Scene, RunnerConnection]]:
    async with scene(hooks, kind=Rooms) as current:
        assert isinstance(current.runner, Rooms)
        current.runner.decide = decide
        yield current, await current.start()


@contextlib.asynccontextmanager
async def one_client(
    handler: Hook, path: str = "/", **options: Any
) -> AsyncIterator[tuple[Scene, RunnerConnection, ClientWebSocket]]:
    """An actor with this handler, and a client whose WebSocket is open."""
    async with started({"websocket": handler}, **options) as (current, connection):
        await current.actor(connection)
        socket = connection.open_websocket(path=path)
        await socket.opened()
        yield current, connection, socket


async def receive_all(_: Actor, ws: WebSocket) -> None:
    async for _message in ws:
        pass


def noting_the_end(ends: list[tuple[int | None, str | None]]) -> Hook:
    """A handler that receives everything, and then puts the close into ``ends``."""

    async def handler(_: Actor, ws: WebSocket) -> None:
        await receive_all(_, ws)
        ends.append((ws.close_code, ws.close_reason))

    return handler


async def echo(_: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


# Opening


@virtual_time
async def test_the_open_is_refused_when_the_actor_is_not_here() -> None:
    async with started() as (_, connection):
        assert await connection.open_websocket("elsewhere").receive() == NOT_FOUND


@virtual_time
async def test_the_open_is_left_to_the_next_generation_when_the_actor_is_going_to_sleep() -> None:
    async with started({"on_actor_stop": lambda _: asyncio.sleep(5)}) as (current, connection):
        actor = await current.actor(connection)
        actor.sleep()
        connection.stop_actor("a1")
        await settle()
        socket = connection.open_websocket()
        await connection.stopped("a1")
        await settle()
        assert socket.replies == []


@virtual_time
async def test_messages_are_delivered_in_order_when_they_came_before_the_actor_had_started() -> None:
    async with started({"on_actor_start": lambda _: asyncio.sleep(5), "websocket": echo}) as (_, connection):
        connection.start_actor("a1")
        socket = connection.open_websocket()
        for text in ("one", "two"):
            socket.send(text)
        await socket.opened()
        socket.send("three")
        assert [await socket.receive() for _ in range(3)] == ["one", "two", "three"]


@virtual_time
async def test_no_handler_runs_when_the_client_left_before_the_actor_had_started() -> None:
    async with started({"on_actor_start": lambda _: asyncio.sleep(5), "websocket": echo}) as (current, connection):
        connection.start_actor("a1")
        socket = connection.open_websocket()
        socket.close(1001, "")
        await connection.running("a1")
        await settle()
        assert socket.replies == []
        assert current.runner.called("websocket") == []


@virtual_time
async def test_no_handler_runs_when_the_start_fails() -> None:
    async def start(_: Actor) -> None:
        await asyncio.sleep(1)
        raise LookupError("no")

    async with started({"on_actor_start": start}) as (current, connection):
        connection.start_actor("a1")
        socket = connection.open_websocket()
        await connection.stopped("a1")
        await settle()
        assert [
            reply.message_kind for reply in socket.replies if isinstance(reply.message_kind, ToServerWebSocketOpen)
        ] == []
        assert current.runner.called("websocket") == []
        current.expect_error("on_actor_start raised")


@virtual_time
async def test_the_client_is_let_in_and_closed_when_can_hibernate_raises() -> None:
    """An open that is answered with a close would be tried again."""

    def decide(_: Request) -> bool:
        raise LookupError("secret")

    async with rooms(decide, {"websocket": echo}) as (current, connection):
        await current.actor(connection)
        socket = connection.open_websocket(path="/here")
        assert not (await socket.opened()).can_hibernate
        assert await socket.receive() == HANDLER_ERROR
        assert current.runner.called("websocket") == []
        current.expect_error("can_hibernate raised for the WebSocket /here")


@pytest.mark.parametrize(("size", "can_hibernate"), [(MAX_RECORD_BYTES - 1000, True), (MAX_RECORD_BYTES, False)])
@virtual_time
async def test_a_socket_cannot_hibernate_when_its_headers_do_not_fit_a_record(size: int, can_hibernate: bool) -> None:
    async with rooms(lambda _: True, {"websocket": echo}) as (current, connection):
        await current.actor(connection)
        socket = connection.open_websocket(headers={"cookie": "c" * size})
        assert (await socket.opened()).can_hibernate is can_hibernate
        socket.send("hello")
        assert await socket.receive() == "hello"


# The end of the handler


@virtual_time
async def test_the_client_is_closed_with_1000_when_the_handler_returns() -> None:
    async def handler(_: Actor, ws: WebSocket) -> None:
        await ws.send("bye")

    async with started({"websocket": handler}) as (current, connection):
        await current.actor(connection)
        socket = connection.open_websocket()
        assert await socket.receive() == "bye"
        assert await socket.receive() == ToServerWebSocketClose(1000, "", False)


@virtual_time
async def test_the_client_is_closed_without_details_when_the_handler_raises() -> None:
    async def handler(*_: object) -> None:
        raise LookupError("secret")

    async with started({"websocket": handler}) as (current, connection):
        await current.actor(connection)
        assert await connection.open_websocket(path="/here").receive() == HANDLER_ERROR
        current.expect_error("the handler of the WebSocket /here raised")


@virtual_time
async def test_an_error_is_logged_when_the_handler_passes_on_the_end_of_another_socket() -> None:
    async def handler(_: Actor, ws: WebSocket) -> None:
        await ws.recv()
        raise WebSocketClosed(1000, "")

    async with one_client(handler, "/here") as (current, _, socket):
        socket.send("go on")
        assert await socket.receive() == HANDLER_ERROR
        current.expect_error("the handler of the WebSocket /here raised")


@virtual_time
async def test_nothing_is_logged_when_the_handler_passes_on_the_end_of_its_own_socket() -> None:
    async def handler(_: Actor, ws: WebSocket) -> None:
        while True:
            await ws.send(await ws.recv())

    async with one_client(handler) as (_, _, socket):
        socket.close(1001, "bye")
        await settle()
        assert len(socket.replies) == 1  # the open, and no close in answer to a close


@pytest.mark.parametrize(("sent", "seen"), [((1001, "bye"), (1001, "bye")), ((None, None), (1005, ""))])
@virtual_time
async def test_the_handler_sees_how_the_client_closed(sent: tuple[Any, Any], seen: tuple[int, str]) -> None:
    ends: list[tuple[int | None, str | None]] = []
    async with one_client(noting_the_end(ends)) as (_, _, socket):
        socket.close(*sent)
        await settle()
        assert ends == [seen]


# The end of the actor


@pytest.mark.parametrize(("end", "code"), [("sleep", 1000), ("destroy", 1001)])
@virtual_time
async def test_clients_are_closed_when_the_actor_stops(end: str, code: int) -> None:
    async with started({"websocket": receive_all}) as (current, connection):
        actor = await current.actor(connection)
        socket = connection.open_websocket()
        await socket.opened()
        getattr(actor, end)()
        connection.stop_actor("a1")
        assert await socket.receive() == ToServerWebSocketClose(code, "actor.stopped", False)
        await connection.stopped("a1")


@virtual_time
async def test_hibernatable_clients_are_closed_when_the_actor_is_destroyed() -> None:
    async with rooms(lambda _: True, {"websocket": receive_all}) as (current, connection):
        actor = await current.actor(connection)
        socket = connection.open_websocket()
        await socket.opened()
        actor.destroy()
        connection.stop_actor("a1")
        assert await socket.receive() == ToServerWebSocketClose(1001, "actor.stopped", False)
        await connection.stopped("a1")


@virtual_time
async def test_the_handler_is_cancelled_when_it_goes_on_for_too_long_after_the_stop() -> None:
    cancelled = asyncio.Event()

    async def handler(_: Actor, ws: WebSocket) -> None:
        await receive_all(_, ws)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with one_client(handler, actor_stop_timeout=10) as (current, connection, _):
        began = current.now
        connection.stop_actor("a1")
        await connection.stopped("a1", timeout=30)
        assert cancelled.is_set()
        assert current.now - began == pytest.approx(10, abs=0.1)


@virtual_time
async def test_handlers_end_and_the_engine_is_not_told_when_it_has_forgotten_the_runner() -> None:
    ends: list[tuple[int | None, str | None]] = []
    async with one_client(noting_the_end(ends)) as (current, connection, socket):
        connection.abort()
        await current.reconnected(runner_id="r2")
        await asyncio.sleep(60)
        assert ends == [(1000, "actor.stopped")]
        assert len(socket.replies) == 1
        current.errors[:] = [error for error in current.errors if "it had accepted this runner before" not in error]


# All at once


@virtual_time
async def test_a_broadcast_reaches_the_clients_that_are_open() -> None:
    async with started({"websocket": receive_all}) as (current, connection):
        actor = await current.actor(connection)
        assert await actor.broadcast("to none") == 0
        sockets = [connection.open_websocket() for _ in range(3)]
        for socket in sockets:
            await socket.opened()
        assert len(actor.websockets) == 3
        sockets[1].close()
        await settle()
        assert await actor.broadcast("hello") == 2
        assert [await sockets[number].receive() for number in (0, 2)] == ["hello", "hello"]
        with pytest.raises(TypeError, match="must be str or bytes, not int"):
            await actor.broadcast(5)  # type: ignore[arg-type]


@virtual_time
async def test_a_broadcast_leaves_out_a_client_that_closes_while_it_waits() -> None:
    async with started({"websocket": receive_all}, max_buffered=1) as (current, connection):
        actor = await current.actor(connection)
        sockets = [connection.open_websocket() for _ in range(3)]
        for socket in sockets:
            await socket.opened()
        connection.abort()
        await connection.closed()
        await settle()
        broadcast = asyncio.create_task(actor.broadcast("hello"))
        await settle()
        assert not broadcast.done()
        await actor.websockets[-1].close()
        await current.reconnected()
        assert await broadcast == 2
        assert [await socket.receive() for socket in sockets[:2]] == ["hello", "hello"]
        assert await sockets[2].receive() == ToServerWebSocketClose(1000, "", False)
