"""Clients of the simulated engine: their WebSockets, which may outlive an actor's sleep, and their requests."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from rivet_runner import Actor, Request, Response, WebSocket, WebSocketClosed
from rivet_runner.protocol.v3 import CommandStartActor, ToClientCommands
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room, virtual


def now() -> float:
    return asyncio.get_running_loop().time()


def listed_requests(engine: SimulatedEngine) -> list[int]:
    """How many hibernating requests each start command named."""
    return [
        len(wrapper.inner.hibernating_requests)
        for entry in engine.trace
        if isinstance(message := entry.message, ToClientCommands)
        for wrapper in message.items
        if isinstance(wrapper.inner, CommandStartActor)
    ]


class TestWebSockets:
    @virtual
    async def test_client_gets_the_close_of_the_actor_and_the_actor_that_of_the_client(self) -> None:
        async def serve(actor: Actor, ws: WebSocket) -> None:
            async for message in ws:
                if message == "bye":
                    await ws.close(4001, "as you wish")

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, serve=serve) as runner:
            actor = await engine.create("room")
            async with actor.websocket("/") as ws:
                await ws.send("bye")
                assert await ws.wait_closed() == (4001, "as you wish")
                with pytest.raises(WebSocketClosed):
                    await ws.send("more")
            ws = await actor.websocket("/")
            await engine.advance(1)
            await ws.close(4002, "leaving")
            await engine.advance(1)
            gone = await actor.websocket("/")
            await engine.advance(1)
            gone.abort()
            await engine.advance(1)
            assert runner.closes[1:] == [(4002, "leaving"), (1011, "ws.downstream_closed")]

    @virtual
    async def test_plain_socket_is_closed_and_a_hibernatable_one_stays_when_the_actor_sleeps(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
            actor = await engine.create("room")
            async with actor.websocket("/plain") as plain, actor.websocket("/room") as room:
                for ws in (plain, room):
                    await ws.send("one")
                    assert await ws.recv() == "one"
                await engine.advance(1)
                await actor.sleep()
                assert await plain.wait_closed() == (1000, "actor.stopped")
                await engine.advance(hours=5)
                assert (actor.status, room.close_code) == ("sleeping", None)
                await room.send(b"two")
                assert await room.recv() == b"two"
                assert ("restored", 1) in runner.calls

    @virtual
    async def test_hibernating_socket_outlives_its_runner_when_another_one_comes_later(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine:
            async with engine.host(Room):
                actor = await engine.create("room")
                ws = await actor.websocket("/room")
                await ws.send("one")
                assert await ws.recv() == "one"
                await engine.advance(1)
            await engine.advance(minutes=10)
            assert (actor.status, ws.close_code) == ("sleeping", None)
            async with engine.host(Room) as runner:
                await ws.send("two")
                assert await ws.recv() == "two"
                assert runner.calls == [("start", 1), ("restored", 1)]

    @pytest.mark.only_protocol(3)
    @virtual
    async def test_socket_may_be_missing_from_the_list_when_the_actor_sleeps_right_after_the_open(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
            actor = await engine.create("room")
            async with actor.websocket("/room") as ws:
                await ws.send("one")
                assert await ws.recv() == "one"
                await actor.sleep()
                await actor.wake()
                await engine.advance(1)
                await actor.sleep()
                await actor.wake()
                early, late = listed_requests(engine)[1:]
                assert early in (0, 1), "it depends on the jitter of the keepalive"
                assert late == 1

    @pytest.mark.only_protocol(3)
    @virtual
    async def test_closing_client_wakes_the_actor_with_a_list_that_lacks_it(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
            actor = await engine.create("room")
            ws = await actor.websocket("/room")
            await ws.send("one")
            assert await ws.recv() == "one"
            await engine.advance(1)
            await actor.sleep()
            await ws.close(4000, "gone")
            await engine.advance(1)
            assert (actor.generation, actor.status) == (1, "running")
            assert listed_requests(engine) == [0, 0]
            assert any("ToClientWebSocketClose(code=4000" in str(entry) for entry in engine.trace)

    @virtual
    async def test_client_is_closed_when_its_messages_are_not_acknowledged(self) -> None:
        async def deaf(actor: Actor, ws: WebSocket) -> None:
            async for _ in ws:
                await asyncio.sleep(3600)

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, serve=deaf):
            actor = await engine.create("room")
            async with actor.websocket("/room") as ws:
                await ws.send("one")
                began = now()
                code, reason = await ws.wait_closed()
                assert (code, reason.partition("#")[0]) == (1011, "guard.websocket_garbage_collected")
                assert 30 <= now() - began <= 45

    @virtual
    async def test_open_is_tried_eight_times_when_nobody_answers_it(self) -> None:
        settings = {"gateway_websocket_open_timeout_ms": 1500}
        async with SimulatedEngine(clock="virtual", settings=settings) as engine, engine.host(Room) as runner:
            actor = await engine.create("room")
            await actor.wake()
            engine.partition(runner)
            ws = await actor.websocket("/")
            began = now()
            code, reason = await ws.wait_closed()
            assert (code, reason.partition("#")[0]) == (1011, "guard.websocket_open_timeout")
            assert now() - began == pytest.approx(8 * 1.5 + 19.05, abs=0.01)
            engine.heal()
            await engine.advance(60)


class TestRequests:
    @virtual
    async def test_request_waits_while_the_actor_starts_and_is_refused_after_thirty_seconds(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine:
            actor = await engine.create("room", crash_policy="restart")
            began = now()
            answer = await actor.request("GET", "/")
            assert (answer.status, answer.json()["code"]) == (503, "actor_ready_timeout")
            assert now() - began == pytest.approx(30, abs=0.01)

    @virtual
    async def test_request_is_tried_seven_times_when_the_answer_asks_for_it(self) -> None:
        asked: list[float] = []

        async def fetch(actor: Actor, request: Request) -> Response:
            asked.append(now())
            return Response("later", 503, {"x-rivet-error": "guard.service_unavailable"})

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, fetch=fetch):
            actor = await engine.create("room")
            await actor.wake()
            began = now()
            answer = await actor.request("POST", "/", body=b"again")
            assert answer.status == 502
            assert answer.json()["metadata"] == {
                "attempts": 7,
                "last_error_code": "service_unavailable",
                "last_status": 503,
                "last_target_kind": "custom_serve",
            }
            assert now() - began == pytest.approx(19.05, abs=0.01)
            pauses = [round(later - earlier, 2) for earlier, later in itertools.pairwise(asked)]
            assert pauses == [0.15, 0.3, 0.6, 1.2, 2.4, 4.8]

    @pytest.mark.parametrize(
        ("status", "error"), [(500, "guard.service_unavailable"), (503, "actor.service_unavailable"), (503, "x")]
    )
    def test_other_answers_are_the_clients(self, status: int, error: str) -> None:
        async def fetch(actor: Actor, request: Request) -> Response:
            return Response("no", status, {"x-rivet-error": error})

        @virtual
        async def run() -> None:
            async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, fetch=fetch):
                actor = await engine.create("room")
                assert (await actor.request("GET", "/")).status == status

        run()

    @virtual
    async def test_large_upload_is_refused_and_options_is_answered_by_the_gateway(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
            actor = await engine.create("room")
            await actor.wake()
            assert (await actor.request("POST", "/", body=bytes(20 * 1024 * 1024 + 1))).status == 413
            answer = await actor.request("OPTIONS", "/", {"Access-Control-Request-Headers": "x-a"})
            assert (answer.status, answer.headers["access-control-allow-headers"]) == (204, "x-a")
            assert runner.calls == [("start", 0)]

    @virtual
    async def test_waiting_request_is_refused_when_its_actor_is_destroyed(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine:
            actor = await engine.create("room", crash_policy="restart")
            asking = asyncio.create_task(actor.request("GET", "/"))
            await asyncio.sleep(1)
            await actor.destroy()
            answer = await asking
            assert (answer.status, answer.json()["code"]) == (400, "destroyed_while_waiting_for_ready")
