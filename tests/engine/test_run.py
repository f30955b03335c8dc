"""`Runner.run` in a process of its own: signals, exit codes, and what a user sees when something is wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from typing import Any

import pytest

from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.engine.support import Engine, OwnEngine, Program, answered, hosting

pytestmark = pytest.mark.real_time("the runner is a process of its own")

PROGRAM = """
import asyncio, json, logging, sys
from rivet_runner import Runner

class Printing(Runner):
    async def on_connected(self):
        print("connected")

    async def on_actor_start(self, actor):
        print("started", actor.id, actor.generation)

    async def on_actor_stop(self, actor):
        print("stopping", actor.id, actor.generation)
        if actor.name == "stuck":
            await asyncio.Event().wait()
        await actor.kv.put(b"stopped", b"%d" % actor.generation)

    async def on_shutdown(self):
        print("shut down")

loop, options = json.loads(sys.argv[1])
if loop == "asyncio":
    sys.modules["uvloop"] = None
logging.basicConfig(level=logging.INFO)
Printing(**options).run()
print("returned")
"""

RESTORES_HANDLERS = """
import signal, sys
from rivet_runner import Runner

class ShutsItselfDown(Runner):
    async def on_connected(self):
        assert signal.getsignal(signal.SIGTERM) is not mine
        await self.shutdown()

def mine(number, frame):
    pass

signal.signal(signal.SIGTERM, mine)
before = signal.getsignal(signal.SIGINT)
ShutsItselfDown(endpoint=sys.argv[1], runner_name=sys.argv[2]).run()
assert signal.getsignal(signal.SIGTERM) is mine
assert signal.getsignal(signal.SIGINT) is before
try:
    Runner(endpoint=sys.argv[1], namespace="nowhere").run()
except Exception as error:
    assert signal.getsignal(signal.SIGTERM) is mine
    print("put back")
