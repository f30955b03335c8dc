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
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection, ScriptedEngine
from tests.support.scene import HookedRunner, settle, started
from tests.support.virtual_time import virtual_time


async def echo(actor: Actor, ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


def tunnel_message(client: ClientWebSocket, kind: v3.ToClientTunnelMessageKind) -> v3.ToClientTunnelMessage:
    return v3.ToClientTunnelMessage(v3.MessageId(client.gateway_id, client.request_id, 1), kind)


def send_at_once(connection: RunnerConnection, messages: list[v3.ToClientTunnelMessage]) -> None:
    """Send in one write, which the runner takes in one read."""
    for message in messages:
        connection.ws.protocol.send_binary(v3.encode_to_client(message))
    data = b"".join(connection.ws.protocol.data_to_send())
    assert len(data) < SHORT_READ
    connection.ws.transport.write(data)


@pytest.mark.parametrize(("count", "seen_by_handlers"), [(MESSAGES_AT_ONCE, None), (MESSAGES_AT_ONCE - 1, 1005)])
@virtual_time
async def test_handlers_go_on_when_a_portion_of_a_read_was_handed_over(count: int, seen_by_handlers: int | None) -> None:
    """The read brings ``count`` messages and the close of another client, which is handed over as it comes."""
    sockets: dict[str, WebSocket] = {}
    seen: list[int | None] = []

    async def look(actor: Actor, ws: WebSocket) -> None:
        sockets[ws.path] = ws
        seen.extend([sockets["/closing"].close_code async for _ in ws])

    async with started({"websocket": look}) as (current, connection):
        await current.actor(connection)
        clients = [connection.open_websocket() for _ in range(count)]
        closing = connection.open_websocket(path="/closing")
        for client in (*clients, closing):
            await client.opened()
        await settle()  # no other message may come along in the same read
        messages = [tunnel_message(client, v3.ToClientWebSocketMessage(b"x", False)) for client in clients]
        send_at_once(connection, [*messages, tunnel_message(closing, v3.ToClientWebSocketClose(None, None))])
        await settle()
    assert seen == [seen_by_handlers] * count


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


@virtual_time
async def test_a_message_is_put_together_when_it_comes_in_fragments() -> None:
    async with started() as (current, connection):
        command = v3.CommandStartActor("a1", 1, v3.ActorConfig("n", None, 1, None), [])
        frame = v3.encode_to_client(v3.ToClientCommands([v3.CommandWrapper(0, command)]))
        await connection.ws.send([frame[:3], frame[3:9], frame[9:]])
        await connection.running("a1")
        assert "a1" in current.runner.actors


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


@pytest.mark.slow
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
