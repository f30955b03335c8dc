"""One WebSocket and the application that serves it, whatever becomes of either."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from rivet_runner import Actor, Request, WebSocket
from rivet_runner._asgi_types import AsgiApp, Message, Receive, Scope, Send
from rivet_runner.asgi import ClientDisconnected
from rivet_runner.asgi.conversation import converse
from rivet_runner.asgi.scopes import websocket_scope
from rivet_runner.protocol.v3 import ToServerTunnelMessage, ToServerWebSocketClose
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.scene import HookedRunner, Scene, scene, settle
from tests.support.virtual_time import virtual_time

HANDLER_ERROR = ToServerWebSocketClose(1011, "ws.handler_error", False)
RETURNED = ToServerWebSocketClose(1000, "", False)
ACCEPT = {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-a", b"1")]}

DENY = {"type": "websocket.http.response.start", "status": 403}


class Hibernating(HookedRunner):
    """Hibernates under ``/hibernating``."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path == "/hibernating"


@contextlib.asynccontextmanager
async def conversing(
    app: AsgiApp, path: str = "/", **options: float
) -> AsyncIterator[tuple[Scene, RunnerConnection, ClientWebSocket]]:
    """A client whose WebSocket is open, and ``app`` at the other end."""

    async def serve(actor: Actor, ws: WebSocket) -> None:
        await converse(app, actor, ws, websocket_scope(actor, ws, "", None))

    async with scene({"websocket": serve}, kind=Hibernating, **options) as current:
        connection = await current.start()
        await current.actor(connection)
        client = connection.open_websocket(path=path)
        await client.opened()
        yield current, connection, client


class Echo:
    """Accepts, and sends everything back. Notes what it receives, and the errors of its sends."""

    def __init__(self) -> None:
        self.received: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.received.append(await receive())
        await send(ACCEPT)
        while (message := await receive())["type"] == "websocket.receive":
            self.received.append(message)
            await send({**message, "type": "websocket.send"})
        self.received.append(message)


@virtual_time
async def test_text_and_binary_go_both_ways_when_the_application_accepts() -> None:
    app = Echo()
    async with conversing(app) as (_, _connection, client):
        client.send("text")
        client.send(b"binary")
        assert [await client.receive(), await client.receive()] == ["text", b"binary"]
        client.close(4001, "bye")
        await settle()
        assert app.received == [
            {"type": "websocket.connect"},
            {"type": "websocket.receive", "text": "text"},
            {"type": "websocket.receive", "bytes": b"binary"},
            {"type": "websocket.disconnect", "code": 4001, "reason": "bye"},
        ]


@pytest.mark.parametrize("accepts", [True, False])
def test_client_gets_the_close_of_the_application_when_it_closes(accepts: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if accepts:
            await send(ACCEPT)
        await send({"type": "websocket.close", "code": 4003, "reason": "no"})
        assert await receive() == {"type": "websocket.disconnect", "code": 4003, "reason": "no"}

    @virtual_time
    async def test() -> None:
        async with conversing(app) as (_, _connection, client):
            assert await client.receive() == ToServerWebSocketClose(4003, "no", False)

    test()


@virtual_time
async def test_close_is_a_normal_one_when_the_application_gives_no_code_or_returns() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/close":
            await send({"type": "websocket.close", "reason": None})
        else:
            await send(ACCEPT)

    for path in ("/close", "/return"):
        async with conversing(app, path) as (_, _connection, client):
            assert await client.receive() == RETURNED


@virtual_time
async def test_close_has_the_status_when_the_application_rejects_with_an_http_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"log in " * 20, "more_body": True})
        await send({"type": "websocket.http.response.body"})
        assert (await receive())["code"] == 4401

    async with conversing(app) as (_, _connection, client):
        assert await client.receive() == ToServerWebSocketClose(4401, ("log in " * 20)[:123], False)


