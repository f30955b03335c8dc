"""The simulated engine on a real port: what any runner, any client and anybody who sends garbage gets from it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, NegotiationError
from websockets.typing import Subprotocol

from rivet_runner.protocol.v3 import ToServerInit, encode_to_server
from rivet_runner.testing import EngineApi, EngineApiError, HttpExchangeFailed, SimulatedEngine
from rivet_runner.testing._simulated import socket_client
from rivet_runner.testing._simulated.client_port import ClientClose, ClientMessage
from rivet_runner.testing._simulated.ids import Ids
from rivet_runner.testing._simulated.socket_client import SocketClient
from rivet_runner.testing.http_client import exchange
from tests.simulated.rooms import Room, virtual
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
MIB = 1024 * 1024
UNKNOWN = Ids(Random(1)).new()
"""An id that no actor has."""

INIT = encode_to_server(ToServerInit("default", 1, 100, None, None, "{}"))


@contextlib.asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[SimulatedEngine]:
    async with SimulatedEngine(**options) as engine:
        await engine.listen()
        yield engine


@contextlib.asynccontextmanager
async def hosted(**options: Any) -> AsyncIterator[tuple[EngineApi, str, Room]]:
    """A runner on the port, and an actor that runs on it."""
    async with listening() as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("default")
        async with Room(endpoint=engine.endpoint, runner_name="default", **options) as runner:
            yield api, (await api.create_ready_actor("room", runner_name="default")).actor_id, runner


def dial(engine: SimulatedEngine, path: str, *subprotocols: str) -> connect:
    url = f"ws{engine.endpoint.removeprefix('http')}{path}"
    offered = [Subprotocol(name) for name in subprotocols] or None
    return connect(url, subprotocols=offered, proxy=None, compression=None, max_size=None)


def dial_as_runner(engine: SimulatedEngine, **query: str) -> connect:
    wanted = {"protocol_version": "3", "namespace": "default", "runner_key": "key"} | query
    return dial(engine, f"/runners/connect?{urlencode({name: value for name, value in wanted.items() if value})}", "rivet")


async def close_of(connection: ClientConnection) -> tuple[int | None, str]:
    """The close frame, without the ray id."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(60):
            while True:
                await connection.recv()
    return connection.close_code, (connection.close_reason or "").partition("#")[0]


# Listening


async def test_port_is_free_again_when_the_engine_has_ended() -> None:
    async with listening() as engine:
        port = int(engine.endpoint.rpartition(":")[2])
        with pytest.raises(RuntimeError, match="listens already"):
            await engine.listen()
        async with SimulatedEngine() as other:
            with pytest.raises(OSError, match=rf"127\.0\.0\.1, port {port} .*in use.*another engine"):
                await other.listen(port)
            with pytest.raises(RuntimeError, match="listen"):
                _ = other.endpoint
    async with SimulatedEngine() as engine:
        assert await engine.listen(port) == f"http://127.0.0.1:{port}"


@virtual
async def test_virtual_time_has_no_port() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        with pytest.raises(RuntimeError, match="virtual"):
            await engine.listen()


async def test_open_connections_end_with_the_engine() -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listening() as engine:
            api = EngineApi(engine.endpoint)
            await api.upsert_runner_config("default")
            actor = await api.create_actor("room", runner_name="default")
            runner = await stack.enter_async_context(dial_as_runner(engine))
            client = await stack.enter_async_context(api.websocket(actor.actor_id))
            asking = asyncio.create_task(api.request(actor.actor_id, "GET", "/"))
            await eventually(lambda: engine.open_requests or len(asyncio.all_tasks()) > 5)
        assert await close_of(runner) == (1006, "")
        assert await close_of(client) == (1006, "")
        with pytest.raises(HttpExchangeFailed):
            await asking


# Runners and clients


