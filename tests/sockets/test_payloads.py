"""What a handler may send, attach and ask of its socket, and the errors for what it may not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from rivet_runner import Actor, PayloadTooLarge, WebSocket, WebSocketClosed
from rivet_runner.testing.scripted_engine import ClientWebSocket
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

MAX_ATTACHMENT = 64 * 1024


@contextlib.asynccontextmanager
async def connected(**options: Any) -> AsyncIterator[tuple[WebSocket, ClientWebSocket]]:
    """A socket whose handler does nothing, and its client."""
    sockets: list[WebSocket] = []

    async def keep(_: Actor, ws: WebSocket) -> None:
        sockets.append(ws)
        await asyncio.Event().wait()

    async with started({"websocket": keep}, **options) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket("a1", "/here?a=b", headers={"X-Name": "value"})
        await client.opened()
        await settle()
        yield sockets[0], client


@pytest.mark.parametrize(
    ("message", "received"),
    [
        ("text", "text"),
        ("", ""),
        ("äöü", "äöü"),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"view"), b"view"),
    ],
)
@virtual_time
async def test_the_client_gets_the_message_when_it_is_text_or_bytes(message: Any, received: str | bytes) -> None:
    async with connected() as (ws, client):
        await ws.send(message)
        assert await client.receive() == received


@pytest.mark.parametrize("message", [None, 5, ["text"], object()], ids=repr)
@virtual_time
async def test_a_type_error_is_raised_when_a_message_is_neither_text_nor_bytes(message: Any) -> None:
    async with connected() as (ws, _):
        with pytest.raises(TypeError, match=f"must be str or bytes, not {type(message).__name__}"):
            await ws.send(message)


@virtual_time
async def test_a_message_is_refused_when_its_bytes_are_over_max_payload() -> None:
    async with connected(max_payload=6) as (ws, client):
        await ws.send("äöü")
        with pytest.raises(PayloadTooLarge, match="7 bytes is over max_payload, which is 6"):
            await ws.send("äöü1")
        assert await client.receive() == "äöü"


@virtual_time
async def test_text_is_replaced_when_the_client_sent_what_is_no_utf_8() -> None:
    received: list[str | bytes] = []

    async def keep(_: Actor, ws: WebSocket) -> None:
        received.extend([message async for message in ws])

    async with started({"websocket": keep}) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        client.send("\N{REPLACEMENT CHARACTER}")
        client.send(b"\xff")
        client.close()
        await settle()
    assert received == ["\N{REPLACEMENT CHARACTER}", b"\xff"]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ("text", TypeError, "must be bytes, not str"),
        (bytearray(1), TypeError, "must be bytes, not bytearray"),
        (bytes(MAX_ATTACHMENT + 1), ValueError, "at most 65536 bytes .64 KiB., and this one has 65537"),
    ],
    ids=["str", "bytearray", "large"],
)
@virtual_time
async def test_an_attachment_stays_as_it_was_when_it_is_set_to_what_it_cannot_be(
    value: Any, error: type[Exception], text: str
) -> None:
    async with connected() as (ws, _):
        ws.attachment = bytes(MAX_ATTACHMENT)
        with pytest.raises(error, match=text):
            ws.attachment = value
        assert ws.attachment == bytes(MAX_ATTACHMENT)


@virtual_time
async def test_the_opening_request_is_there_when_the_handler_looks_at_it() -> None:
    async with connected() as (ws, _):
        assert (ws.path, ws.query_string, ws.headers["x-name"]) == ("/here", "a=b", "value")
        assert repr(ws) == "<WebSocket /here open>"
        await ws.close()
        assert repr(ws) == "<WebSocket /here closed>"


@pytest.mark.parametrize("call", [lambda ws: ws.send("x"), lambda ws: ws.recv()], ids=["send", "recv"])
@virtual_time
async def test_the_close_is_raised_when_the_socket_is_closed_already(call: Callable[[WebSocket], Any]) -> None:
    async with connected() as (ws, client):
        await ws.close(3000, "bye")
        await ws.close(3001, "a second one changes nothing")
        with pytest.raises(WebSocketClosed) as caught:
            await call(ws)
        assert (caught.value.code, caught.value.reason, caught.value.hibernated) == (3000, "bye", False)
        assert (ws.close_code, ws.close_reason) == (3000, "bye")
        await settle()
        assert len(client.replies) == 2


@virtual_time
async def test_a_runtime_error_is_raised_when_a_second_task_receives() -> None:
    async with connected() as (ws, client):
        first = asyncio.create_task(ws.recv())
        await settle()
        with pytest.raises(RuntimeError, match="only one at a time may"):
            await ws.recv()
        client.send("hello")
        assert await first == "hello"
