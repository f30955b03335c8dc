"""The warning while the event loop is blocked: in real time, since a thread gives it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner._health.heartbeat import Heartbeat
from rivet_runner._health.loop_watch import STOP_SECONDS, LoopWatch
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing.scripted_engine import ScriptedEngine
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


class Blocking(Runner):
    async def fetch(self, actor: Actor, request: Request) -> Response:
        compute_for(float(request.path.strip("/")))
        return Response("done")


def compute_for(seconds: float) -> None:
    time.sleep(seconds)


@contextlib.contextmanager
def watching(seconds: float) -> Iterator[None]:
    heartbeat = Heartbeat(lambda _: None)
    watch = LoopWatch(heartbeat, seconds)
    heartbeat.start()
    watch.start()
    yield
    began = time.monotonic()
    watch.stop()
    heartbeat.stop()
    assert time.monotonic() - began < STOP_SECONDS, "the thread does not end"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for name, level, message in caplog.record_tuples if level == logging.WARNING and "blocked" in message]


async def answer(runner: Runner, engine: ScriptedEngine, path: str) -> None:
    starting = asyncio.create_task(runner.start())
    connection = await engine.accept()
    await connection.init()
    await starting
    connection.start_actor("a1")
    await connection.running("a1")
    await connection.request("a1", path=path).response(timeout=10)


async def test_the_warning_names_the_actor_and_the_hook_and_shows_the_stack(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedEngine() as engine:
        runner = Blocking(endpoint=engine.endpoint, block_warning=0.4)
        await answer(runner, engine, "/1.2")
        await runner.shutdown(immediate=True)
    [warning] = warnings(caplog)
    assert "blocked for more than 0.4 s by fetch of actor a1" in warning
    assert "compute_for" in warning
    assert "asyncio.to_thread" in warning


async def test_nothing_is_warned_of_when_it_is_off_or_the_loop_only_waits(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedEngine() as engine:
        runner = Blocking(endpoint=engine.endpoint, block_warning=None)
        before = threading.active_count()
        await answer(runner, engine, "/0.3")
        assert threading.active_count() == before
        await runner.shutdown(immediate=True)
    with watching(0.5):
        await asyncio.sleep(1.5)
    assert warnings(caplog) == []


async def test_each_block_is_warned_of_once_and_the_thread_ends(caplog: pytest.LogCaptureFixture) -> None:
    before = {*threading.enumerate()}
    with watching(0.2):
        for _ in range(2):
            await asyncio.sleep(0.1)
            compute_for(1.0)
            await asyncio.sleep(0.1)
    assert len(warnings(caplog)) == 2
    assert "by the task" in warnings(caplog)[0]
    assert {*threading.enumerate()} == before


async def test_it_stops_at_any_moment_at_once() -> None:
    for number in range(300):
        with watching(0.004):
            await asyncio.sleep(number * 0.00001)


async def test_the_thread_ends_when_the_heartbeat_or_the_loop_does() -> None:
    before = {*threading.enumerate()}
    heartbeat = Heartbeat(lambda _: None)
    heartbeat.start()
    LoopWatch(heartbeat, 0.01).start()
    heartbeat.stop()

    def end_without_a_stop() -> None:
        async def begin() -> None:
            beats = Heartbeat(lambda _: None)
            beats.start()
            LoopWatch(beats, 0.01).start()

        asyncio.run(begin())

    await asyncio.to_thread(end_without_a_stop)
    await eventually(lambda: not [thread for thread in {*threading.enumerate()} - before if "loop watch" in thread.name])


async def test_a_callback_is_named_as_one(caplog: pytest.LogCaptureFixture) -> None:
    with watching(0.2):
        asyncio.get_running_loop().call_soon(compute_for, 1.0)
        await asyncio.sleep(1.1)
    assert "by a callback outside of any task" in warnings(caplog)[0]


async def test_a_simulated_runner_has_no_thread() -> None:
    before = threading.active_count()
    async with SimulatedEngine() as engine, engine.host(Runner):
        assert threading.active_count() == before
