"""``run`` as a process, on the port of a simulated engine: many workers, crashes, drains, and every line of an error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rivet_runner import Runner
from rivet_runner.testing import EngineApi, LocalEngine, SimulatedEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.support import command, module, run_command
from tests.engine.support import Program, answered
from tests.support.waiting import eventually

APP = """
    import asyncio, os, sys
    from rivet_runner import Response, Runner

    class Counter(Runner):
        async def on_actor_stop(self, actor):
            if actor.name == "stuck":
                await asyncio.Event().wait()
            # One write, as two processes share the pipe.
            sys.stdout.write(f"stopped {actor.name}\\n")

        async def fetch(self, actor, request):
            if request.path == "/crash":
                os._exit(7)
            return Response(str(os.getpid()))

    class Keyed(Counter):
        def __init__(self, **options):
            super().__init__(runner_key="always-the-same", **options)

    instance = Counter(endpoint="http://elsewhere.invalid")
"""

MAX_ACTORS = 64
"""So many are never on one of two workers by chance."""

TOKEN = "s3cr3t-token-of-the-test"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    module(tmp_path, APP)
    return tmp_path


@contextlib.asynccontextmanager
async def running(folder: Path, endpoint: str, *arguments: str, target: str = "app:Counter") -> AsyncIterator[Program]:
    """The command, once all of its workers are connected."""
    async with command("run", target, *arguments, folder=folder, environment={"RIVET_ENDPOINT": endpoint}) as program:
        await program.printed(f"{target} for the engine at http://{endpoint.rpartition('@')[2].removeprefix('http://')}")
        yield program


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_actors_of_all_workers_drain_when_a_signal_comes(
    engine: SimulatedEngine, api: EngineApi, folder: Path, number: signal.Signals
) -> None:
    async with running(folder, engine.endpoint, "--workers", "2") as program:
        assert "2 workers run app:Counter" in "\n".join(program.err)
        keys = {runner.key for runner in await api.list_runners()}
        assert len(keys) == 2
        pids: set[int] = set()
        count = 0
        while len(pids) < 2:  # the engine chooses by chance
            actor = await engine.create("counter")
            pids.add(int((await answered(api, actor.id)).text()))
            count += 1
            assert count < MAX_ACTORS, "the actors are spread over the workers"
        program.signal(number)
        assert await program.exit_code() == 0
        assert program.out == ["stopped counter"] * count
    assert engine.connected_runners == 0
    assert not any(map(alive, pids))


async def test_crashed_worker_is_started_again(engine: SimulatedEngine, api: EngineApi, folder: Path) -> None:
    async with running(folder, engine.endpoint) as program:
        actor = await engine.create("counter")
        first = int((await answered(api, actor.id)).text())
        asking = asyncio.create_task(api.request(actor.id, "GET", "/crash"))
        await program.printed(f"worker 1 (pid {first}) has ended: ended with status 7. It is started again in 1 s")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await eventually(lambda: engine.connected_runners == 1, what="the second runner")
        other = await engine.create("counter")
        assert int((await answered(api, other.id)).text()) != first
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0


async def test_worker_is_replaced_when_it_alone_gets_a_signal(engine: SimulatedEngine, api: EngineApi, folder: Path) -> None:
    async with running(folder, engine.endpoint) as program:
        actor = await engine.create("counter")
        os.kill(int((await answered(api, actor.id)).text()), signal.SIGTERM)
        await program.printed("ended with status 0. It is started again in 1 s")
        assert program.out == ["stopped counter"], "it drained"
        await eventually(lambda: engine.connected_runners == 1, what="the second runner")
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0


async def test_second_signal_hurries_when_an_actor_does_not_stop(engine: SimulatedEngine, folder: Path) -> None:
    async with running(folder, engine.endpoint) as program:
        stuck = await engine.create("stuck")
        await stuck.request("GET", "/")
        program.signal(signal.SIGTERM)
        await program.printed("Draining the actors")
        await asyncio.sleep(0.5)
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 128 + signal.SIGTERM
    await eventually(lambda: engine.connected_runners == 0)


async def test_workers_drain_when_the_command_is_killed(engine: SimulatedEngine, api: EngineApi, folder: Path) -> None:
    async with running(folder, engine.endpoint, "--workers", "2") as program:
        actor = await engine.create("counter")
        pid = int((await answered(api, actor.id)).text())
        program.signal(signal.SIGKILL)
        await eventually(lambda: engine.connected_runners == 0, what="the workers' end")
        await eventually(lambda: not alive(pid))
        assert await program.exit_code() == -signal.SIGKILL
        assert program.out == ["stopped counter"]
        assert any("the command that started this process has ended" in line for line in program.err)


async def test_status_is_3_when_the_engine_evicts_the_last_worker(engine: SimulatedEngine, folder: Path) -> None:
    async with running(folder, engine.endpoint, target="app:Keyed") as program:
        async with engine.host(Runner, runner_key="always-the-same"):
            assert await program.exit_code() == 3
        assert any("is over: another runner connected" in line for line in program.err)


async def test_status_is_0_when_a_signal_comes_before_there_is_an_engine(folder: Path) -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    async with command("run", "app:Counter", folder=folder, environment={"RIVET_ENDPOINT": endpoint}) as program:
        await program.printed("cannot reach the engine")
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0
        assert not any("error" in line.lower() for line in program.err[1:] if "INFO" not in line), program.err


async def test_status_is_0_when_a_signal_comes_while_the_module_is_imported(tmp_path: Path) -> None:
    module(tmp_path, "import time\nprint('importing', flush=True)\ntime.sleep(600)\n")
    async with command("run", "app:Counter", folder=tmp_path) as program:
        await program.printed("importing")
        await program.printed("Loading app:Counter …")
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nonsense"], "'nonsense' is not MODULE:NAME"),
        (["nowhere:Counter"], "there is no module nowhere"),
        (["app:Countr"], "app has no Countr: it has the runners Counter, Keyed"),
        (["app:os"], "app:os is a value of type module"),
        (["broken:Counter"], "broken does not import: SyntaxError"),
        (["app:Keyed", "--workers", "2"], "each of the 2 workers needs a key of its own"),
        (
            ["app:instance", "--endpoint", "http://127.0.0.1:1"],
            "contradicts the engine that this command uses: remove it there",
        ),
        (["app:Counter", "--workers", "0"], "--workers"),
        (["app:Counter", "--token", f"{TOKEN} with spaces"], "--token must be"),
        (["app:Counter", "--namespace", "nowhere"], "correct `namespace` (RIVET_NAMESPACE)"),
    ],
)
async def test_line_says_what_to_do_and_nothing_is_started_when_the_input_is_bad(
    engine: SimulatedEngine, api: EngineApi, folder: Path, arguments: list[str], part: str
) -> None:
    module(folder, "class Broken(:\n", "broken.py")
    environment = {"RIVET_ENDPOINT": engine.endpoint, "RIVET_TOKEN": TOKEN}
    ended = await run_command("run", *arguments, folder=folder, environment=environment)
    assert (ended.status, ended.out) == (2, [])
    lines = [line for line in ended.err if line.startswith("error: ")]
    assert len(lines) == 1, ended.err
    assert lines == ended.err[-1:]
    assert part in lines[0]
    assert not any(TOKEN in line for line in ended.err)
    assert engine.connected_runners == 0
    assert await api.list_runners(include_stopped=True) == []


async def test_line_names_the_engine_when_it_is_not_there(folder: Path) -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    (folder / ".env").write_text(f"RIVET_ENDPOINT={endpoint}\n")
    ended = await run_command("run", "app:Counter", "--workers", "2", "--start-timeout", "0.5", folder=folder)
    assert ended.status == 2
    assert ended.err[-1].startswith(f"error: the engine at {endpoint} did not accept this runner within 0.5 s")
    assert sum(line.startswith("error: ") for line in ended.err) == 1


@pytest.mark.engine
async def test_line_names_the_token_when_the_real_engine_refuses_it(folder: Path) -> None:
    async with LocalEngine(admin_token="right-token") as engine:
        environment = {"RIVET_ENDPOINT": engine.endpoint, "RIVET_TOKEN": TOKEN}
        ended = await run_command("run", "app:Counter", folder=folder, environment=environment)
        assert (ended.status, sum(line.startswith("error: ") for line in ended.err)) == (2, 1)
        assert "refused the token: correct `token` (RIVET_TOKEN)" in ended.err[-1]
        listed = await run_command("actors", "list", folder=folder, environment=environment)
        assert "refused the token: correct --token (RIVET_TOKEN)" in listed.error
        assert not any(TOKEN in line for line in (*ended.err, *listed.err))
        async with running(folder, f"http://default:right-token@{engine.endpoint.removeprefix('http://')}") as program:
            program.signal(signal.SIGTERM)
            assert await program.exit_code() == 0
