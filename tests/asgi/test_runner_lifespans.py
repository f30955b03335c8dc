"""When `AsgiRunner` starts an application up and shuts it down: once a process, or with each actor."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any, cast

import pytest

from rivet_runner import Actor, RunnerShutDown
from rivet_runner._asgi_types import AsgiApp
from rivet_runner.asgi import AsgiRunner, LifespanFailed
from rivet_runner.testing import SimulatedEngine
from tests.asgi.support import LifespanApp, OneEach, hosted, text
from tests.simulated.rooms import virtual


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
