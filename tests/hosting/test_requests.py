"""HTTP exchanges: each request gets exactly one answer, whatever becomes of its hook, its actor or its client."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.protocol.v3 import (
    MessageId,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToServerResponseStart,
    ToServerTunnelMessage,
)
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.support.scene import HookedRunner, hang, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

MAX_REQUESTS = 4096
"""Requests of one actor that may wait for an answer."""

MAX_HEADER_BYTES = 256 * 1024


def answers(connection: RunnerConnection) -> list[tuple[int, bytes | None]]:
    """Status and body of each answer that the engine has got."""
    kinds = [message.message_kind for message in connection.messages(ToServerTunnelMessage)]
    return [(kind.status, kind.body) for kind in kinds if isinstance(kind, ToServerResponseStart)]


@virtual_time
async def test_the_client_gets_a_500_without_details_when_fetch_raises() -> None:
    async def fail(*_: object) -> None:
        raise LookupError("secret")

    async with started({"fetch": fail}) as (current, connection):
        await current.actor(connection)
        response = await connection.request(path="/here").response()
        assert (response.status, response.body) == (500, b"internal error")
        current.expect_error("fetch raised on GET /here")


@virtual_time
async def test_the_client_gets_a_500_when_fetch_returns_no_response() -> None:
    class Forgetful(HookedRunner):
        async def fetch(self, actor: Actor, request: Request) -> Response:
            return None  # type: ignore[return-value]

    async with scene(kind=Forgetful) as current:
        connection = await current.start()
        await current.actor(connection)
        response = await connection.request(method="POST", path="/here").response()
        assert (response.status, response.body) == (500, b"internal error")
        current.expect_error("fetch returned NoneType for POST /here and must return a Response")


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 500)])
@virtual_time
async def test_the_client_gets_a_500_when_a_body_is_over_max_payload(size: int, status: int) -> None:
    async def fetch(*_: object) -> Response:
        return Response(b"b" * size)

    async with started({"fetch": fetch}, max_payload=1000) as (current, connection):
        await current.actor(connection)
        response = await connection.request().response()
        assert response.status == status
        if status == 500:
            assert response.body == b"the response is too large"
            current.expect_error("has 1001 bytes, over max_payload (1000)")


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 500)])
@virtual_time
async def test_the_client_gets_a_500_when_the_headers_are_too_large(more: int, status: int) -> None:
    async def fetch(*_: object) -> Response:
        return Response(headers={"x": "v" * (MAX_HEADER_BYTES - len("x") + more)})

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        response = await connection.request(path="/here").response()
        assert response.status == status
        if status == 500:
            assert response.body == b"internal error"
            assert "x" not in response.headers
            current.expect_error("the response to GET /here cannot be sent (the headers have 262145 characters")


@virtual_time
async def test_the_client_gets_a_500_when_a_header_was_spoilt_after_the_response_was_made() -> None:
    async def fetch(*_: object) -> Response:
        response = Response("ok")
        response.headers["x"] = "one\r\ntwo: injected"
        return response

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        response = await connection.request().response()
        assert (response.status, response.body) == (500, b"internal error")
        current.expect_error("cannot be sent")


@virtual_time
async def test_requests_wait_in_order_when_the_actor_is_starting() -> None:
    ready = asyncio.Event()

    async def start(_: Actor) -> None:
        await ready.wait()

    async with started({"on_actor_start": start}) as (current, connection):
        connection.start_actor("a1")
        exchanges = [connection.request(path=f"/{number}") for number in range(3)]
        await settle()
        assert current.runner.called("fetch") == []
        ready.set()
        assert [(await exchange.response()).status for exchange in exchanges] == [200, 200, 200]
        assert current.runner.called("fetch") == [("a1", "/0"), ("a1", "/1"), ("a1", "/2")]


@virtual_time
async def test_a_request_that_waits_gets_a_503_when_the_start_fails() -> None:
    async def start(_: Actor) -> None:
        await asyncio.sleep(1)
        raise LookupError("no")

    async with started({"on_actor_start": start}) as (current, connection):
        connection.start_actor("a1")
        exchange = connection.request()
        response = await exchange.response()
        assert (response.status, response.body) == (503, b"the actor failed to start")
        assert current.runner.called("fetch") == []
        current.expect_error("on_actor_start raised")


@virtual_time
async def test_a_request_gets_a_503_when_its_actor_is_not_here() -> None:
    async with started() as (_, connection):
        response = await connection.request("elsewhere").response()
        assert (response.status, response.body) == (503, b"the actor is not on this runner")


@virtual_time
async def test_a_request_is_left_to_the_next_generation_when_the_actor_is_going_to_sleep() -> None:
    async with started({"on_actor_stop": lambda _: asyncio.sleep(5)}) as (current, connection):
        actor = await current.actor(connection)
        actor.sleep()
        connection.stop_actor("a1")
        await settle()
        connection.request()
        await connection.stopped("a1")
        await settle()
        assert current.runner.called("fetch") == []
        assert answers(connection) == []


@virtual_time
async def test_a_request_gets_a_503_when_its_actor_is_being_destroyed() -> None:
    async with started({"on_actor_stop": lambda _: asyncio.sleep(5)}) as (current, connection):
        actor = await current.actor(connection)
        actor.destroy()
        connection.stop_actor("a1")
        await settle()
        response = await connection.request().response()
        assert (response.status, response.body) == (503, b"the actor is not on this runner")
        await connection.stopped("a1")


@virtual_time
async def test_a_request_gets_a_503_before_the_stop_is_reported_when_it_takes_too_long() -> None:
    async with started({"fetch": hang}, actor_stop_timeout=10) as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await settle()
        began = current.now
        connection.stop_actor("a1")
        response = await exchange.response(timeout=30)
        assert (response.status, response.body) == (503, b"the actor stopped before it had answered")
        assert current.now - began == pytest.approx(10, abs=0.1)
        await connection.stopped("a1")
        reports = [
            type(message)
            for _, message in connection.received
            if isinstance(message, ToServerTunnelMessage | connection.codec.ToServerEvents)
        ]
        assert reports[-2:] == [ToServerTunnelMessage, connection.codec.ToServerEvents]


@virtual_time
async def test_nothing_is_answered_when_the_engine_has_forgotten_the_runner() -> None:
    async with started({"fetch": hang}) as (current, connection):
        await current.actor(connection)
        connection.request()
        await settle()
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(60)
        assert answers(second) == []
        current.errors[:] = [error for error in current.errors if "it had accepted this runner before" not in error]


@virtual_time
async def test_the_hook_is_cancelled_and_the_actor_goes_on_when_a_client_aborts() -> None:
    cancelled = asyncio.Event()

    async def fetch(_: Actor, request: Request) -> None:
        if request.path == "/slow":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        slow = connection.request(path="/slow")
        await settle()
        slow.abort()
        await asyncio.wait_for(cancelled.wait(), 1)
        assert (await connection.request(path="/fast").response()).status == 200
        slow.abort()  # there is nothing left to abort
        assert (await connection.request(path="/fast").response()).status == 200


@virtual_time
async def test_the_hook_runs_once_when_the_gateway_repeats_a_request() -> None:
    go_on = asyncio.Event()

    async def fetch(*_: object) -> None:
        await go_on.wait()

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        exchange = connection.request(path="/once")
        await settle()
        repeated = ToClientRequestStart("a1", "GET", "/once", {}, None, False)
        connection.send(ToClientTunnelMessage(MessageId(exchange.gateway_id, exchange.request_id, 0), repeated))
        await settle()
        go_on.set()
        await exchange.response()
        await settle()
        assert current.runner.called("fetch") == [("a1", "/once")]
        assert answers(connection) == [(200, b"ok")]


@pytest.mark.slow
@virtual_time
async def test_further_requests_get_a_503_when_too_many_wait_for_an_answer() -> None:
    go_on = asyncio.Event()

    async def fetch(*_: object) -> None:
        await go_on.wait()

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        waiting = [connection.request() for _ in range(MAX_REQUESTS)]
        for _ in range(2):
            response = await connection.request().response()
            assert (response.status, response.body) == (503, b"too many requests are waiting for this actor")
        # Another actor has a bound of its own.
        await current.actor(connection, "a2")
        other = connection.request("a2")
        go_on.set()
        assert (await other.response()).status == 200
        assert [(await exchange.response()).status for exchange in waiting] == [200] * MAX_REQUESTS
        assert (await connection.request().response()).status == 200
