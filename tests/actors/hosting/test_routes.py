"""HTTP routes and raw WebSockets of a typed actor."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from rivet_runner import Request, Response, WebSocket
from rivet_runner.actors import DurableActor, UserError, action
from rivet_runner.actors._wire.encodings import Encoding, codec
from tests.actors.hosting.scene import connected, failure, hosted, value

encodings = pytest.mark.parametrize("encoding", list(Encoding))


class State(msgspec.Struct):
    requests: int = 0


class Site(DurableActor[State]):
    errors: list[str]

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        if params == "banned":
            raise UserError("you are banned", code="banned")
        if params == "odd":
            return 7  # type: ignore[return-value]
        return None

    async def on_request(self, request: Request) -> Response:
        self.state.requests += 1
        if request.path == "/broken":
            raise RuntimeError("secret")
        if request.path == "/refused":
            raise UserError("no", code="no")
        if request.path == "/odd":
            return "text"  # type: ignore[return-value]
        return Response(f"{request.method} {request.path} {request.query_string} {request.text()}", status=201)

    async def on_websocket(self, ws: WebSocket) -> None:
        if ws.path.endswith("/broken"):
            raise RuntimeError("secret")
        if ws.path.endswith("/refused"):
            raise UserError("no", code="no")
        async for message in ws:
            await ws.send(f"{ws.path}: {message!r}")

    @action
    async def echo(self, given: Any) -> Any:
        return given

    @action
    async def requests(self) -> int:
        return self.state.requests


@encodings
async def test_an_action_answers_in_the_encoding_of_its_call(encoding: Encoding) -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        wire = codec(encoding)
        headers = {"x-rivet-encoding": encoding.value}
        answer = await actor.request("POST", "/action/echo", headers, wire.encode_action_request([{"a": [1, None]}]))
        assert answer.status == 200
        assert answer.headers["content-type"] == wire.content_type
        assert wire.decode_action_response(answer.body) == {"a": [1, None]}
        failed = await actor.request("POST", "/action/echo", headers, wire.encode_action_request([]))
        assert failed.status == 400
        error = wire.decode_error(failed.body)
        assert (error.group, error.code) == ("actor", "validation_error")
        assert error.actor is not None
        assert error.actor.actor_id == actor.id


async def test_the_answer_has_the_version_of_the_call() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        wire = codec(Encoding.BARE)
        body = b"\x02\x00" + wire.encode_action_request([1])[2:]
        answer = await actor.request("POST", "/action/echo", {"x-rivet-encoding": "bare"}, body)
        assert (answer.status, answer.body[:2]) == (200, b"\x02\x00")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/action/echo", 405, "actor.method_not_allowed"),
        ("POST", "/action/", 404, "actor.not_found"),
        ("POST", "/action/a/b", 404, "actor.not_found"),
        ("POST", "/action/%ff", 400, "actor.invalid_request"),
        ("POST", "/queue/jobs", 400, "queue.unsupported"),
        ("POST", "/health", 405, "actor.method_not_allowed"),
        ("GET", "/nothing", 404, "actor.not_found"),
        ("GET", "/requests", 404, "actor.not_found"),
        ("GET", "/request/broken", 500, "core.internal_error"),
        ("GET", "/request/odd", 500, "core.internal_error"),
        ("GET", "/request/refused", 400, "user.no"),
    ],
)
async def test_a_request_that_fails_tells_why(method: str, path: str, status: int, code: str) -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        answer = await actor.request(method, path)
        told = json.loads(answer.body)
        assert (answer.status, f"{told['group']}.{told['code']}") == (status, code)
        assert "secret" not in answer.text()


async def test_clients_can_ask_whether_an_actor_is_there() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        assert (await actor.request("GET", "/health")).text() == "ok"
        assert (await actor.request("GET", "/metadata")).status == 200
        assert (await actor.request("GET", "/")).status == 200


@pytest.mark.parametrize(
    ("path", "seen"), [("/request", "/ "), ("/request/", "/ "), ("/request?a=1", "/ a=1"), ("/request/x/y?a", "/x/y a")]
)
async def test_a_raw_request_comes_without_its_prefix(path: str, seen: str) -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        answer = await actor.request("PUT", path, body=b"body")
        assert (answer.status, answer.text()) == (201, f"PUT {seen} body")
        await actor.sleep()
        assert await value(actor, "requests") == 1


async def test_a_guard_stands_before_actions_requests_and_raw_websockets() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        assert await failure(actor, "echo", 1, params="banned") == (400, "user.banned")
        assert await failure(actor, "echo", 1, params="odd") == (500, "core.internal_error")
        banned = {"x-rivet-conn-params": '"banned"'}
        assert (await actor.request("GET", "/request/", banned)).status == 400
        protocols = {"sec-websocket-protocol": "rivet, rivet_conn_params.%22banned%22"}
        async with actor.websocket("/websocket/", protocols) as ws:
            assert await ws.wait_closed() == (1011, "user.banned")
        assert await value(actor, "requests") == 0


async def test_parameters_have_a_limit() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        assert await failure(actor, "echo", 1, params="x" * 5000) == (400, "actor.invalid_request")
        answer = await actor.request("POST", "/action/echo", {"x-rivet-conn-params": "{"}, b'{"args":[1]}')
        assert answer.status == 400
        protocols = {"sec-websocket-protocol": "rivet, rivet_conn_params." + "x" * 5000}
        async with actor.websocket("/connect", protocols) as ws:
            assert await ws.wait_closed() == (1011, "actor.invalid_request")


async def test_a_raw_websocket_is_the_actors_own_business() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        async with actor.websocket("/websocket/x") as ws:
            await ws.send("a")
            assert await ws.recv() == "/websocket/x: 'a'"
            await ws.send(b"b")
            assert await ws.recv() == "/websocket/x: b'b'"


@pytest.mark.parametrize(
    ("path", "closed"),
    [
        ("/websocket/broken", (1011, "core.internal_error")),
        ("/websocket/refused", (1011, "user.no")),
        ("/nothing", (1011, "actor.not_found")),
    ],
)
async def test_a_raw_websocket_that_fails_is_closed(path: str, closed: tuple[int, str]) -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        async with actor.websocket(path) as ws:
            assert await ws.wait_closed() == closed


async def test_an_actor_without_raw_hooks_refuses() -> None:
    class Plain(DurableActor[None]):
        pass

    async with hosted(Plain) as engine:
        actor = await engine.create("plain")
        assert (await actor.request("GET", "/request/")).status == 404
        async with actor.websocket("/websocket/") as ws:
            assert (await ws.wait_closed())[0] == 1011


async def test_a_raw_websocket_keeps_the_actor_awake() -> None:
    class Brief(Site):
        sleep_after = 5.0

    async with hosted(Brief) as engine:
        actor = await engine.create("brief")
        async with actor.websocket("/websocket/"):
            await asyncio.sleep(60)
            assert actor.status == "running"
        await asyncio.sleep(10)
        assert actor.status == "sleeping"


async def test_a_client_and_a_request_have_the_same_guard() -> None:
    async with hosted(Site) as engine:
        actor = await engine.create("site")
        async with connected(actor) as client:
            assert await client.call("echo", [1]) == [1]
