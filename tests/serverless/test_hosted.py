"""One ``/start`` request and its runner, driven as an ASGI server drives them."""

from __future__ import annotations

import asyncio
import base64
import itertools

import pytest

from rivet_runner import Runner
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    KvErrorResponse,
    ToServerKvRequest,
    ToServerStopping,
    ToServerWebSocketClose,
)
from rivet_runner.serverless import serverless_app
from rivet_runner.testing.scripted_engine import ScriptedEngine
from tests.serverless.scene import started
from tests.support.asgi_server import TOKEN, Call, get, start_headers
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

# The life of a runner


@virtual_time
async def test_init_packet_and_pings_are_sent_when_the_runner_runs(protocol: int) -> None:
    async with started(runner_name="ignored", version=3) as (_, call, connection, app):
        assert (call.status, call.headers[b"content-type"]) == (200, b"text/event-stream")
        packet = base64.b64decode(call.body.removeprefix(b"data: ").removesuffix(b"\n\n"))
        if protocol == 3:
            assert packet[:2] == b"\x03\x00"
            assert v3.decode_to_serverless_server(packet[2:]) == v3.ToServerlessServerInit("r1")
        else:
            assert packet[:2] == b"\x07\x00"
            assert v7.decode_to_serverless_server(packet[2:]) == v7.ToServerlessServerInit("r1", 7)
        await asyncio.sleep(3.5)
        assert [message["body"] for _, message in call.sent[2:]] == [b"event: ping\ndata:\n\n"] * 3
        times = [time for time, _ in call.sent[1:]]
        assert [round(later - earlier, 2) for earlier, later in itertools.pairwise(times)] == [1.0] * 3
        assert connection.query["namespace"] == "ns"
        assert f"rivet_token.{TOKEN}" in connection.subprotocols
        (runner,) = app.runners
        assert (runner.config.total_slots, runner.config.runner_name, runner.config.version) == (7, "pool", 3)


@virtual_time
async def test_each_request_has_a_runner_with_a_key_of_its_own_when_there_are_two() -> None:
    async with started() as (engine, _, connection, app):
        other = Call(app, "/start", start_headers(engine.endpoint))
        second = await engine.accept()
        await second.init("r2")
        await asyncio.sleep(0.01)
        assert connection.query["runner_key"] != second.query["runner_key"]
        assert connection.is_open
        assert len(app.runners) == 2
        other.disconnect()
        await other.task
        assert not second.is_open
        assert connection.is_open


@virtual_time
async def test_the_runner_drains_when_the_engine_closes_the_request() -> None:
    async with started() as (_, call, connection, _):
        connection.start_actor("a1")
        await connection.running("a1")
        call.disconnect()
        await connection.receive(ToServerStopping)
        await asyncio.sleep(5)
        assert not call.task.done()
        connection.stop_actor("a1")
        await connection.stopped("a1")
        await call.task
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")


@virtual_time
@pytest.mark.parametrize("returns", [True, False])
async def test_the_runner_waits_for_the_engine_when_it_crashes(returns: bool) -> None:
    async with started() as (engine, call, connection, _):
        connection.start_actor("a1")
        await connection.running("a1")
        before = asyncio.get_running_loop().time()
        call.disconnect()
        connection.abort()
        if returns:
            again = await engine.accept()
            await asyncio.sleep(30)
            await again.init("r1")
            await again.stopped("a1")
            await again.receive(ToServerStopping)
        else:
            await engine.stop()
        await call.task
        took = asyncio.get_running_loop().time() - before
        assert took == pytest.approx(32 if returns else 60, abs=2)


@virtual_time
async def test_pings_go_on_and_the_stream_ends_when_the_server_stops() -> None:
    async with started() as (engine, call, connection, app):
        connection.start_actor("a1")
        await connection.running("a1")
        draining = asyncio.create_task(app.drain())
        await connection.receive(ToServerStopping)
        before = len(call.sent)
        await asyncio.sleep(2.5)
        assert len(call.sent) == before + 2
        assert (await get(app, "/health"))[0] == 503
        assert (await get(app, "/start", start_headers(engine.endpoint)))[0] == 503
        connection.stop_actor("a1")
        await draining
        await asyncio.sleep(0.01)
        assert call.finished


