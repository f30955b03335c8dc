"""`AsgiRunner` on a simulated engine: its options, its lifespans, and what it adds to the hooks."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from rivet_runner import Actor, Request, Response, Runner, RunnerConfig, RunnerShutDown, WebSocket
from rivet_runner._asgi_types import AsgiApp, Receive, Scope, Send
from rivet_runner.asgi import AsgiRunner, LifespanFailed, respond
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing._simulated.handles import SimulatedActorHandle
from tests.asgi.support import LifespanApp, answer, hello, start
from tests.simulated.rooms import virtual


@contextlib.asynccontextmanager
async def hosted(runner: Runner) -> AsyncIterator[tuple[SimulatedEngine, SimulatedActorHandle]]:
    """One actor on ``runner``, which does not run yet."""
    async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
        yield engine, await engine.create("actor", runner_name=runner.config.runner_name)


async def text(actor: SimulatedActorHandle, path: str = "/") -> str:
    response = await actor.request("GET", path)
    assert response.status == 200
    return response.text()


async def path_app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await answer(send, f"{scope['root_path']} {scope['path']} {scope['rivet.actor'].name}".encode())


class OneEach(AsgiRunner):
    """An application for each actor generation. ``apps`` has them in the order in which they were made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.notes: list[str] = []
        self.apps: list[LifespanApp] = []
        self.failure: str | None = None

    def asgi_app(self, actor: Actor) -> AsgiApp:
        app = LifespanApp(f"{actor.key}{actor.generation}", self.notes)
        app.failure = self.failure
        self.apps.append(app)
        return app


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
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
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


class TestProcessLifespan:
    @virtual
    async def test_it_spans_the_runner_and_its_state_reaches_each_request_when_there_is_one(self) -> None:
        app = LifespanApp()
        async with hosted(AsgiRunner(app)) as (engine, actor):
            assert app.notes == ["app startup"]
            assert [await text(actor), await text(actor)] == ["app yes", "app yes"], "each has a copy"
            async with actor.websocket("/") as ws:
                assert await ws.recv() == "yes"
            await engine.advance(1)
            await actor.sleep()
            assert await text(actor) == "app yes"
            assert app.notes == ["app startup", "app websocket.disconnect"]
        assert app.notes == ["app startup", "app websocket.disconnect", "app shutdown"]

    @virtual
    async def test_runners_share_it_when_they_serve_one_application(self) -> None:
        app = LifespanApp()
        async with SimulatedEngine(clock="virtual") as engine:
            async with engine.host(AsgiRunner(app, runner_key="a")):
                async with engine.host(AsgiRunner(app, runner_key="b")):
                    pass
                assert app.notes == ["app startup"]
            assert app.notes == ["app startup", "app shutdown"]

    @virtual
    async def test_runner_does_not_start_when_the_application_fails_to(self) -> None:
        app = LifespanApp()
        app.failure = "no database"
        runner = AsgiRunner(app)
        async with SimulatedEngine(clock="virtual") as engine:
            with pytest.raises(LifespanFailed, match="no database"):
                async with engine.host(runner):
                    pass
            assert engine.connected_runners == 0
        await runner.wait_closed()
        with pytest.raises(RuntimeError, match="closed"):
            await runner.start()
        assert len(asyncio.all_tasks()) == 1

    @virtual
    async def test_application_is_cancelled_when_the_runner_is_shut_down_meanwhile(self) -> None:
        app = LifespanApp()
        app.startup = asyncio.Event()
        runner = AsgiRunner(app)
        async with SimulatedEngine(clock="virtual") as engine:
            starting = asyncio.ensure_future(engine.host(runner).__aenter__())
            await engine.advance(1)
            await runner.shutdown()
            with pytest.raises(RunnerShutDown, match="while its application started up"):
                await starting
        assert app.notes == ["app startup", "app cancelled"]
        assert len(asyncio.all_tasks()) == 1

    @virtual
    async def test_application_is_shut_down_when_the_start_fails_or_is_cancelled(self) -> None:
        app = LifespanApp()
        options: dict[str, Any] = {"endpoint": "http://127.0.0.1:1", "start_timeout": 5}
        with pytest.raises(TimeoutError):
            await AsgiRunner(app, **options).start()
        assert app.notes == ["app startup", "app shutdown"]
        starting = asyncio.ensure_future(AsgiRunner(app, **options).start())
        await asyncio.sleep(1)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
        assert app.notes[2:] == ["app startup", "app shutdown"]

    @virtual
    async def test_application_is_shut_down_when_the_runner_was_shut_down_before_its_start(self) -> None:
        app = LifespanApp()
        runner = AsgiRunner(app)
        await runner.shutdown()
        with pytest.raises(RuntimeError, match="closed"):
            await runner.start()
        assert app.notes == ["app startup", "app shutdown"]
        assert len(asyncio.all_tasks()) == 1

    @virtual
    async def test_runner_goes_down_when_the_application_does_not_shut_down(self) -> None:
        app = LifespanApp()
        app.hangs = True
        async with hosted(AsgiRunner(app)):
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=2)
        assert app.notes == ["app startup", "app cancelled"]

    @virtual
    async def test_application_is_shut_down_when_on_shutdown_is_overridden(self) -> None:
        class Forgetful(AsgiRunner):
            async def on_shutdown(self) -> None:
                await self.shutdown()

        app = LifespanApp()
        async with hosted(Forgetful(app)):
            pass
        await asyncio.sleep(1)
        assert app.notes == ["app startup", "app shutdown"]
        assert len(asyncio.all_tasks()) == 1

    @virtual
    async def test_second_start_is_refused_and_the_application_goes_on_when_the_runner_runs(self) -> None:
        app = LifespanApp()
        runner = AsgiRunner(app)
        async with hosted(runner) as (_, actor):
            with pytest.raises(RuntimeError):
                await runner.start()
            assert await text(actor) == "app yes"


