"""The way to an engine over the network, and the foreign errors that end here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rivet_runner import Actor, Request, Response, WebSocket, WebSocketClosed
from rivet_runner.actors._client.engine_transport import KEPT_POOLS, POOL_SIZE, EngineTransport
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room
from tests.support.waiting import eventually
from tests.testing.http_server import Handler, server

UNUSED = "http://127.0.0.1:1"


@asynccontextmanager
async def transport_to(endpoint: str) -> AsyncIterator[EngineTransport]:
    transport = EngineTransport(endpoint)
    try:
        yield transport
    finally:
        await transport.aclose()


@asynccontextmanager
async def engine_with(runner: type[Room]) -> AsyncIterator[tuple[EngineTransport, str]]:
    async with SimulatedEngine() as engine, engine.host(runner):
        actor = await engine.create("room")
        async with transport_to(await engine.listen()) as transport:
            yield transport, f"/gateway/{actor.id}"


class Echo(Room):
    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/cookie":
            return Response(request.headers.get("cookie", ""), headers={"set-cookie": "a=b; Path=/"})
        return Response(request.body, 404, {"x-target": f"{request.path}?{request.query_string}"})

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)
            if message == "bye":
                await ws.close(1011, "user.gone")


async def test_a_request_and_its_response_pass_unchanged() -> None:
    async with engine_with(Echo) as (transport, path):
        reply = await transport.request("PATCH", f"{path}/a/../%C3%9F;b?q=%20&q", {"x-a": "b"}, b"\x00body")
        assert (reply.status, reply.headers["X-Target"], reply.body) == (404, "/a/../%C3%9F;b?q=%20&q", b"\x00body")


async def test_cookies_of_one_actor_do_not_go_to_another() -> None:
    async with engine_with(Echo) as (transport, path):
        for _ in range(2):
            reply = await transport.request("GET", f"{path}/cookie", {}, b"")
            assert (reply.headers["set-cookie"], reply.body) == ("a=b; Path=/", b"")


@pytest.mark.slow
async def test_many_requests_have_as_many_connections_and_leave_few() -> None:
    open_ones: set[asyncio.StreamWriter] = set()
    most, gate = 0, asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal most
        open_ones.add(writer)
        try:
            while await reader.readline():
                await reader.readuntil(b"\r\n\r\n")
                most = max(most, len(open_ones))
                if most == 200:
                    gate.set()
                await gate.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        finally:
            open_ones.discard(writer)

    async with server(handler) as url, transport_to(url) as transport, asyncio.timeout(60):
        replies = await asyncio.gather(*(transport.request("GET", "/", {}, b"") for _ in range(200)))
        assert {reply.body for reply in replies} == {b"ok"}
        await eventually(lambda: len(open_ones) <= KEPT_POOLS * POOL_SIZE, what="the rest is closed")
        assert (await transport.request("GET", "/", {}, b"")).body == b"ok"
    await eventually(lambda: not open_ones, what="all are closed")


async def test_a_base_path_of_the_endpoint_is_kept() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (len(line), line))
        await writer.drain()

    async with server(handler) as url, transport_to(f"{url}/rivet") as transport:
        assert (await transport.request("GET", "/actors?a=b", {}, b"")).body == b"GET /rivet/actors?a=b HTTP/1.1\r\n"


async def test_messages_and_the_close_pass_a_websocket() -> None:
    async with engine_with(Echo) as (transport, path):
        socket = await transport.connect(f"{path}/ws", ["rivet", "other"], {"x-a": "b"})
        await socket.send(b"bytes")
        await socket.send("bye")
        assert [await socket.recv(), await socket.recv()] == [b"bytes", "bye"]
        with pytest.raises(WebSocketClosed) as closed:
            await socket.recv()
        assert (closed.value.code, closed.value.reason) == (1011, "user.gone")
        with pytest.raises(WebSocketClosed):
            await socket.send("late")
        await socket.close()


async def test_an_aborted_websocket_ends_without_a_close_frame() -> None:
    async with engine_with(Echo) as (transport, path):
        socket = await transport.connect(f"{path}/ws", ["rivet"], {})
        socket.abort()
        with pytest.raises(WebSocketClosed) as closed:
            await socket.recv()
        assert closed.value.code == 1006
        socket.abort()


@pytest.mark.parametrize("endpoint", [UNUSED, "http://engine.invalid"])
async def test_an_engine_that_is_not_there_refuses(endpoint: str) -> None:
    async with transport_to(endpoint) as transport:
        with pytest.raises(ConnectionRefusedError, match=r".+"):
            await transport.request("GET", "/health", {}, b"")
        with pytest.raises(ConnectionRefusedError, match=r".+"):
            await transport.connect("/gateway/a", ["rivet"], {})


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()


async def _half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")


async def _not_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


@pytest.mark.parametrize("handler", [_hang_up, _half, _not_http])
async def test_a_connection_that_breaks_is_told_apart_from_one_that_was_refused(handler: Handler) -> None:
    async with server(handler) as url, transport_to(url) as transport:
        with pytest.raises(ConnectionResetError, match=r".+"):
            await transport.request("POST", "/actors", {}, b"{}")


async def _forbidden(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "message"), [(_forbidden, "HTTP 403 instead of a WebSocket"), (_hang_up, r".+"), (_not_http, r".+")]
)
async def test_an_upgrade_that_fails_sent_nothing(handler: Handler, message: str) -> None:
    async with server(handler) as url, transport_to(url) as transport:
        with pytest.raises(ConnectionRefusedError, match=message):
            await transport.connect("/gateway/a/connect", ["rivet"], {})


async def test_a_cancelled_request_drops_its_connection() -> None:
    came, left = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        await reader.read()
        left.set()

    async with server(handler) as url, transport_to(url) as transport:
        asking = asyncio.create_task(transport.request("GET", "/", {}, b""))
        async with asyncio.timeout(60):
            await came.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await left.wait()


async def test_neither_tokens_nor_parameters_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with engine_with(Echo) as (transport, path):
        headers = {"x-rivet-token": "s3cret-token"}
        socket = await transport.connect(f"{path}/ws", ["rivet", "rivet_conn_params.s3cret-params"], headers)
        await socket.close()
        await transport.request("GET", path, {**headers, "authorization": "Bearer s3cret-token"}, b"")
    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    assert {"rivet_runner.actors.websockets", "httpcore.http11"} <= {record.name for record in ours}
    assert not [record for record in ours if "s3cret" in record.getMessage()]