@virtual_time
async def test_the_stream_ends_when_the_engine_evicts_the_runner() -> None:
    async with started() as (_, call, connection, _):
        await connection.close(1000, "ws.eviction#ray")
        await call.task
        assert call.finished


@virtual_time
async def test_the_runner_goes_down_at_once_when_the_request_is_cancelled() -> None:
    async with started() as (_, call, connection, app):
        connection.start_actor("a1")
        await connection.running("a1")
        before = asyncio.get_running_loop().time()
        call.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call.task
        assert asyncio.get_running_loop().time() - before < 3
        assert app.runners == ()
        call.task = asyncio.create_task(asyncio.sleep(0))


@virtual_time
async def test_the_runner_drains_when_the_stream_cannot_be_written() -> None:
    async with started() as (_, call, connection, _):
        call.broken = True
        await connection.receive(ToServerStopping)
        await call.task


@virtual_time
async def test_503_when_the_engine_cannot_be_reached() -> None:
    before = asyncio.get_running_loop().time()
    status, error = await get(serverless_app(Runner), "/start", start_headers("http://127.0.0.1:9"))
    assert (status, error["code"]) == (503, "engine_unreachable")
    assert asyncio.get_running_loop().time() - before == pytest.approx(30, abs=1)


@virtual_time
async def test_502_when_the_engine_rejects_the_runner() -> None:
    async with ScriptedEngine() as engine:
        call = Call(serverless_app(Runner), "/start", start_headers(engine.endpoint))
        await (await engine.accept()).close(1011, "namespace.not_found#ray")
        assert (await call.answered())["code"] == "engine_rejected"
        assert call.status == 502


@virtual_time
async def test_the_start_is_given_up_when_the_engine_closes_the_request_or_the_server_stops() -> None:
    async with ScriptedEngine() as engine:
        for end in ("disconnect", "drain"):
            app = serverless_app(Runner)
            call = Call(app, "/start", start_headers(engine.endpoint))
            connection = await engine.accept()
            if end == "disconnect":
                call.disconnect()
            else:
                await app.drain()
                assert call.status == 503
            await call.task
            await connection.closed()
            assert app.runners == ()


@virtual_time
async def test_the_configured_token_is_for_the_configured_engine_alone_when_the_request_has_none() -> None:
    async with ScriptedEngine() as engine, ScriptedEngine() as other:
        listed = [engine.endpoint, other.endpoint]
        app = serverless_app(Runner, endpoint=engine.endpoint, token="mine", allowed_endpoints=listed)
        calls = [Call(app, "/start", start_headers(url, token=None)) for url in listed]
        assert (await engine.accept()).subprotocols == ["rivet", "rivet_token.mine"]
        assert (await other.accept()).subprotocols == ["rivet"]
        await app.drain(immediate=True)
        await asyncio.gather(*(call.task for call in calls))


# Actors that the engine takes away


@virtual_time
@pytest.mark.parametrize("deleted", [False, True])
async def test_hibernating_clients_are_closed_only_when_the_actor_is_deleted(deleted: bool) -> None:
    async with started() as (engine, _, connection, _):
        connection.start_actor("a1")
        await connection.running("a1")
        socket = connection.open_websocket("a1")
        await socket.opened()
        engine.kv.answering = not deleted
        connection.stop_actor("a1")
        if deleted:
            connection.answer_kv(await connection.receive(ToServerKvRequest), KvErrorResponse("actor does not exist"))
            engine.kv.answering = True
            assert await socket.receive() == ToServerWebSocketClose(1001, "actor.stopped", False)
        await connection.stopped("a1")
        await asyncio.sleep(1)
        closes = [reply for reply in socket.replies if isinstance(reply.message_kind, ToServerWebSocketClose)]
        assert len(closes) == deleted