class TestActorLifespans:
    @virtual
    async def test_each_generation_has_its_own_when_asgi_app_is_overridden(self) -> None:
        runner = OneEach()
        async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
            a, b = await engine.create("x", key="a"), await engine.create("x", key="b")
            assert [await text(a), await text(b), await text(a)] == ["a0 yes", "b0 yes", "a0 yes"]
            await a.sleep()
            assert runner.notes == ["a0 startup", "b0 startup", "a0 shutdown"]
            assert await text(a) == "a1 yes"
        assert sorted(runner.notes[3:]) == ["a1 shutdown", "a1 startup", "b0 shutdown"]
        assert len(runner.apps) == 3

    @virtual
    async def test_shutdown_comes_after_the_websockets_and_requests_have_ended(self) -> None:
        runner = OneEach()
        async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
            actor = await engine.create("x", key="a")
            ws = await actor.websocket("/")
            assert await ws.recv() == "yes"
            await actor.sleep()
        assert runner.notes == ["a0 startup", "a0 websocket.disconnect", "a0 shutdown"]

    @virtual
    async def test_actor_crashes_with_the_reason_when_its_application_fails_to_start(self) -> None:
        runner = OneEach()
        runner.failure = "Traceback ...\nOSError: no database"
        async with hosted(runner) as (engine, actor):
            await engine.advance(1)
            assert actor.error == {
                "crashed": {"message": "LifespanFailed: the application failed to start up: OSError: no database"}
            }
            runner.failure = None
            assert await text(actor) == f"{None}{actor.generation} yes"

    @virtual
    async def test_application_starts_with_the_first_request_when_on_actor_start_is_overridden(self) -> None:
        class Forgetful(OneEach):
            async def on_actor_start(self, actor: Actor) -> None:
                actor.state = "ready"

        runner = Forgetful()
        async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
            actor = await engine.create("x", key="a")
            await actor.wake()
            assert runner.notes == []
            assert [*await asyncio.gather(text(actor), text(actor))] == ["a0 yes", "a0 yes"]
            assert runner.notes == ["a0 startup"]
        assert runner.notes == ["a0 startup", "a0 shutdown"]

    @virtual
    async def test_actor_crashes_when_asgi_app_returns_no_application(self) -> None:
        class Wrong(AsgiRunner):
            def asgi_app(self, actor: Actor) -> AsgiApp:
                return cast(AsgiApp, None)

        async with hosted(Wrong()) as (engine, actor):
            await engine.advance(1)
            message = "TypeError: asgi_app must return an ASGI application, not NoneType"
            assert actor.error == {"crashed": {"message": message}}

    @virtual
    async def test_startup_is_cancelled_when_the_actor_takes_too_long_to_start(self) -> None:
        class Slow(OneEach):
            def asgi_app(self, actor: Actor) -> AsgiApp:
                app = LifespanApp("slow", self.notes)
                app.startup = asyncio.Event()
                return app

        runner = Slow(actor_start_timeout=3)
        async with hosted(runner) as (engine, actor):
            await engine.advance(6)
            assert actor.error is not None
            assert runner.notes[:2] == ["slow startup", "slow cancelled"]

    @virtual
    async def test_nothing_keeps_the_application_when_its_actor_has_stopped(self) -> None:
        made: list[weakref.ref[LifespanApp]] = []

        class Forgotten(AsgiRunner):
            def asgi_app(self, actor: Actor) -> AsgiApp:
                app = LifespanApp()
                made.append(weakref.ref(app))
                return app

        async with hosted(Forgotten()) as (_, actor):
            assert await text(actor) == "app yes"
            await actor.sleep()
            gc.collect()
            assert [app() for app in made] == [None]

    @virtual
    async def test_stop_goes_on_when_the_application_does_not_shut_down(self) -> None:
        class Hanging(OneEach):
            def asgi_app(self, actor: Actor) -> AsgiApp:
                app = cast(LifespanApp, super().asgi_app(actor))
                app.hangs = True
                return app

        runner = Hanging()
        async with SimulatedEngine(clock="virtual") as engine, engine.host(runner):
            actor = await engine.create("x", key="a")
            assert await text(actor) == "a0 yes"
            began = asyncio.get_running_loop().time()
            await actor.sleep()
            assert asyncio.get_running_loop().time() - began < 2
            await engine.advance(2)
            assert runner.notes == ["a0 startup", "a0 cancelled"]


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