async def test_clients_survive_a_sleep_of_their_actor() -> None:
    async with hosted() as (api, actor_id, runner), api.websocket(actor_id, "/room?x=%20y") as ws:
        await ws.send("text")
        await ws.send(b"bytes")
        assert [await ws.recv(), await ws.recv()] == ["text", b"bytes"]
        runner.actors[actor_id].sleep()
        await api.wait_sleeping(actor_id)
        await ws.send("wake up")
        assert await ws.recv() == "wake up"
        await ws.close(4001, "enough")
        await eventually(lambda: (4001, "enough") in runner.closes)


async def test_client_that_vanishes_is_seen_by_the_actor() -> None:
    async with hosted() as (api, actor_id, runner), api.websocket(actor_id, "/plain") as ws:
        await ws.send("hello")
        assert await ws.recv() == "hello"
        ws.transport.abort()
        await eventually(lambda: (1011, "ws.downstream_closed") in runner.closes)


async def test_runner_and_clients_come_back_when_the_engine_crashes() -> None:
    async with SimulatedEngine(settings={"crash_lease_ms": 50}) as engine:
        await engine.listen()
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("default")
        async with Room(endpoint=engine.endpoint, runner_name="default"):
            actor = await api.create_ready_actor("room", runner_name="default")
            async with api.websocket(actor.actor_id, "/room") as ws:
                await ws.send("hello")
                assert await ws.recv() == "hello"
                await engine.restart()
                assert await close_of(ws) == (1006, "")
            await eventually(lambda: engine.connected_runners)
            assert (await api.request(actor.actor_id, "GET", "/")).status == 200


async def test_partition_holds_back_both_directions_until_it_heals() -> None:
    async with listening() as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("default")
        async with Room(endpoint=engine.endpoint, runner_name="default") as runner:
            actor = await api.create_ready_actor("room", runner_name="default")
            engine.partition(runner)
            asking = asyncio.create_task(api.request(actor.actor_id, "GET", "/"))
            await eventually(lambda: engine.open_requests)
            await asyncio.sleep(0.1)  # nothing tells that an answer does not come
            assert not asking.done()
            engine.heal()
            assert (await asking).status == 200


async def test_pings_of_a_runner_get_no_answer_while_a_partition_lasts() -> None:
    async with listening() as engine, dial_as_runner(engine, runner_key="key") as connection:
        await connection.send(INIT)
        await connection.recv()
        await (await connection.ping())
        engine.partition(Room(endpoint=engine.endpoint, runner_key="key"))
        await connection.send(INIT)
        answer = await connection.ping()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(answer)
        engine.heal()
        await answer
        await connection.recv()


async def test_head_has_no_body() -> None:
    async with hosted() as (api, actor_id, _):
        answer = await api.request(actor_id, "HEAD", "/")
        assert (answer.status, answer.body) == (200, b"")


async def test_another_connection_evicts_the_first_of_its_key() -> None:
    async with listening() as engine, dial_as_runner(engine) as first, dial_as_runner(engine) as second:
        await first.send(INIT)
        await first.recv()
        await second.send(INIT)
        await second.recv()
        assert await close_of(first) == (1000, "ws.eviction")


# Bad input


@pytest.mark.parametrize(
    ("query", "close"),
    [
        ({"namespace": "nowhere"}, (1011, "namespace.not_found")),
        ({"namespace": ""}, (1011, "ws.invalid_url")),
        ({"runner_key": ""}, (1011, "ws.invalid_url")),
        ({"protocol_version": "three"}, (1011, "ws.invalid_url")),
    ],
)
async def test_runner_is_refused_by_a_close_frame(query: dict[str, str], close: tuple[int, str]) -> None:
    async with listening() as engine, dial_as_runner(engine, **query) as connection:
        assert await close_of(connection) == close


@pytest.mark.parametrize(
    ("packet", "close"),
    [
        (b"\xff garbage", (1011, "ws.invalid_packet")),
        (b"", (1011, "ws.invalid_packet")),
        ("text", (1011, "ws.invalid_initial_packet")),
        (None, (1011, "ws.timed_out_waiting_for_init")),
    ],
)
async def test_first_packet_has_to_be_an_init(packet: bytes | str | None, close: tuple[int, str]) -> None:
    async with listening(settings={"init_timeout_ms": 100}) as engine, dial_as_runner(engine) as connection:
        if packet is not None:
            await connection.send(packet)
        assert await close_of(connection) == close


