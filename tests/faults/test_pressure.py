"""More than the way to the engine can carry: senders wait or are refused, and nothing is lost."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, PayloadTooLarge, Request, Response, WebSocket
from tests.faults.work import PLAIN, at_work, one_line_each
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

MIB = 2**20


@virtual_time
async def test_senders_wait_and_nothing_is_lost_when_the_engine_does_not_read(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(max_buffered=2 * MIB) as work:
        work.connection.stall()
        plain = work.runner.sockets[PLAIN]
        messages = [b"%d" % number + bytes(MIB) for number in range(14)]
        sends = [asyncio.create_task(plain.send(message)) for message in messages]
        await settle()
        waiting = sum(not send.done() for send in sends)
        assert 4 <= waiting <= 12, "some are on their way, some are buffered, and the others wait"
        work.plain.send("inwards")
        work.runner.answer.set()
        background = work.actor.spawn(asyncio.sleep(1))
        await asyncio.sleep(10)
        assert work.runner.received[PLAIN][-1] == "inwards", "the engine's messages arrive"
        assert background.done()
        assert sum(not send.done() for send in sends) == waiting
        work.connection.resume()
        resumed = work.current.now
        assert [await work.plain.receive() for _ in messages] == messages
        assert all(send.done() for send in sends)
        assert (await work.request.response()).status == 200
        await work.actor.kv.put(b"after", b"1")
        assert work.current.now - resumed < 1
        assert work.runner.called("on_disconnected") == []
        assert one_line_each(caplog) == []


@virtual_time
async def test_senders_wait_in_order_when_the_outbox_is_full(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(max_buffered=10_000) as work:
        work.connection.abort()
        await settle()
        plain = work.runner.sockets[PLAIN]
        sends = [asyncio.create_task(plain.send(str(number) * 1000)) for number in range(10, 40)]
        await settle()
        waiting = [send for send in sends if not send.done()]
        assert waiting == sends[5:], "the buffer holds five messages of 2,000 bytes"
        cancelled, kept = sends[20], sends[:20] + sends[21:]
        cancelled.cancel()
        call = asyncio.create_task(work.actor.kv.put(b"during", b"1"))
        second = await work.current.reconnected(last_event_idx=0)
        work.connection = work.plain.connection = second
        await asyncio.wait_for(asyncio.gather(*kept, call), 1)
        sent = [str(number) * 1000 for number in range(10, 40) if number != 30]
        assert [await work.plain.receive() for _ in sent] == sent
        assert cancelled.cancelled()
        assert len(one_line_each(caplog)) == 1, "the cut alone"


@pytest.mark.slow
@virtual_time
async def test_a_giant_message_is_refused_before_it_is_sent_and_a_clients_arrives(caplog: pytest.LogCaptureFixture) -> None:
    received: list[int] = []
    sockets: list[WebSocket] = []

    async def websocket(_: Actor, ws: WebSocket) -> None:
        sockets.append(ws)
        received.extend([len(message) async for message in ws])

    async def fetch(_: Actor, request: Request) -> Response:
        return Response(bytes(20 * MIB + int(request.path[1:])))

    async with started({"websocket": websocket, "fetch": fetch}) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket()
        await client.opened()
        with pytest.raises(PayloadTooLarge, match="20971521 bytes is over max_payload, which is 20971520"):
            await sockets[0].send(bytes(20 * MIB + 1))
        await sockets[0].send(bytes(20 * MIB))
        message = await client.receive()
        assert isinstance(message, bytes)
        assert len(message) == 20 * MIB
        assert len((await connection.request(path="/0").response()).body or b"") == 20 * MIB
        refused = await connection.request(path="/1").response()
        assert (refused.status, refused.body) == (500, b"the response is too large")
        current.expect_error("has 20971521 bytes, over max_payload (20971520)")
        client.send(bytes(32 * MIB))
        client.send("after")
        client.close()
        await settle()
        assert received == [32 * MIB, 5]
        assert current.runner.called("on_disconnected", "on_actor_stop") == []
        assert len(one_line_each(caplog)) == 1, "the response"
