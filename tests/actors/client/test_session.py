"""One WebSocket of a live connection, on a socket that a test moves by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import WebSocketClosed
from rivet_runner.actors import ConnectionLost
from rivet_runner.actors._client.session import Session
from rivet_runner.actors._wire.encodings import Encoding, codec
from rivet_runner.actors._wire.messages import ActionRequest, Init, ToServer

CODEC = codec(Encoding.CBOR)


class SlowSocket:
    """Sends one message each time that ``gate`` is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.sent: list[ToServer] = []
        self.error: Exception | None = None
        self._closed: asyncio.Future[WebSocketClosed] = asyncio.get_running_loop().create_future()

    async def send(self, message: str | bytes, /) -> None:
        await self.gate.wait()
        self.gate.clear()
        if self.error is not None:
            raise self.error
        self.sent.append(CODEC.decode_to_server(message))

    async def recv(self) -> str | bytes:
        raise await asyncio.shield(self._closed)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.end(WebSocketClosed(code, reason))

    def abort(self) -> None:
        self.end(WebSocketClosed(1006, ""))

    def end(self, closed: WebSocketClosed) -> None:
        if not self._closed.done():
            self._closed.set_result(closed)


def session_on(socket: SlowSocket) -> tuple[Session, asyncio.Task[Any]]:
    session = Session(socket, CODEC, Init("actor", "connection"), lambda *_: None)
    return session, asyncio.ensure_future(session.run())


async def turn() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_call_that_is_cancelled_before_it_has_left_does_not_leave() -> None:
    socket = SlowSocket()
    session, running = session_on(socket)
    calls = [asyncio.ensure_future(session.call(name, [])) for name in ("first", "second", "third")]
    await turn()
    calls[1].cancel()
    for _ in range(3):
        socket.gate.set()
        await turn()
    assert [message.name for message in socket.sent if isinstance(message, ActionRequest)] == ["first", "third"]
    await session.close()
    assert str(await running) == "1000"
    for call in (calls[0], calls[2]):
        with pytest.raises(ConnectionLost):
            await call


async def test_a_message_that_cannot_be_sent_breaks_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    socket = SlowSocket()
    session, running = session_on(socket)
    calling = asyncio.ensure_future(session.call("first", []))
    await turn()
    socket.error = OSError("no route")
    socket.gate.set()
    assert (await running).code == 1006
    assert "could not be sent" in caplog.text
    with pytest.raises(ConnectionLost):
        await calling


async def test_a_cancelled_session_drops_its_connection_and_fails_its_calls() -> None:
    socket = SlowSocket()
    session, running = session_on(socket)
    calling = asyncio.ensure_future(session.call("first", []))
    await turn()
    running.cancel()
    with pytest.raises(ConnectionLost):
        await calling
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not session.is_open
    with pytest.raises(WebSocketClosed, match="1006"):
        await socket.recv()
