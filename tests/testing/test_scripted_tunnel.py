"""The scripted engine itself: key-value requests, HTTP exchanges and WebSockets."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.protocol.v3 import (
    HibernatingRequest,
    KvDeleteRequest,
    KvDropRequest,
    KvErrorResponse,
    KvGetRequest,
    KvGetResponse,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    MessageId,
    ToClientKvResponse,
    ToClientRequestAbort,
    ToClientRequestChunk,
    ToClientRequestStart,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerKvRequest,
    ToServerResponseStart,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from rivet_runner.testing.scripted_engine import ClientWebSocket, ScriptedEngine
from tests.support.bare_client import initialised
from tests.support.virtual_time import virtual_time


@virtual_time
async def test_kv_works_when_the_engine_answers_by_itself() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        keys = [b"a1", b"a2", b"b1", b"b2", b"c"]
        await runner.kv(KvPutRequest(keys, [key.upper() for key in keys]))
        got = await runner.kv(KvGetRequest([b"c", b"missing", b"a1"]))
        assert isinstance(got, KvGetResponse)
        assert ([*got.keys], [*got.values], len(got.metadata)) == ([b"c", b"a1"], [b"C", b"A1"], 2)

        async def listed(request: KvListRequest) -> list[bytes]:
            answer = await runner.kv(request)
            assert isinstance(answer, KvListResponse)
            assert [*answer.values] == [key.upper() for key in answer.keys]
            return [*answer.keys]

        assert await listed(KvListRequest(KvListAllQuery(), None, None)) == keys
        assert await listed(KvListRequest(KvListAllQuery(), True, 2)) == [b"c", b"b2"]
        assert await listed(KvListRequest(KvListPrefixQuery(b"b"), False, None)) == [b"b1", b"b2"]
        assert await listed(KvListRequest(KvListRangeQuery(b"a2", b"b2", True), None, None)) == [b"a2", b"b1"]
        assert await listed(KvListRequest(KvListRangeQuery(b"a2", b"b2", False), True, None)) == [b"b2", b"b1", b"a2"]
        await runner.kv(KvDeleteRequest([b"a1", b"missing"]))
        assert sorted(engine.kv.of("a1")) == keys[1:]
        assert await runner.kv(KvGetRequest([b"c"]), "another") == KvGetResponse([], [], [])
        await runner.kv(KvDropRequest())
        assert engine.kv.of("a1") == {}
        assert len(connection.messages(ToServerKvRequest)) == 10
        with pytest.raises(TimeoutError):
            await connection.receive(timeout=1)


@virtual_time
async def test_kv_is_left_to_the_script_when_it_is_switched_off() -> None:
    async with ScriptedEngine() as engine:
        engine.kv.answering = False
        runner, connection = await initialised(engine)
        await runner.send(ToServerKvRequest("a1", 5, KvPutRequest([b"k"], [b"v"])))
        request = await connection.receive(ToServerKvRequest)
        assert engine.kv.of("a1") == {}
        connection.answer_kv(request, KvErrorResponse("no"))
        assert await runner.receive() == ToClientKvResponse(5, KvErrorResponse("no"))
        connection.answer_kv(request)
        await runner.receive()
        assert engine.kv.of("a1") == {b"k": b"v"}


@virtual_time
async def test_kv_takes_its_time_when_a_delay_is_set() -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedEngine() as engine:
        engine.kv.delay = 7
        runner, _ = await initialised(engine)
        before = loop.time()
        await runner.kv(KvGetRequest([b"k"]))
        assert loop.time() - before == pytest.approx(7)


@virtual_time
async def test_a_response_reaches_its_handle_when_two_requests_are_under_way() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        first = connection.request("a1", "POST", "/one?x=1", headers={"h": "v"}, body=b"body")
        second = connection.request("a1", "PUT", "/two", stream=True)
        second.send_chunk(b"piece", finish=True)
        second.abort()
        started = await runner.tunnelled()
        assert started.message_kind == ToClientRequestStart("a1", "POST", "/one?x=1", {"h": "v"}, b"body", False)
        other = await runner.tunnelled()
        assert other.message_kind == ToClientRequestStart("a1", "PUT", "/two", {}, None, True)
        assert (await runner.tunnelled()).message_kind == ToClientRequestChunk(b"piece", True)
        last = await runner.tunnelled()
        assert last.message_kind == ToClientRequestAbort()
        assert last.message_id == MessageId(second.gateway_id, second.request_id, 2)
        await runner.tunnel(other, ToServerResponseStart(202, {}, None, False))
        await runner.tunnel(started, ToServerResponseStart(201, {"a": "b"}, b"done", False))
        assert (await first.response()).body == b"done"
        assert (await second.response()).status == 202


@virtual_time
async def test_a_response_reaches_its_handle_when_it_comes_on_another_connection() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        exchange = connection.request()
        started = await runner.tunnelled()
        connection.abort()
        later, _ = await initialised(engine)
        await later.tunnel(started, ToServerResponseStart(200, {}, b"late", False))
        assert (await exchange.response()).body == b"late"


@virtual_time
async def test_a_websocket_goes_both_ways_when_it_is_open() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        socket = connection.open_websocket("a1", "/room?id=1", headers={"cookie": "c"})
        opened = await runner.tunnelled()
        assert opened.message_kind == ToClientWebSocketOpen("a1", "/room?id=1", {"cookie": "c"})
        await runner.tunnel(opened, ToServerWebSocketOpen(False))
        assert (await socket.opened()).can_hibernate is False
        assert (socket.send("text"), socket.send(b"bytes")) == (1, 2)
        assert (await runner.tunnelled()).message_kind == ToClientWebSocketMessage(b"text", False)
        assert (await runner.tunnelled()).message_kind == ToClientWebSocketMessage(b"bytes", True)
        for kind in (
            ToServerWebSocketMessage("ü".encode(), False),
            ToServerWebSocketMessage(b"\xff", True),
            ToServerWebSocketClose(1000, "bye", False),
        ):
            await runner.tunnel(opened, kind)
        assert [await socket.receive() for _ in range(3)] == ["ü", b"\xff", ToServerWebSocketClose(1000, "bye", False)]
        socket.close(3000, "gone")
        assert (await runner.tunnelled()).message_kind == ToClientWebSocketClose(3000, "gone")
        assert socket.unacknowledged == {}


@virtual_time
async def test_messages_are_kept_until_acknowledged_when_a_websocket_hibernates() -> None:
    async with ScriptedEngine() as engine:
        runner, connection = await initialised(engine)
        socket = connection.open_websocket()
        opened = await runner.tunnelled()
        await runner.tunnel(opened, ToServerWebSocketOpen(True))
        await socket.opened()
        socket.next_index = 2**16 - 1
        assert [socket.send(text) for text in ("1", "2", "3")] == [65535, 0, 1]
        for _ in range(3):
            await runner.tunnelled()
        await runner.tunnel(opened, ToServerWebSocketMessageAck(0))
        await runner.tunnel(opened, ToServerWebSocketMessage(b"after", False))
        assert await socket.receive() == "after"
        assert socket.acknowledged == [0]
        assert [*socket.unacknowledged] == [1]
        socket.replay()
        again = await runner.tunnelled()
        assert (again.message_id.message_index, again.message_kind) == (1, ToClientWebSocketMessage(b"3", False))
        assert socket.hibernating == HibernatingRequest(opened.message_id.gateway_id, opened.message_id.request_id)
        assert isinstance(socket, ClientWebSocket)
