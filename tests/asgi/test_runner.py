"""`AsgiRunner` on a simulated engine: its options, and what it adds to the hooks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response, Runner, RunnerConfig, WebSocket
from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner.asgi import AsgiRunner, respond
from tests.asgi.support import OneEach, answer, hello, hosted, start, text
from tests.simulated.rooms import virtual


async def path_app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await answer(send, f"{scope['root_path']} {scope['path']} {scope['rivet.actor'].name}".encode())


class TestOptions:
    def test_options_and_a_config_go_to_the_runner_when_they_are_its_own(self) -> None:
        runner = AsgiRunner(hello, RunnerConfig(namespace="one", runner_name="name"), namespace="two", root_path="/x")
        assert (runner.config.runner_name, runner.config.namespace) == ("name", "two")
        assert AsgiRunner(app=hello, runner_name="n").config.runner_name == "n"

    @pytest.mark.parametrize(
        ("arguments", "options", "error"),
        [
            ((), {}, "AsgiRunner needs an ASGI application"),
            ((RunnerConfig(),), {}, "app must be an ASGI application, not RunnerConfig"),
            ((hello,), {"runer_name": "x"}, "runer_name"),
            ((hello,), {"root_path": "api"}, "root_path must begin with a slash"),
            ((hello,), {"root_path": 7}, "root_path must be text"),
            ((hello,), {"response_timeout": 0}, "response_timeout must be more than 0 seconds, not 0"),
            ((hello,), {"response_timeout": float("nan")}, "not nan"),
        ],
    )
    def test_construction_fails_when_an_option_cannot_be_used(
        self, arguments: tuple[Any, ...], options: dict[str, Any], error: str
    ) -> None:
        with pytest.raises((TypeError, ValueError), match=error):
            AsgiRunner(*arguments, **options)

    def test_application_may_be_left_out_when_each_actor_has_its_own(self) -> None:
        assert OneEach(runner_name="x").config.runner_name == "x"

    @pytest.mark.slow
    def test_core_does_not_import_it_when_the_package_is_imported(self) -> None:
        program = (
            "import sys, rivet_runner; rivet_runner.Runner;"
            "print([name for name in sys.modules if name.startswith('rivet_runner') and 'asgi' in name])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
        assert done.stdout.strip() == "[]"


class TestRootPath:
    @virtual
    async def test_it_is_that_of_the_gateway_when_none_is_given(self) -> None:
        async with hosted(AsgiRunner(path_app)) as (_, actor):
            assert await text(actor, "/a?b") == f"/gateway/{actor.id} /gateway/{actor.id}/a actor"

    @virtual
    async def test_it_is_the_text_or_what_the_function_returns_when_one_is_given(self) -> None:
        async with hosted(AsgiRunner(path_app, root_path="/api")) as (_, actor):
            assert await text(actor, "/a") == "/api /api/a actor"

        def by_request(actor: Actor, request: Request) -> str:
            return request.headers.get("x-prefix", "")

        async with hosted(AsgiRunner(path_app, root_path=by_request)) as (_, actor):
            assert await text(actor, "/a") == " /a actor"
            response = await actor.request("GET", "/a", {"x-prefix": "/p"})
            assert response.text() == "/p /p/a actor"

    @virtual
    async def test_client_gets_a_500_or_a_close_when_the_function_raises(self) -> None:
        async with hosted(AsgiRunner(path_app, root_path=lambda *_: "no path")) as (_, actor):
            assert (await actor.request("GET", "/")).status == 500
            async with actor.websocket("/") as ws:
                assert (await ws.wait_closed())[0] == 1011


class TestHooks:
    @virtual
    async def test_application_is_stopped_at_max_payload_when_its_response_is_larger(self) -> None:
        ends: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await send(start())
                try:
                    while True:
                        await send({"type": "http.response.body", "body": b"x" * 100, "more_body": True})
                except OSError as error:
                    ends.append(str(error))

        async with hosted(AsgiRunner(app, max_payload=1000)) as (_, actor):
            assert (await actor.request("GET", "/")).status == 500
            assert ends == ["the response has more than 1000 bytes"]

    @virtual
    async def test_stop_waits_for_background_tasks_when_the_actor_sleeps(self) -> None:
        notes: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                await answer(send, b"ok")
                try:
                    await asyncio.sleep(float(scope["query_string"]))
                    await scope["rivet.actor"].kv.put(b"k", b"done")
                    notes.append("done")
                except asyncio.CancelledError:
                    notes.append("cancelled")
                    raise

        async with hosted(AsgiRunner(app, actor_stop_timeout=10)) as (_, actor):
            assert await text(actor, "/?5") == "ok"
            await actor.sleep()
            assert notes == ["done"]
            assert await actor.kv() == {b"k": b"done"}
            assert await text(actor, "/?60") == "ok"
            await actor.sleep()
            assert notes == ["done", "cancelled"]

    @virtual
    async def test_fetch_of_a_subclass_may_leave_requests_to_the_application(self) -> None:
        class Site(AsgiRunner):
            async def fetch(self, actor: Actor, request: Request) -> Response:
                if request.path == "/own":
                    return Response("own")
                return await super().fetch(actor, request)

        async with hosted(Site(path_app)) as (_, actor):
            assert await text(actor, "/own") == "own"
            assert (await text(actor, "/other")).endswith("/other actor")

    @virtual
    async def test_websocket_does_not_hibernate_unless_can_hibernate_is_overridden(self) -> None:
        seen: list[tuple[bool, bool]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                ws: WebSocket = scope["rivet.websocket"]
                seen.append((ws.hibernatable, ws.restored))
                await receive()
                await send({"type": "websocket.accept"})
                while (message := await receive())["type"] == "websocket.receive":
                    await send({"type": "websocket.send", "text": message["text"]})

        class Rooms(AsgiRunner):
            def can_hibernate(self, actor: Actor, request: Request) -> bool:
                return True

        async with hosted(AsgiRunner(app)) as (engine, actor):
            ws = await actor.websocket("/")
            await engine.advance(1)
            await actor.sleep()
            assert await ws.wait_closed() == (1000, "actor.stopped")
        async with hosted(Rooms(app)) as (engine, actor):
            ws = await actor.websocket("/")
            await engine.advance(1)
            await actor.sleep()
            await engine.advance(60)
            await ws.send("still here")
            assert await ws.recv() == "still here"
        assert seen == [(False, False), (True, False), (True, True)]

    @virtual
    async def test_respond_answers_one_request_when_a_fetch_of_ones_own_calls_it(self) -> None:
        class Site(Runner):
            async def fetch(self, actor: Actor, request: Request) -> Response:
                return await respond(path_app, actor, request, root_path="/x")

        async with hosted(Site()) as (_, actor):
            assert await text(actor, "/y") == "/x /x/y actor"