"""

TOKEN = "s3cr3t-token-of-the-test"


def program(loop: str = "uvloop", environment: dict[str, str] | None = None, **options: Any) -> Program:
    return Program("-W", "error", "-c", PROGRAM, json.dumps([loop, options]), environment=environment)


@pytest.mark.parametrize(
    ("loop", "number"),
    [("uvloop", signal.SIGTERM), ("uvloop", signal.SIGINT), ("asyncio", signal.SIGTERM)],
    ids=["uvloop SIGTERM", "uvloop SIGINT", "asyncio SIGTERM"],
)
async def test_actors_stop_and_the_exit_code_is_0_when_a_signal_comes(
    engine: Engine, api: EngineApi, runner_name: str, number: signal.Signals, loop: str
) -> None:
    async with program(loop, endpoint=engine.endpoint, runner_name=runner_name) as process:
        await process.printed("connected")
        actors = [await api.create_actor("plain", runner_name=runner_name) for _ in range(2)]
        for actor in actors:
            await process.printed(f"started {actor.actor_id} 0")
        process.signal(number)
        assert await process.exit_code() == 0
        for actor in actors:
            assert process.out.count(f"stopping {actor.actor_id} 0") == 1
        assert process.out[-2:] == ["shut down", "returned"]
        assert not any("Traceback" in line or "Warning" in line for line in process.err), process.err
        assert any(number.name in line for line in process.err)
    async with hosting(engine, runner_name) as runner:
        for actor in actors:
            await answered(api, actor.actor_id)
            assert await runner.actors[actor.actor_id].kv.get(b"stopped") == b"0"


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
async def test_process_ends_at_once_when_a_second_signal_comes(
    engine: Engine, api: EngineApi, runner_name: str, loop: str
) -> None:
    async with program(loop, endpoint=engine.endpoint, runner_name=runner_name) as process:
        await process.printed("connected")
        actor = await api.create_actor("stuck", runner_name=runner_name)
        await process.printed(f"started {actor.actor_id}")
        process.signal(signal.SIGINT)
        await process.printed(f"stopping {actor.actor_id}")
        process.signal(signal.SIGTERM)
        began = time.monotonic()
        assert await process.exit_code() == 128 + signal.SIGTERM
        assert time.monotonic() - began < 20, "it does not wait for the hook"
        assert process.out.count(f"stopping {actor.actor_id} 0") == 1
        assert "returned" not in process.out
        assert not any("Traceback" in line for line in process.err), process.err


async def test_process_ends_with_0_when_a_signal_comes_before_there_is_an_engine() -> None:
    port = choose_ports().guard
    async with program(endpoint=f"http://127.0.0.1:{port}") as process:
        await process.printed("cannot reach the engine")
        process.signal(signal.SIGTERM)
        assert await process.exit_code() == 0
        assert process.out == ["shut down", "returned"]


async def test_handlers_are_put_back_when_run_returns_or_raises(engine: Engine, runner_name: str) -> None:
    async with Program("-W", "error", "-c", RESTORES_HANDLERS, engine.endpoint, runner_name) as process:
        assert await process.exit_code() == 0, process.err
        assert process.out == ["put back"]


async def _one_clear_error(process: Program, *parts: str) -> None:
    """The process fails, and the last line that it prints is an error with all of ``parts``."""
    assert await process.exit_code() == 1, process.err
    for part in parts:
        assert part in process.err[-1]
    assert not any("During handling" in line or "direct cause" in line for line in process.err), process.err
    assert not any(TOKEN in line for line in (*process.out, *process.err))


async def test_error_names_url_and_field_when_the_namespace_is_unknown(engine: Engine) -> None:
    async with program(endpoint=engine.endpoint, namespace="nowhere", token=TOKEN) as process:
        await _one_clear_error(process, "EngineRejected", engine.endpoint, "namespace", "RIVET_NAMESPACE")
        assert "connected" not in process.out


async def test_error_names_url_and_field_when_the_token_is_wrong_or_missing(own_engine: OwnEngine) -> None:
    async with own_engine(admin_token="right-token") as engine:
        async with program(endpoint=engine.endpoint, token=TOKEN) as process:
            await _one_clear_error(process, "EngineRejected", engine.endpoint, "token", "RIVET_TOKEN", "refused")
        host = engine.endpoint.removeprefix("http://")
        async with program(environment={"RIVET_ENDPOINT": f"http://default:{TOKEN}@{host}"}) as process:
            await _one_clear_error(process, "EngineRejected", engine.endpoint, "RIVET_TOKEN", "refused")
        async with program(endpoint=engine.endpoint) as process:
            await _one_clear_error(process, "EngineRejected", engine.endpoint, "token", "RIVET_TOKEN", "none was given")
        async with program(endpoint=engine.endpoint, token="right-token") as process:
            await process.printed("connected")
            process.signal(signal.SIGTERM)
            assert await process.exit_code() == 0


@pytest.mark.parametrize(
    ("environment", "parts"),
    [
        ({"RIVET_TOTAL_SLOTS": "abc"}, ["ValueError", "RIVET_TOTAL_SLOTS", "whole number", "abc"]),
        ({"RIVET_ENDPOINT": f"ftp://default:{TOKEN}@host"}, ["ValueError", "RIVET_ENDPOINT", "http://"]),
        ({"RIVET_TOKEN": f"{TOKEN} with spaces"}, ["ValueError", "RIVET_TOKEN"]),
    ],
)
async def test_error_names_the_variable_when_its_value_cannot_be_used(environment: dict[str, str], parts: list[str]) -> None:
    async with program(environment=environment) as process:
        await _one_clear_error(process, *parts)


async def test_error_names_the_url_when_no_engine_is_there_in_time() -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    async with program(endpoint=endpoint, token=TOKEN, start_timeout=1.5) as process:
        await _one_clear_error(process, "TimeoutError", endpoint, "1.5 s", "endpoint", "RIVET_ENDPOINT")
        assert any("cannot reach the engine" in line and endpoint in line for line in process.err)


@pytest.mark.real_engine("it starts the process of an engine late")
async def test_runner_connects_when_the_engine_appears_later(runner_name: str) -> None:
    port = choose_ports().guard
    endpoint = f"http://127.0.0.1:{port}"
    async with program(endpoint=endpoint, runner_name=runner_name, token=TOKEN) as process:
        await process.printed("cannot reach the engine")
        (warning,) = [line for line in process.err if "cannot reach the engine" in line][:1]
        assert warning.startswith("WARNING:")
        assert endpoint in warning
        async with LocalEngine(port=port) as engine:
            assert engine.endpoint == endpoint
            await process.printed("connected")
            process.signal(signal.SIGTERM)
            assert await process.exit_code() == 0
        assert not any(TOKEN in line for line in (*process.out, *process.err))


async def test_processes_take_over_from_each_other_when_one_is_told_to_stop(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    """A rolling update: the actor's data goes along, and its clients see no error."""
    options: dict[str, Any] = {"endpoint": engine.endpoint, "runner_name": runner_name}
    async with program(**options) as first:
        await first.printed("connected")
        actor = await api.create_actor("plain", runner_name=runner_name)
        await first.printed(f"started {actor.actor_id} 0")
        async with program(**options) as second:
            await second.printed("connected")
            first.signal(signal.SIGTERM)
            answers = await asyncio.gather(first.exit_code(), api.request(actor.actor_id, "GET", "/"))
            assert answers[0] == 0
            # The program has no fetch of its own.
            assert (answers[1].status, answers[1].text()) == (404, "not found")
            await api.request(actor.actor_id, "GET", "/")
            await second.printed(f"started {actor.actor_id}")
