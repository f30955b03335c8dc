"""The token is nowhere to be read: in no log line of any library at any level, no message, no repr."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

import pytest

from rivet_runner import EngineRejected
from tests.support.scene import HookedRunner, scene, settle
from tests.support.virtual_time import virtual_time

TOKEN = "s3cr3t-t0ken-of-th1s-test"


@pytest.fixture(autouse=True)
def every_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything of every logger, and afterwards: the token is in none of it."""
    loggers = [logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield caplog
    for logger, level in before:
        logger.setLevel(level)


def check(caplog: pytest.LogCaptureFixture) -> None:
    names = {record.name for record in caplog.records}
    assert any("websockets" in name for name in names), "the library's handshake was not even logged"
    formatter = logging.Formatter()
    for record in caplog.records:
        assert TOKEN not in formatter.format(record)
        assert TOKEN not in str(record.args)
        assert TOKEN not in str(record.__dict__)


@virtual_time
async def _life() -> None:
    async with scene(token=TOKEN) as current:
        current.engine.refuse(503, times=2)
        connection = await current.start()
        assert connection.subprotocols == ["rivet", f"rivet_token.{TOKEN}"]
        connection.send_frame(b"\xff")
        await settle()
        current.expect_error("are not a message")
        connection.abort()
        connection = await current.reconnected()
        await connection.close(1011, "api.forbidden#ray")
        await current.reconnected()
        current.expect_error("api.forbidden")
        assert TOKEN not in repr(current.runner) + repr(current.runner.config) + str(current.runner.config)
        await current.runner.shutdown()


def test_no_log_shows_the_token_when_a_runner_lives_and_dies(every_log: pytest.LogCaptureFixture) -> None:
    _life()
    check(every_log)


@virtual_time
async def _rejected() -> None:
    async with scene(token=TOKEN) as current:
        starting, connection = await current.starting()
        await connection.close(1011, "api.forbidden")
        with pytest.raises(EngineRejected) as caught:
            await starting
        assert TOKEN not in str(caught.value) + repr(caught.value)


def test_no_log_or_error_shows_the_token_when_it_is_refused(every_log: pytest.LogCaptureFixture) -> None:
    _rejected()
    check(every_log)


async def _echo_every_subprotocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a careless proxy does: the answer names every subprotocol that was offered."""
    import base64
    import hashlib

    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    key = headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    writer.write(
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {headers['Sec-WebSocket-Protocol']}\r\n\r\n"
        ).encode()
    )
    with contextlib.suppress(OSError):
        await writer.drain()
        await reader.read()
    writer.close()


@virtual_time
async def _echoed() -> None:
    server = await asyncio.start_server(_echo_every_subprotocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    runner = HookedRunner(endpoint=f"http://127.0.0.1:{port}", token=TOKEN, start_timeout=5)
    with pytest.raises(TimeoutError) as caught:
        await runner.start()
    assert TOKEN not in str(caught.value)
    server.close()
    await server.wait_closed()


def test_no_log_shows_the_token_when_a_proxy_sends_it_back(every_log: pytest.LogCaptureFixture) -> None:
    _echoed()
    check(every_log)


@pytest.mark.parametrize("status", [302, 401])
def test_the_token_goes_nowhere_else_when_the_engine_redirects(status: int, every_log: pytest.LogCaptureFixture) -> None:
    requests: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.read(65536))
        writer.close()

    @virtual_time
    async def life() -> None:
        thief = await asyncio.start_server(note, "127.0.0.1", 0)
        target = f"http://127.0.0.1:{thief.sockets[0].getsockname()[1]}/runners/connect"

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status} X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()

        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        runner = HookedRunner(
            endpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", token=TOKEN, start_timeout=5
        )
        with pytest.raises(TimeoutError):
            await runner.start()
        for listening in (thief, server):
            listening.close()
            await listening.wait_closed()

    life()
    assert requests == []
    check(every_log)
