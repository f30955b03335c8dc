"""What one read brings is worked off in portions, however the bytes are cut."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner._connection.engine_socket import LONG_READ, MESSAGES_AT_ONCE, SHORT_READ
from rivet_runner.protocol import v3
from rivet_runner.testing.scripted_engine import RunnerConnection, ScriptedEngine
from tests.connection.scene import HookedRunner, started
from tests.support.virtual_time import virtual_time


async def echo(actor: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


@virtual_time
async def test_replies_leave_in_portions_when_one_read_brings_many_messages() -> None:
    most = 0
    marks: list[int] = []

    async def watched_echo(actor: Actor, ws: WebSocket) -> None:
        nonlocal most
        session = current.runner._Runner__core.session  # type: ignore[attr-defined]
        async for message in ws:
            await ws.send(message)
            marks.append(session.mark)
            most = max(most, sum(not session.flushed(mark) for mark in marks))

    async with started({"websocket": watched_echo}) as (current, connection):
        await current.actor(connection)
        clients = [connection.open_websocket() for _ in range(200)]
        for client in clients:
            await client.opened()
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [await client.receive() for client in clients] == [str(number) for number in range(200)]
    assert 1 < most <= MESSAGES_AT_ONCE, "a portion is handled together, and its replies do not wait for the rest"


@pytest.mark.parametrize("size", [0, SHORT_READ - 100, SHORT_READ, 2 * SHORT_READ, 3 * SHORT_READ + 1, LONG_READ, 1_000_000])
@virtual_time
async def test_a_message_is_whole_when_it_takes_several_reads(size: int) -> None:
    async with started({"websocket": echo}) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        messages = [bytes([number]) * size for number in range(3)]
        for message in messages:
            client.send(message)
        assert [await client.receive() for _ in messages] == messages


@asynccontextmanager
async def in_front_of(
    engine: ScriptedEngine, *, tls: ssl.SSLContext | None = None, hold_upgrade: bool = False
) -> AsyncIterator[int]:
    """A port that hands everything on; with ``hold_upgrade``, the answer to the upgrade only along with what follows it."""
    engine_port = int(engine.endpoint.rpartition(":")[2])

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: bytes = b"") -> None:
        with contextlib.suppress(OSError):
            while data := held + await reader.read(65536):
                held = b""
                writer.write(data)
                await writer.drain()
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_connection("127.0.0.1", engine_port)
        up = asyncio.create_task(pump(reader, to_engine))
        held = await from_engine.readuntil(b"\r\n\r\n") if hold_upgrade else b""
        await asyncio.gather(up, pump(from_engine, writer, held))

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def connect(runner: Runner, engine: ScriptedEngine, first: v3.ToClient | None = None) -> RunnerConnection:
    """Start the runner, and an actor on it; ``first`` is sent before anything was asked for."""
    starting = asyncio.create_task(runner.start())
    connection = await engine.accept()
    if first is not None:
        connection.send(first)
    await connection.init()
    await starting
    connection.start_actor("a1")
    await connection.running("a1")
    return connection


@virtual_time
async def test_messages_are_delivered_when_the_first_came_along_with_the_upgrade() -> None:
    """Then the library parses all frames of the connection, and hands them over one by one."""
    async with ScriptedEngine() as engine, in_front_of(engine, hold_upgrade=True) as port:
        runner = HookedRunner(hooks={"websocket": echo}, endpoint=f"http://127.0.0.1:{port}")
        connection = await connect(runner, engine, first=v3.ToClientAckEvents(-1))
        client = connection.open_websocket()
        await client.opened()
        sent_at = asyncio.get_running_loop().time()
        for message in ("first", "second"):
            client.send(message)
            assert await client.receive() == message
        assert asyncio.get_running_loop().time() == sent_at, "no reply has waited for something else to happen"
        await runner.shutdown(immediate=True)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_messages_of_any_size_come_and_go_when_the_engine_is_behind_tls(
    loop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    messages = [bytes([number]) * size for number, size in enumerate((0, 1, 125, 70_000, 3_000_000) * 5)]

    async def large(actor: Actor, request: Request) -> Response:
        return Response(b"y" * 300_000)

    async def main() -> None:
        async with ScriptedEngine() as engine, in_front_of(engine, tls=context) as port:
            runner = HookedRunner(hooks={"websocket": echo, "fetch": large}, endpoint=f"https://localhost:{port}")
            connection = await connect(runner, engine)
            client = connection.open_websocket()
            await client.opened()
            for message in messages:
                client.send(message)
            for message in messages:
                assert await client.receive() == message
            assert (await connection.request().response()).body == b"y" * 300_000
            await runner.shutdown(immediate=True)

    with asyncio.Runner(loop_factory=_factory(loop)) as loop_runner:
        loop_runner.run(main())


def _factory(loop: str) -> type[asyncio.AbstractEventLoop] | None:
    if loop == "asyncio":
        return None
    uvloop = pytest.importorskip("uvloop")
    return uvloop.Loop  # type: ignore[no-any-return]
