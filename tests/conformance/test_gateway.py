"""Requests, WebSockets and hibernation through the gateway, at the level of messages."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import WebSocketClosed
from rivet_runner.protocol.v3 import (
    ActorIntentSleep,
    CommandStartActor,
    CommandStopActor,
    MessageId,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerResponseAbort,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from tests.conformance.bare import BareRunner, bare_runner, eventually
from tests.conformance.benches import Bench, Client


def response(status: int = 200, body: bytes | None = b"ok", **headers: str) -> ToServerResponseStart:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ToServerResponseStart(status, named, body, stream=False)


async def close_of(client: Client) -> tuple[int, str]:
    async with asyncio.timeout(30):
        try:
            while True:
                await client.recv()
        except WebSocketClosed as closed:
            return closed.code, closed.reason.partition("#")[0]


class TestRequests:
    async def test_request_and_answer_pass_through(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "PUT", "/a%20b?q=1&q=2", {"X-Name": "value"}, b"body"))
            message_id, request = await runner.tunnel(ToClientRequestStart)
            assert (request.method, request.path, request.body) == ("PUT", "/a%20b?q=1&q=2", b"body")
            assert (request.actor_id, request.stream, message_id.message_index) == (actor_id, False, 0)
            assert request.headers["x-name"] == "value"
            assert "x-rivet-ray-id" in request.headers
            runner.reply(message_id, response(201, b"made", x_answer="yes"))
            answer = await asking
            assert (answer.status, answer.body, answer.headers["x-answer"]) == (201, b"made", "yes")
            assert answer.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("value", ["true", "1", "false", "0"])
    async def test_request_comes_before_its_actor_is_ready_when_it_does_not_wait(self, bench: Bench, value: str) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await bench.create()
            await runner.command(CommandStartActor, actor_id)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/", {"x-rivet-skip-ready-wait": value}))
            await asyncio.sleep(0.5)
            if value in ("false", "0"):
                assert runner.heard(ToClientTunnelMessage) == []
                runner.running(actor_id)
            message_id, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(message_id, response())
            assert (await asking).status == 200

    async def test_request_is_refused_when_it_does_not_say_whether_it_waits(self, bench: Bench) -> None:
        answer = await bench.request(await bench.create(), "GET", "/", {"x-rivet-skip-ready-wait": "yes"})
        assert (answer.status, answer.json()["code"]) == (400, "invalid_header")
        assert answer.json()["metadata"] == {
            "header": "x-rivet-skip-ready-wait",
            "detail": "expected true, false, 1, or 0",
        }

    async def test_empty_body_is_none(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/"))
            message_id, request = await runner.tunnel(ToClientRequestStart)
            assert request.body is None
            runner.reply(message_id, response(204, None))
            assert (await asking).status == 204

    async def test_only_the_first_piece_of_an_answer_counts(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/"))
            message_id, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(message_id, ToServerResponseStart(200, {}, b"first", stream=True))
            runner.reply(message_id, ToServerResponseChunk(b"second", finish=True))
            runner.reply(message_id, response(500))
            answer = await asking
            assert (answer.status, answer.body) == (200, b"first")

    async def test_aborted_request_is_tried_again_with_the_next_index(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "POST", "/", body=b"again"))
            first, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(first, ToServerResponseAbort())
            second, request = await runner.tunnel(ToClientRequestStart, 1)
            assert (second.request_id, second.message_index) == (first.request_id, 1)
            assert request.body == b"again"
            runner.reply(second, response(503, x_rivet_error="guard.service_unavailable"))
            third, _ = await runner.tunnel(ToClientRequestStart, 2)
            runner.reply(third, response(503, x_rivet_error="other.service_unavailable"))
            assert (await asking).status == 503

    @pytest.mark.parametrize("status", [99, 1000])
    async def test_answer_is_an_internal_error_when_its_status_is_none(self, bench: Bench, status: int) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/"))
            message_id, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(message_id, response(status))
            answer = await asking
            assert (answer.status, answer.json()["code"]) == (500, "internal_error")

    async def test_request_wakes_a_sleeper_and_one_in_flight_moves_to_the_next_generation(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "POST", "/"))
            await runner.tunnel(ToClientRequestStart)
            await put_to_sleep(runner, actor_id)
            await runner.command(CommandStartActor, actor_id, 1)
            runner.running(actor_id, 1)
            message_id, _ = await runner.tunnel(ToClientRequestStart, 1)
            runner.reply(message_id, response())
            assert (await asking).status == 200

    async def test_unknown_actor_is_not_found(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            await bench.destroy(actor_id)
            answer = await bench.request(actor_id, "GET", "/")
            body = answer.json()
            assert (answer.status, body["group"], body["code"]) == (404, "actor", "not_found")

    @pytest.mark.parametrize(("sent", "answered"), [({}, ("*", None)), ({"origin": "http://a"}, ("http://a", "Origin"))])
    async def test_answer_allows_the_origin_of_the_request(
        self, bench: Bench, sent: dict[str, str], answered: tuple[str, str | None]
    ) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/", sent))
            message_id, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(message_id, response())
            headers = (await asking).headers
            assert (headers["access-control-allow-origin"], headers.get("vary")) == answered

    async def test_options_is_answered_by_the_gateway(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            answer = await bench.request(actor_id, "OPTIONS", "/", {"access-control-request-headers": "x-a"})
            assert (answer.status, answer.headers["access-control-allow-headers"]) == (204, "x-a")
            assert answer.headers["access-control-max-age"] == "86400"
            assert runner.heard(ToClientTunnelMessage) == []


async def put_to_sleep(runner: BareRunner, actor_id: str, generation: int = 0) -> None:
    runner.intends(actor_id, ActorIntentSleep(), generation)
    await runner.command(CommandStopActor, actor_id, generation)
    runner.stopped(actor_id, generation)
    await asyncio.sleep(0.3)


async def opened(runner: BareRunner, *, can_hibernate: bool) -> MessageId:
    message_id, _ = await runner.tunnel(ToClientWebSocketOpen)
    runner.reply(message_id, ToServerWebSocketOpen(can_hibernate))
    await asyncio.sleep(0.4)
    return message_id


class TestWebSockets:
    async def test_messages_pass_through_with_indexes_from_one(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/path?q") as client:
                await client.send("early")
                message_id, request = await runner.tunnel(ToClientWebSocketOpen)
                assert (request.path, message_id.message_index) == ("/path?q", 0)
                runner.reply(message_id, ToServerWebSocketMessage(b"lost", binary=False))
                runner.reply(message_id, ToServerWebSocketOpen(can_hibernate=False))
                await client.send(b"\xff")
                first, text = await runner.tunnel(ToClientWebSocketMessage)
                second, binary = await runner.tunnel(ToClientWebSocketMessage, 1)
                assert [(first.message_index, text.data), (second.message_index, binary.data)] == [
                    (1, b"early"),
                    (2, b"\xff"),
                ]
                assert (text.binary, binary.binary) == (False, True)
                runner.reply(message_id, ToServerWebSocketMessage(b"a\xffb", binary=False))
                assert await client.recv() == "a\ufffdb"

    @pytest.mark.parametrize(
        ("said", "seen"),
        [((4001, "bye"), (4001, "bye")), ((None, "bye"), (1000, "ws.closed")), ((1000, None), (1000, ""))],
    )
    async def test_close_of_the_actor_reaches_the_client_and_is_answered(
        self, bench: Bench, said: tuple[int | None, str | None], seen: tuple[int, str]
    ) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                message_id = await opened(runner, can_hibernate=False)
                runner.reply(message_id, ToServerWebSocketClose(*said, hibernate=False))
                assert await close_of(client) == seen
                _, close = await runner.tunnel(ToClientWebSocketClose)
                assert (close.code, close.reason or None) == (1000, None)

    async def test_close_of_the_client_reaches_the_actor(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=False)
                await client.close(4002, "leaving")
                _, close = await runner.tunnel(ToClientWebSocketClose)
                assert (close.code, close.reason) == (4002, "leaving")

    async def test_open_is_tried_again_when_it_is_answered_by_a_close(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                first, _ = await runner.tunnel(ToClientWebSocketOpen)
                runner.reply(first, ToServerWebSocketClose(1000, "no", hibernate=False))
                second, _ = await runner.tunnel(ToClientWebSocketOpen, 1)
                assert (second.request_id, second.message_index) == (first.request_id, 1)
                runner.reply(second, ToServerWebSocketOpen(can_hibernate=False))
                runner.reply(second, ToServerWebSocketMessage(b"open", binary=False))
                assert await client.recv() == "open"

    async def test_plain_socket_is_closed_when_its_actor_stops(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=False)
                await put_to_sleep(runner, actor_id)
                assert await close_of(client) == (1000, "actor.stopped")

    async def test_socket_to_no_actor_is_closed(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            await bench.destroy(actor_id)
            async with bench.websocket(actor_id, "/") as client:
                assert await close_of(client) == (1011, "actor.not_found")


class TestHibernation:
    async def test_message_of_a_client_wakes_the_actor_and_is_sent_without_an_open(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                message_id = await opened(runner, can_hibernate=True)
                await put_to_sleep(runner, actor_id)
                await client.send("wake")
                start = await runner.command(CommandStartActor, actor_id, 1)
                listed = [(entry.gateway_id, entry.request_id) for entry in start.hibernating_requests]
                assert listed == [(message_id.gateway_id, message_id.request_id)]
                runner.running(actor_id, 1)
                again, message = await runner.tunnel(ToClientWebSocketMessage)
                assert (again.message_index, message.data) == (1, b"wake")
                assert len(runner.heard(ToClientTunnelMessage)) == 2, "one open, one message"
                runner.reply(again, ToServerWebSocketMessage(b"awake", binary=False))
                assert await client.recv() == "awake"

    async def test_unacknowledged_messages_come_again_with_their_indexes(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                message_id = await opened(runner, can_hibernate=True)
                for number in range(4):
                    await client.send(f"{number}")
                await runner.tunnel(ToClientWebSocketMessage, 3)
                runner.reply(message_id, ToServerWebSocketMessageAck(2))
                await asyncio.sleep(0.2)
                runner.reply(message_id, ToServerWebSocketClose(None, None, hibernate=True))
                replayed = [await runner.tunnel(ToClientWebSocketMessage, number) for number in (4, 5)]
                assert [(to.message_index, message.data) for to, message in replayed] == [(3, b"2"), (4, b"3")]
                runner.reply(message_id, ToServerWebSocketMessageAck(4))
                runner.reply(message_id, ToServerWebSocketMessage(b"still here", binary=False))
                assert await client.recv() == "still here"

    async def test_actor_is_woken_at_once_when_it_sleeps_with_unacknowledged_messages(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=True)
                await client.send("kept")
                await runner.tunnel(ToClientWebSocketMessage)
                await put_to_sleep(runner, actor_id)
                await runner.command(CommandStartActor, actor_id, 1)
                runner.running(actor_id, 1)
                to, message = await runner.tunnel(ToClientWebSocketMessage, 1)
                assert (to.message_index, message.data) == (1, b"kept")

    async def test_closing_client_wakes_the_actor_which_hears_of_it(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=True)
                await put_to_sleep(runner, actor_id)
                await client.close(4003, "gone")
                start = await runner.command(CommandStartActor, actor_id, 1)
                assert start.hibernating_requests == []
                runner.running(actor_id, 1)
                _, close = await runner.tunnel(ToClientWebSocketClose)
                assert (close.code, close.reason) == (4003, "gone")

    async def test_client_that_closed_while_the_actor_was_awake_is_listed_for_a_while(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=True)
                await client.close()
            await runner.tunnel(ToClientWebSocketClose)
            await put_to_sleep(runner, actor_id)
            asking = asyncio.create_task(bench.request(actor_id, "GET", "/"))
            start = await runner.command(CommandStartActor, actor_id, 1)
            assert len(start.hibernating_requests) == 1
            runner.running(actor_id, 1)
            message_id, _ = await runner.tunnel(ToClientRequestStart)
            runner.reply(message_id, response())
            assert (await asking).status == 200

    async def test_sleeping_sockets_stay_open_when_the_actor_is_asleep(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            async with bench.websocket(actor_id, "/") as client:
                await opened(runner, can_hibernate=True)
                await put_to_sleep(runner, actor_id)
                receiving = asyncio.create_task(client.recv())
                await asyncio.sleep(2)
                assert not receiving.done()
                receiving.cancel()
                await eventually(lambda: receiving.done(), "the cancelled task")