class TestFailures:
    @virtual_time
    async def test_client_is_closed_with_1011_when_the_application_raises(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/accepted":
                await send(ACCEPT)
            raise LookupError("secret")

        for path in ("/accepted", "/not"):
            async with conversing(app, path) as (current, _, client):
                assert await client.receive() == HANDLER_ERROR
                current.expect_error(f"the handler of the WebSocket {path} raised")

    @virtual_time
    async def test_client_is_closed_with_1011_when_the_application_returns_without_accepting(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()

        async with conversing(app, "/x") as (current, _, client):
            assert await client.receive() == HANDLER_ERROR
            current.expect_error("the application returned without accepting the WebSocket /x")

    @pytest.mark.parametrize(
        ("messages", "error"),
        [
            ([{"type": "websocket.send", "text": "x"}], "'websocket.send' on a WebSocket that is not accepted"),
            ([ACCEPT, ACCEPT], "'websocket.accept' on a WebSocket that is accepted"),
            ([{"type": "websocket.close"}, ACCEPT], "'websocket.accept' on a WebSocket that is closed"),
            ([ACCEPT, DENY], "'websocket.http.response.start' on a WebSocket that is accepted"),
            ([{"type": "websocket.http.response.body"}], "'websocket.http.response.body' on a WebSocket that is not"),
            ([{"type": "http.response.start"}], "'http.response.start' on a WebSocket that is not accepted"),
            ([ACCEPT, {"type": "websocket.send"}], "must be str or bytes, not NoneType"),
            ([ACCEPT, {"type": "websocket.close", "code": 1005}], "1005 cannot be sent as a close code"),
        ],
    )
    def test_application_is_told_when_it_breaks_the_rules(self, messages: list[Message], error: str) -> None:
        told: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                for message in messages:
                    await send(message)
            except (RuntimeError, TypeError, ValueError) as caught:
                told.append(str(caught))
                raise

        @virtual_time
        async def test() -> None:
            async with conversing(app) as (current, _, client):
                assert isinstance(await client.receive(), ToServerWebSocketClose)
                await settle()
                assert error in told[0]
                current.errors.clear()

        test()


class WebSocketDisconnect(Exception):
    """The name that frameworks have for it."""


class TestDisconnects:
    @virtual_time
    async def test_send_raises_an_oserror_when_the_client_has_gone(self) -> None:
        raised: list[BaseException] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            await asyncio.sleep(1)
            for message in ({"type": "websocket.send", "text": "x"}, {"type": "websocket.close"}):
                try:
                    await send(message)
                except OSError as error:
                    raised.append(error)
            assert (await receive())["type"] == "websocket.connect"
            assert (await receive())["code"] == 4001

        async with conversing(app) as (_, _connection, client):
            client.close(4001, "bye")
            await asyncio.sleep(2)
            assert [type(error) for error in raised] == [ClientDisconnected] * 2

    @virtual_time
    async def test_close_raises_an_oserror_when_the_client_has_closed_already(self) -> None:
        raised: list[BaseException] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            await asyncio.sleep(1)
            try:
                await send({"type": "websocket.close"})
            except OSError as error:
                raised.append(error)

        async with conversing(app) as (_, _connection, client):
            client.close()
            await asyncio.sleep(2)
            assert [type(error) for error in raised] == [ClientDisconnected]

    @pytest.mark.parametrize("how", ["raises it", "lets the OSError pass", "raises another error because of it"])
    def test_nothing_is_logged_when_the_application_only_tells_of_the_disconnect(self, how: str) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(ACCEPT)
            if how == "raises it":
                await receive()
                raise WebSocketDisconnect
            await asyncio.sleep(1)
            try:
                await send({"type": "websocket.send", "text": "x"})
            except OSError:
                if how == "lets the OSError pass":
                    raise
                raise RuntimeError("a framework's own") from None

        @virtual_time
        async def test() -> None:
            async with conversing(app) as (_, _connection, client):
                client.close()
                await asyncio.sleep(2)

        test()

    @virtual_time
    async def test_error_is_logged_when_the_application_raises_one_of_its_own_after_a_disconnect(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(ACCEPT)
            await receive()
            raise LookupError("a defect")

        async with conversing(app) as (current, _, client):
            client.close()
            await settle()
            current.expect_error("the handler of the WebSocket / raised")

    @virtual_time
    async def test_error_is_logged_when_the_application_tells_of_a_disconnect_that_was_none(self) -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await send(ACCEPT)
            raise WebSocketDisconnect

        async with conversing(app) as (current, _, client):
            assert await client.receive() == HANDLER_ERROR
            current.expect_error("the handler of the WebSocket / raised")

    @virtual_time
    async def test_application_is_told_and_then_cancelled_when_its_actor_stops(self) -> None:
        notes: list[object] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await send(ACCEPT)
            notes.append((await receive())["type"])
            try:
                await asyncio.Event().wait()
            finally:
                notes.append("cancelled")

        async with conversing(app, actor_stop_timeout=3) as (_, connection, _client):
            connection.stop_actor()
            await connection.stopped("a1")
            assert notes == ["websocket.disconnect", "cancelled"]

    @virtual_time
    async def test_application_is_told_of_a_disconnect_when_its_websocket_hibernates(self) -> None:
        app = Echo()
        async with conversing(app, "/hibernating") as (_, connection, client):
            client.send("one")
            assert await client.receive() == "one"
            connection.stop_actor()
            await connection.stopped("a1")
            assert app.received[-1] == {"type": "websocket.disconnect", "code": 1001, "reason": "actor.hibernated"}
            kinds = [message.message_kind for message in connection.messages(ToServerTunnelMessage)]
            assert not any(isinstance(kind, ToServerWebSocketClose) for kind in kinds), "the client stays connected"
