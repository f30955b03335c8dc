"""HTTP for probes: whole answers, bad clients, taken ports, and an end that waits for no client."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import socket
import threading
from collections.abc import AsyncIterator

import pytest
from websockets.http11 import Request

from rivet_runner._health import server as server_module
from rivet_runner._health.pages import Answer
from rivet_runner._health.server import HealthServer
from tests.support.http_get import get


def echoed(path: str, accept: str) -> Answer:
    return Answer(200 if path != "/bad" else 503, "text/x", f"{path} {accept}".encode())


@contextlib.asynccontextmanager
async def serving(answer: object = echoed, host: str | None = "127.0.0.1") -> AsyncIterator[HealthServer]:
    server = HealthServer(host, 0, answer)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        await server.close()


def health_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "rivet-runner health"]


async def raw(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        with contextlib.suppress(ConnectionResetError):
            return await asyncio.wait_for(reader.read(), 60)
        return b""
    finally:
        writer.close()


async def test_answer_is_whole_when_it_is_asked_for() -> None:
    async with serving() as server:
        found = await get(server.port, "/x?query=1", headers={"Accept": "text/plain"})
        assert (found.status, found.body) == (200, b"/x text/plain")
        assert found.headers["content-type"] == "text/x"
        assert found.headers["content-length"] == str(len(found.body))
        assert found.headers["cache-control"] == "no-store"
        assert (await get(server.port, "/bad")).status == 503


async def test_large_answer_is_whole_when_it_is_more_than_a_socket_takes() -> None:
    body = b"x" * 8_000_000
    async with serving(lambda path, accept: Answer(200, "text/plain", body)) as server:
        assert (await get(server.port, "/metrics")).body == body


async def test_other_methods_are_refused_and_head_has_no_body() -> None:
    async with serving() as server:
        if "method" not in Request.__dataclass_fields__:
            with pytest.raises(http.client.RemoteDisconnected):  # older versions of the library drop other methods
                await get(server.port, "/x", method="HEAD")
            return
        posted = await get(server.port, "/x", method="POST", headers={"Content-Length": "0"})
        assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")
        assert await get(server.port, "/x", method="HEAD") == (200, (await get(server.port, "/x")).headers, b"")


async def test_upgrade_is_answered_like_any_get_when_a_client_wants_a_websocket() -> None:
    asked = (
        b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with serving() as server:
        assert (await raw(server.port, asked)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET /" + b"a" * 100_000 + b"\r\n\r\n"])
async def test_server_goes_on_silently_when_it_gets_garbage(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(garbage)
        writer.write_eof()
        with contextlib.suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert (await get(server.port, "/x")).status == 200
    assert [record for record in caplog.records if record.name.startswith("rivet_runner.health")] == []


async def test_further_connections_are_dropped_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(server_module, "REQUEST_SECONDS", 600.0)
    async with serving() as server:
        idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
        assert await raw(server.port, b"") == b""
        for _, writer in idle:
            writer.close()


async def test_close_waits_for_no_client_and_frees_the_port_when_one_is_silent() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await get(server.port, "/x")
        await server.close()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.close()
        again = HealthServer("127.0.0.1", server.port, echoed)
        await again.close()
    for thread in health_threads():
        thread.join(60)
    assert health_threads() == []


async def test_close_gives_up_when_an_answer_hangs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "END_SECONDS", 0.05)
    asked, go_on = threading.Event(), threading.Event()

    def hang(path: str, accept: str) -> Answer:
        asked.set()
        go_on.wait(60)
        return echoed(path, accept)

    server = HealthServer("127.0.0.1", 0, hang)
    server.start()
    asking = asyncio.create_task(raw(server.port, b"GET / HTTP/1.1\r\n\r\n"))
    await asyncio.to_thread(asked.wait, 60)
    await server.close()
    assert "did not end within" in caplog.text
    go_on.set()
    await asking


async def test_error_names_the_option_when_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"health_port {port} is taken by another program") as caught:
            HealthServer("127.0.0.1", port, echoed)
        assert caught.value.errno == errno.EADDRINUSE


async def test_error_names_the_address_when_it_is_not_of_this_machine() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1, port 0 .*health_host"):
        HealthServer("192.0.2.1", 0, echoed)


async def test_every_address_is_served_when_none_is_given() -> None:
    async with serving(host=None) as server:
        assert (await get(server.port, "/x")).status == 200
        if socket.has_dualstack_ipv6():
            assert (await get(server.port, "/x", host="::1")).status == 200
