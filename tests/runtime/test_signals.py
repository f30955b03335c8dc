"""`Runner.run`: the blocking form, and what signals do to it. In real time, with the engine in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from rivet_runner import EngineRejected, RunnerEvicted
from rivet_runner.protocol.v3 import ToServerStopping
from rivet_runner.testing.scripted_engine import RunnerConnection, ScriptedEngine
from tests.support.scene import HookedRunner

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@contextlib.contextmanager
def engine_in_thread(script: Callable[[ScriptedEngine], Awaitable[None]]) -> Iterator[str]:
    """Run an engine and its script beside the test; yield the endpoint. The script's failure is the test's."""
    endpoints: queue.Queue[str] = queue.Queue()
    failures: list[BaseException] = []

    async def run() -> None:
        async with ScriptedEngine() as engine:
            endpoints.put(engine.endpoint)
            await script(engine)

    def in_thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failures.append(error)
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=in_thread)
    thread.start()
    try:
        yield endpoints.get(timeout=60)
    finally:
        thread.join(60)
    assert not thread.is_alive()
    assert failures == []


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def with_actor(engine: ScriptedEngine) -> RunnerConnection:
    connection = await engine.accept()
    await connection.init()
    connection.start_actor()
    await connection.running("a1")
    return connection


@pytest.mark.parametrize("number", SIGNALS)
def test_the_runner_drains_and_run_returns_when_one_signal_comes(number: signal.Signals) -> None:
    async def script(engine: ScriptedEngine) -> None:
        connection = await with_actor(engine)
        os.kill(os.getpid(), number)
        await connection.receive(ToServerStopping)
        assert (await connection.request().response()).status == 200
        connection.stop_actor()
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")

    with engine_in_thread(script) as endpoint:
        runner = HookedRunner(endpoint=endpoint)
        runner.run()
    assert runner.called("on_actor_stop") == [("a1", 1)]
    assert runner.called("on_shutdown") == [()]


@pytest.mark.parametrize("second", SIGNALS)
def test_the_process_ends_with_a_status_when_a_second_signal_comes(second: signal.Signals) -> None:
    async def script(engine: ScriptedEngine) -> None:
        connection = await with_actor(engine)
        os.kill(os.getpid(), signal.SIGTERM)
        await connection.receive(ToServerStopping)
        os.kill(os.getpid(), second)
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")

    with engine_in_thread(script) as endpoint:
        runner = HookedRunner(endpoint=endpoint)
        with pytest.raises(SystemExit) as caught:
            runner.run()
    assert caught.value.code == 128 + second
    assert runner.called("on_actor_stop") == [("a1", 1)]


def test_run_returns_when_a_signal_comes_before_init() -> None:
    async def script(engine: ScriptedEngine) -> None:
        connection = await engine.accept()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")

    with engine_in_thread(script) as endpoint:
        HookedRunner(endpoint=endpoint).run()


@pytest.mark.parametrize(("reason", "error"), [("ws.eviction", RunnerEvicted), ("api.forbidden", EngineRejected)])
def test_run_raises_when_the_engine_takes_the_runner_down(reason: str, error: type[Exception]) -> None:
    async def script(engine: ScriptedEngine) -> None:
        connection = await engine.accept()
        await connection.close(1011, reason)

    with engine_in_thread(script) as endpoint, pytest.raises(error):
        HookedRunner(endpoint=endpoint).run()


def test_run_returns_when_a_hook_shuts_the_runner_down() -> None:
    async def script(engine: ScriptedEngine) -> None:
        connection = await engine.accept()
        await connection.init()
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")

    async def shut_down(*_: Any) -> None:
        await runner.shutdown()

    with engine_in_thread(script) as endpoint:
        runner = HookedRunner(endpoint=endpoint, hooks={"on_connected": shut_down})
        runner.run()


async def test_no_handler_is_installed_when_the_runner_is_started_in_a_loop() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    async with ScriptedEngine() as engine:
        runner = HookedRunner(endpoint=engine.endpoint)
        starting = asyncio.create_task(runner.start())
        await (await engine.accept()).init()
        await starting
        assert [signal.getsignal(number) for number in SIGNALS] == before
        await runner.shutdown()
