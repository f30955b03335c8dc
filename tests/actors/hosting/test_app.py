"""`App`: which class an actor gets, and what all actors of a runner share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from rivet_runner import Runner, RunnerShutDown
from rivet_runner.actors import App, DurableActor, action
from rivet_runner.testing import SimulatedEngine
from tests.actors.hosting.scene import hosted, value


class One(DurableActor[None]):
    @action
    async def who(self) -> Any:
        return ["one", self.resources]


class Two(DurableActor[None], name="second"):
    @action
    async def who(self) -> Any:
        return ["two", self.resources]


class Lifespan:
    """Notes when it is entered and left. It can be told to fail."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.enter_error: Exception | None = None
        self.leave_error: Exception | None = None
        self.entering: asyncio.Event | None = None

    @asynccontextmanager
    async def __call__(self, runner: Runner) -> AsyncIterator[str]:
        self.happened.append("enter")
        task = asyncio.current_task()
        if self.entering is not None:
            try:
                await self.entering.wait()
            except asyncio.CancelledError:
                self.happened.append("cancelled")
                raise
        if self.enter_error is not None:
            raise self.enter_error
        try:
            yield f"pool of {runner.config.runner_name}"
        finally:
            assert asyncio.current_task() is task
            self.happened.append("leave")
        if self.leave_error is not None:
            raise self.leave_error


@pytest.fixture
def lifespan() -> Lifespan:
    return Lifespan()


async def test_each_actor_gets_the_class_of_its_name() -> None:
    async with hosted(One, Two) as engine:
        assert await value(await engine.create("one"), "who") == ["one", None]
        assert await value(await engine.create("second"), "who") == ["two", None]


async def test_an_unknown_name_crashes_with_the_names_that_there_are() -> None:
    async with hosted(One, Two) as engine:
        actor = await engine.create("three")
        await asyncio.sleep(1)
        assert actor.status == "crashed"
        assert "no actor named 'three'; it has: one, second" in str(actor.error)


def test_the_engine_learns_the_names() -> None:
    app = App(One, Two, runner_name="pool", prepopulate_actor_names={"one": {"a": 1}})
    runner = app.runner(total_slots=7)
    assert runner.config.prepopulate_actor_names == {"one": {"a": 1}, "second": {}}
    assert (runner.config.runner_name, runner.config.total_slots) == ("pool", 7)
    assert app.runner() is not app.runner()


@pytest.mark.parametrize(
    ("classes", "error", "text"),
    [
        ((), TypeError, "at least one class"),
        ((int,), TypeError, "subclasses of DurableActor"),
        ((DurableActor,), TypeError, "leaves its state open"),
        ((One, One), ValueError, "both named 'one'"),
    ],
)
def test_an_app_that_cannot_work_is_refused(classes: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        App(*classes)


async def test_actors_share_the_resources_of_their_runner(lifespan: Lifespan) -> None:
    async with SimulatedEngine() as engine:
        async with engine.host(App(One, lifespan=lifespan)):
            assert lifespan.happened == ["enter"]
            actor = await engine.create("one")
            assert await value(actor, "who") == ["one", "pool of default"]
        assert lifespan.happened == ["enter", "leave"]


async def test_the_resources_are_left_after_the_last_actor_has_stopped(lifespan: Lifespan) -> None:
    class Last(One):
        async def on_sleep(self) -> None:
            await asyncio.sleep(1)
            lifespan.happened.append("on_sleep")

    async with SimulatedEngine() as engine:
        async with engine.host(App(Last, lifespan=lifespan)):
            await (await engine.create("last")).wake()
        assert lifespan.happened == ["enter", "on_sleep", "leave"]


async def test_a_lifespan_that_fails_fails_the_start(lifespan: Lifespan) -> None:
    lifespan.enter_error = ValueError("no database")
    async with SimulatedEngine() as engine:
        with pytest.raises(ValueError, match="no database"):
            async with engine.host(App(One, lifespan=lifespan)):
                pass
        assert lifespan.happened == ["enter"]


async def test_a_lifespan_that_fails_at_its_end_is_logged(lifespan: Lifespan, caplog: pytest.LogCaptureFixture) -> None:
    lifespan.leave_error = ValueError("the database went first")
    async with SimulatedEngine() as engine, engine.host(App(One, lifespan=lifespan)):
        pass
    assert "the database went first" in caplog.text


async def test_a_start_that_is_cancelled_cancels_the_lifespan(lifespan: Lifespan) -> None:
    lifespan.entering = asyncio.Event()
    runner = App(One, lifespan=lifespan, endpoint="http://127.0.0.1:1").runner()
    start = asyncio.create_task(runner.start())
    await asyncio.sleep(1)
    start.cancel()
    await asyncio.wait([start])
    assert start.cancelled()
    assert lifespan.happened == ["enter", "cancelled"]


async def test_a_shutdown_during_the_start_ends_it(lifespan: Lifespan) -> None:
    lifespan.entering = asyncio.Event()
    runner = App(One, lifespan=lifespan, endpoint="http://127.0.0.1:1").runner()
    start = asyncio.create_task(runner.start())
    await asyncio.sleep(1)
    await runner.shutdown()
    with pytest.raises(RunnerShutDown):
        await start
    assert lifespan.happened == ["enter", "cancelled"]


async def test_a_start_that_fails_leaves_the_lifespan(lifespan: Lifespan) -> None:
    runner = App(One, lifespan=lifespan, endpoint="http://127.0.0.1:1", start_timeout=1.0).runner()
    with pytest.raises(TimeoutError):
        await runner.start()
    assert lifespan.happened == ["enter", "leave"]


async def test_an_app_is_entered_as_one_runner(lifespan: Lifespan) -> None:
    app = App(One, lifespan=lifespan, endpoint="http://127.0.0.1:1", start_timeout=1.0)
    with pytest.raises(TimeoutError):
        async with app:
            pass
    assert lifespan.happened == ["enter", "leave"]
    with pytest.raises(TimeoutError):
        async with app:
            pass