async def test_garbage_after_the_init_is_ignored() -> None:
    async with listening() as engine, dial_as_runner(engine) as connection:
        await connection.send(INIT)
        first = await connection.recv()
        await connection.send(b"\xff garbage")
        await connection.send("text")
        await connection.send(INIT)
        assert await connection.recv() == first


async def test_body_that_is_too_large_is_refused_whoever_gets_it() -> None:
    async with hosted() as (api, actor_id, _):
        answer = await api.request(actor_id, "POST", "/", body=b"x" * (25 * MIB))
        assert (answer.status, answer.json()["code"]) == (413, "invalid_request_body")
        assert (await api.request(actor_id, "POST", "/", body=b"x" * (20 * MIB))).status == 200


async def test_client_message_that_is_too_large_closes_the_client() -> None:
    async with hosted() as (api, actor_id, _), api.websocket(actor_id, "/room") as ws:
        await ws.send("x" * (33 * MIB))
        assert await close_of(ws) == (1011, "core.internal_error")


@pytest.mark.parametrize(
    ("path", "subprotocols", "reason"),
    [
        ("/gateway/not-an-id/", ["rivet"], "core.internal_error"),
        ("/gateway//x", ["rivet"], "guard.no_route"),
        ("/nowhere", ["rivet"], "guard.no_route"),
        (f"/gateway/{UNKNOWN}/", ["rivet"], "actor.not_found"),
    ],
)
async def test_client_is_refused_by_a_close_frame(path: str, subprotocols: list[str], reason: str) -> None:
    async with listening() as engine, dial(engine, path, *subprotocols) as connection:
        assert await close_of(connection) == (1011, reason)


async def test_client_without_a_subprotocol_gets_rivet_all_the_same() -> None:
    async with listening() as engine:
        with pytest.raises(NegotiationError, match="no subprotocols"):
            await dial(engine, f"/gateway/{UNKNOWN}/")


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "name"),
    [
        ("GET", "/nowhere", b"", 404, "api.not_found"),
        ("GET", "/gateway/not-an-id/", b"", 500, "core.internal_error"),
        ("GET", f"/gateway/{UNKNOWN}/", b"", 404, "actor.not_found"),
        ("GET", "/actors?namespace=nowhere&name=a", b"", 400, "namespace.not_found"),
        ("GET", "/actors?namespace=default", b"", 400, "validation.invalid_input"),
        ("GET", "/actors?namespace=default&actor_ids=bad", b"", 400, "validation.invalid_input"),
        ("GET", "/actors?namespace=default&name=a&more=x", b"", 400, "api.bad_request"),
        ("GET", "/actors?name=a", b"", 400, "api.bad_request"),
        ("GET", "/actors?namespace=default&name=a&limit=x", b"", 400, "api.bad_request"),
        ("POST", "/actors?namespace=default", b"{", 400, "api.bad_request"),
        ("POST", "/actors?namespace=default", b"\xff", 400, "api.bad_request"),
        ("POST", "/actors?namespace=default", b'{"name": "a"}', 400, "api.bad_request"),
        ("PUT", "/runner-configs/a?namespace=default", b'{"datacenters": {"mars": {}}}', 400, "datacenter.not_found"),
        ("PUT", "/runner-configs/a?namespace=default", b'{"datacenters": {"default": {}}}', 400, "api.bad_request"),
        ("DELETE", "/actors/bad?namespace=default", b"", 400, "api.bad_request"),
        ("DELETE", f"/actors/{UNKNOWN}?namespace=default", b"", 400, "actor.not_found"),
        ("POST", "/namespaces", b'{"name": "default", "display_name": "D"}', 400, "namespace.name_not_unique"),
        ("POST", "/namespaces", b'{"name": "other", "display_name": ""}', 400, "namespace.failed_to_create"),
    ],
)
async def test_bad_request_is_answered_as_the_engine_does(
    method: str, target: str, body: bytes, status: int, name: str
) -> None:
    async with listening() as engine:
        answer = await exchange(method, engine.endpoint + target, body=body or None)
        said = answer.json()
        assert (answer.status, f"{said['group']}.{said['code']}") == (status, name)
        assert answer.headers["x-rivet-ray-id"]


