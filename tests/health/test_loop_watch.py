"""The warning while the event loop is blocked: in real time, since a thread gives it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner._health.heartbeat import Heartbeat
from rivet_runner._health.loop_watch import LoopWatch
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing.scripted_engine import ScriptedEngine
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

PATIENCE: Final = 60.0
"""Seconds until a warning must have come. A busy machine may be late by seconds."""

LIMIT: Final = 0.2
"""Seconds that the loop may be blocked."""


class Blocking(Runner):
    """Blocks the loop in ``fetch`` as the test wants."""

    def __init__(self, block: Callable[[], object], **options: Any) -> None:
        super().__init__(**options)
        self._block = block

    async def fetch(self, actor: Actor, request: Request) -> Response:
        self._block()
        return Response("done")


class Warnings:
    """The warnings of a blocked loop."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    @property
    def all(self) -> list[str]:
        tuples = self._caplog.record_tuples
        return [message for name, level, message in tuples if level == logging.WARNING and "blocked" in message]

    @property
    def of_compute(self) -> list[str]:
        """Those of `compute`. The machine itself may stop the loop at any other place too."""
        return [message for message in self.all if "in compute" in message]

    def compute(self) -> None:
        """Block until there is a warning of it, and then for as long as two more warnings would take."""
        before = len(self.of_compute)
        give_up_at = time.monotonic() + PATIENCE
        while len(self.of_compute) == before and time.monotonic() < give_up_at:
            time.sleep(0.01)
        time.sleep(2 * LIMIT)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Warnings:
    return Warnings(caplog)


def watching_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "loop watch" in thread.name]


@contextlib.contextmanager
def watching(seconds: float) -> Iterator[None]:
    heartbeat = Heartbeat(lambda _: None)
    watch = LoopWatch(heartbeat, seconds)
    heartbeat.start()
    watch.start()
    yield
    watch.stop()
    heartbeat.stop()
    assert watching_threads() == [], "the thread does not end"


async def answer(runner: Runner, engine: ScriptedEngine) -> None:
    starting = asyncio.create_task(runner.start())
    connection = await engine.accept()
    await connection.init()
    await starting
    connection.start_actor("a1")
    await connection.running("a1")
    await connection.request("a1").response(timeout=2 * PATIENCE)


async def test_the_warning_names_the_actor_and_the_hook_and_shows_the_stack(warnings: Warnings) -> None:
    async with ScriptedEngine() as engine:
        runner = Blocking(warnings.compute, endpoint=engine.endpoint, block_warning=LIMIT)
        await answer(runner, engine)
        await runner.shutdown(immediate=True)
    [warning] = warnings.of_compute
    assert "blocked for more than 0.2 s by fetch of actor a1" in warning
    assert "asyncio.to_thread" in warning


async def test_nothing_is_warned_of_when_it_is_off_or_the_loop_only_waits(warnings: Warnings) -> None:
    async with ScriptedEngine() as engine:
        runner = Blocking(lambda: time.sleep(0.3), endpoint=engine.endpoint, block_warning=None)
        await answer(runner, engine)
        assert watching_threads() == []
        await runner.shutdown(immediate=True)
    with watching(2.0):  # a machine that stops this thread alone for so long would be at fault
        await asyncio.sleep(3.0)
    assert warnings.all == []


async def test_each_block_is_warned_of_once_and_the_thread_ends(warnings: Warnings) -> None:
    with watching(LIMIT):
        for _ in range(2):
            await asyncio.sleep(0.1)
            warnings.compute()
            await asyncio.sleep(0.1)
    assert len(warnings.of_compute) == 2
    assert "by the task" in warnings.of_compute[0]


async def test_it_stops_at_any_moment_at_once() -> None:
    for number in range(300):
        with watching(0.004):
            await asyncio.sleep(number * 0.00001)


async def test_the_thread_ends_when_the_heartbeat_or_the_loop_does() -> None:
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
    await eventually(lambda: not watching_threads())


async def test_a_callback_is_named_as_one(warnings: Warnings) -> None:
    with watching(LIMIT):
        asyncio.get_running_loop().call_soon(warnings.compute)
        await asyncio.sleep(0.01)
    assert "by a callback outside of any task" in warnings.of_compute[0]


async def test_a_simulated_runner_has_no_thread() -> None:
    async with SimulatedEngine() as engine, engine.host(Runner):
        assert watching_threads() == []