async def test_bytes_that_are_no_request_do_no_harm() -> None:
    async with listening() as engine:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(engine.endpoint.rpartition(":")[2]))
        writer.write(b"\x16\x03\x01 not http\r\n\r\n")
        assert b"400" in await reader.read()
        writer.close()
        await writer.wait_closed()
        assert (await EngineApi(engine.endpoint).health()).status == "ok"


async def test_connection_breaks_when_a_client_leaves_too_much_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_client, "MAX_UNREAD", 1000)
    free, aborted, sent = asyncio.Event(), asyncio.Event(), []

    async def send(message: Any) -> None:
        await free.wait()
        sent.append(message)

    async def receive() -> Any:
        await aborted.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    client = SocketClient(receive, send, aborted.set)
    serving = asyncio.create_task(client.serve())
    for _ in range(10):
        client.port.deliver(ClientMessage(bytes(100), binary=True))
    assert not aborted.is_set()
    client.port.deliver(ClientMessage(b"x", binary=True))
    assert aborted.is_set()
    free.set()
    await eventually(lambda: client.port.incoming)
    assert client.port.take() == ClientClose(None, "")
    client.port.close(1006, "")
    await serving
    assert sent == []


# The management API


async def test_management_api_has_the_shapes_of_the_real_one() -> None:
    async with hosted(runner_key="key") as (api, actor_id, _):
        assert (await api.metadata()).version == "2.3.19"
        assert [namespace.name for namespace in await api.list_namespaces()] == ["default"]
        [runner] = await api.list_runners("default")
        assert (runner.key, runner.remaining_slots) == ("key", runner.total_slots - 1)
        found = await api.get_or_create_actor("room", runner_name="default", key="a")
        assert (await api.get_or_create_actor("room", runner_name="default", key="a")).actor_id == found.actor_id
        with pytest.raises(EngineApiError) as refused:
            await api.create_actor("room", runner_name="default", key="a")
        assert (refused.value.status, refused.value.code) == (400, "duplicate_key")
        assert [actor.actor_id for actor in await api.list_actors("room")] == [found.actor_id, actor_id]
        assert [actor.actor_id for actor in await api.list_actors("room", limit=1)] == [found.actor_id]
        await api.destroy_actor(actor_id)
        await api.wait_destroyed(actor_id)
        assert [actor.actor_id for actor in await api.list_actors("room", include_destroyed=True)][-1] == actor_id
        for path in ("/actors/names", "/runners/names", "/envoys", "/runner-configs"):
            answer = await exchange("GET", f"{api.endpoint}{path}?namespace=default")
            assert (answer.status, "pagination" in answer.json()) == (200, True), path


async def test_root_and_runner_path_answer_a_plain_get() -> None:
    async with listening() as engine:
        root = await exchange("GET", f"{engine.endpoint}/")
        assert (root.status, root.headers["location"]) == (308, "/ui/")
        runners = await exchange("GET", f"{engine.endpoint}/runners/connect")
        assert (runners.status, runners.text()) == (200, "pegboard-runner WebSocket endpoint")


async def test_missing_server_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "rivet_runner.testing._simulated.port", raising=False)
    async with SimulatedEngine() as engine:
        with pytest.raises(ModuleNotFoundError, match=r"rivet-runner\[simulated\]"):
            await engine.listen()


@pytest.mark.slow
async def test_tour_needs_no_real_engine_when_it_is_simulated() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "examples.tour",
        "--simulated",
        cwd=PROJECT,
        env={**os.environ, "PATH": "", "RIVET_ENGINE_BINARY": "/nowhere"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(180):
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"The alarm woke it." in out
