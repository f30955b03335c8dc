"""``dev`` as a process: the lines that it prints, reloads, and what is left of it at the end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rivet_runner.testing import EngineApi
from rivet_runner.testing.engine_binary import find_engine_binary
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import Terminal, command, module, run_command
from tests.engine.support import Program, answered
from tests.support.waiting import eventually

APP = """
    import os, sys
    from rivet_runner import Response, Runner

    class Room(Runner):
        def can_hibernate(self, actor, request):
            return True

        async def on_connected(self):
            sys.stdout.write("{version} is connected\\n")

        async def on_actor_stop(self, actor):
            sys.stdout.write("{version} stops an actor\\n")

        async def fetch(self, actor, request):
            if request.path == "/crash":
                os._exit(7)
            return Response(f"{version} {{os.getpid()}}")

        async def websocket(self, actor, ws):
            async for message in ws:
                with open("received.txt", "a") as file:
                    file.write(f"{version} {{message}}\\n")
"""

ENGINES = ["simulated", pytest.param("real", marks=pytest.mark.engine)]


def save(folder: Path, version: str) -> None:
    module(folder, APP.format(version=version))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path, "one")
    return tmp_path


@pytest.fixture
def port() -> int:
    return choose_ports().guard


def environment(engine: str) -> dict[str, str]:
    return {"RIVET_ENGINE_BINARY": str(find_engine_binary())} if engine == "real" else {}


@contextlib.asynccontextmanager
async def developing(
    folder: Path, port: int, *arguments: str, engine: str = "simulated", **variables: str
) -> AsyncIterator[tuple[Program, EngineApi, str]]:
    """The command with these environment variables, a client of its engine, and the id of the actor to try."""
    every = ["app:Room", "--engine", engine, "--port", str(port), *arguments]
    async with command("dev", *every, folder=folder, environment=environment(engine) | variables) as program:
        await program.printed("Press Ctrl-C to stop")
        (line,) = [line for line in program.out if line.startswith("  curl ")]
        yield program, EngineApi(f"http://127.0.0.1:{port}"), line.rstrip("/").rpartition("/")[2]


async def nothing_is_left(program: Program, port: int, *pids: int) -> None:
    program.signal(signal.SIGINT)
    assert await program.exit_code() == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not any("Traceback" in line for line in program.err), program.err


@pytest.mark.parametrize("engine", ENGINES)
async def test_lines_work_as_they_are_printed(folder: Path, port: int, engine: str) -> None:
    async with developing(folder, port, engine=engine) as (program, api, actor_id):
        (curl,) = [line.strip() for line in program.out if line.startswith("  curl ")]
        answer = await asyncio.create_subprocess_exec(*curl.split(), "-sS", stdout=asyncio.subprocess.PIPE)
        out, _ = await answer.communicate()
        version, pid = out.decode().split()
        assert version == "one"
        (request,) = [line.split() for line in program.out if line.startswith("  rivet-runner request ")]
        again = await run_command(*request[1:], folder=folder)
        assert (again.status, again.out) == (0, [out.decode()])
        (url,) = [line.strip() for line in program.out if line.startswith("  ws://")]
        assert url == f"ws://127.0.0.1:{port}/gateway/{actor_id}/"
        async with api.websocket(actor_id) as ws:
            await ws.send("hello")
            await eventually((folder / "received.txt").exists)
        await nothing_is_left(program, port, int(pid))
    assert (folder / ".rivet" / ".gitignore").read_text() == "*\n"
    async with developing(folder, port, engine=engine) as (program, _, same):
        assert same == actor_id, "the data is kept"
        await nothing_is_left(program, port)


TYPED = """
    from rivet_runner.actors import App, DurableActor, action

    class Room(DurableActor[list[str]]):
        @action
        async def say(self, text: str, times: int = 1) -> int:
            self.state.extend([text] * times)
            return len(self.state)

    class Counter(DurableActor[int]):
        @action
        async def increment(self, by: int = 1) -> int:
            self.state += by
            return self.state

    class Silent(DurableActor[None]):
        pass

    app = App(Room, Counter, Silent{options})
    silent = App(Silent)
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("options", ["", ", runner_name='a room'"])
async def test_calls_of_typed_actors_work_as_they_are_printed(tmp_path: Path, port: int, engine: str, options: str) -> None:
    module(tmp_path, TYPED.format(options=options))
    arguments = ["app:app", "--engine", engine, "--port", str(port)]
    async with command("dev", *arguments, folder=tmp_path, environment=environment(engine)) as program:
        await program.printed("Press Ctrl-C to stop")
        say, increment = [line.strip() for line in program.out if "rivet-runner call " in line]
        assert "Give the arguments in capitals as JSON." in program.out
        reader = Reader(tmp_path, port)
        assert await reader.runs(say.replace("TEXT", "'\"hi\"'")) == "1\n"
        assert await reader.runs(increment) == "1\n"
        assert await reader.runs(increment) == "2\n"
        await nothing_is_left(program, port)


async def test_no_call_is_shown_of_actors_without_actions(tmp_path: Path, port: int) -> None:
    module(tmp_path, TYPED.format(options=""))
    arguments = ["app:silent", "--engine", "simulated", "--port", str(port)]
    async with command("dev", *arguments, folder=tmp_path) as program:
        await program.printed("Press Ctrl-C to stop")
        assert program.out == [
            f"The engine is at http://127.0.0.1:{port} (a simulated engine, its data is in .rivet/simulated.sqlite).",
            'The runner "default" is connected.',
            "Save a file to reload. Press Ctrl-C to stop.",
        ]
        await nothing_is_left(program, port)


@pytest.mark.parametrize("engine", ENGINES)
async def test_no_message_of_an_open_socket_is_lost_when_a_file_is_saved(folder: Path, port: int, engine: str) -> None:
    async with developing(folder, port, engine=engine) as (program, api, actor_id), api.websocket(actor_id) as ws:
        sent = 0
        for version in ("two", "three"):
            save(folder, version)
            while not any(line.startswith(f"{version} ") for line in received(folder)):
                await ws.send(str(sent))
                sent += 1
                await asyncio.sleep(0.01)
        await eventually(lambda: received(folder)[-1].endswith(f" {sent - 1}"), what="the last message")
        numbers = [int(line.split()[1]) for line in received(folder)]
        # A message may come twice, around a reload.
        assert list(dict.fromkeys(numbers)) == [*range(sent)]
        assert ws.close_code is None
        await eventually(lambda: sum(line == "Reloaded." for line in program.err) == 2, what="both reloads are told")
        for old, new in (("one", "two"), ("two", "three")):
            assert program.out.index(f"{new} is connected") < program.out.index(f"{old} stops an actor")
        await nothing_is_left(program, port)


def received(folder: Path) -> list[str]:
    file = folder / "received.txt"
    return file.read_text().splitlines() if file.exists() else []


async def new_code_answers(api: EngineApi, actor_id: str) -> None:
    """Return once the actor runs version "two"."""

    async def answers_two() -> bool:
        return (await answered(api, actor_id)).text().startswith("two")

    await eventually(answers_two, what="the new code")


async def test_old_code_goes_on_when_the_new_one_does_not_load(folder: Path, port: int) -> None:
    async with developing(folder, port) as (program, api, actor_id):
        first = (await answered(api, actor_id)).text()
        module(folder, "class Broken(:\n")
        await program.printed("The old code goes on.")
        assert any("class Broken(:" in line for line in program.err), "the traceback"
        assert any(line.startswith("error: app does not import: SyntaxError") for line in program.err)
        assert (await answered(api, actor_id)).text() == first
        save(folder, "two")
        await program.printed("Reloaded.")
        await new_code_answers(api, actor_id)
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0


async def test_new_code_is_loaded_when_a_file_is_saved_again_in_the_same_second_with_as_many_bytes(
    folder: Path, port: int
) -> None:
    before = (folder / "app.py").stat()
    async with developing(folder, port, PYTHONDONTWRITEBYTECODE="") as (program, api, actor_id):
        save(folder, "two")
        os.utime(folder / "app.py", (before.st_atime, before.st_mtime))
        assert (folder / "app.py").stat().st_size == before.st_size
        await program.printed("Reloaded.")
        await new_code_answers(api, actor_id)
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0


async def test_runner_starts_again_when_it_has_crashed_and_a_file_is_saved(folder: Path, port: int) -> None:
    async with developing(folder, port) as (program, api, actor_id):
        asking = asyncio.create_task(api.request(actor_id, "GET", "/crash"))
        await program.printed("The runner has ended: ended with status 7. It starts again when you save a file.")
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        save(folder, "two")
        await program.printed("Reloaded.")
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0


async def test_save_during_a_slow_load_starts_over(folder: Path, port: int) -> None:
    async with developing(folder, port) as (program, _, _):
        module(folder, "import time\nprint('slow', flush=True)\ntime.sleep(600)\n")
        await program.printed("slow")
        save(folder, "two")
        await program.printed("Reloaded.")
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0


async def test_status_is_1_when_the_runner_crashes_without_reload(folder: Path, port: int) -> None:
    async with developing(folder, port, "--no-reload") as (program, api, actor_id):
        asking = asyncio.create_task(api.request(actor_id, "GET", "/crash"))
        assert await program.exit_code() == 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert program.err[-1] == "error: the runner has ended: ended with status 7"


async def test_environment_of_the_runner_is_that_of_the_engine_when_the_file_says_otherwise(folder: Path, port: int) -> None:
    (folder / ".env").write_text("RIVET_ENDPOINT=http://production.invalid\nRIVET_TOKEN=secret\nRIVET_RUNNER_NAME=rooms\n")
    async with developing(folder, port) as (program, api, actor_id):
        assert 'The runner "rooms" is connected, and has an actor to try:' in program.out
        await answered(api, actor_id)
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0


async def test_lines_are_whole_and_ctrl_c_ends_it_in_a_terminal(folder: Path, port: int) -> None:
    async with Terminal("dev", "app:Room", "--engine", "simulated", "--port", str(port), folder=folder) as terminal:
        await eventually(lambda: "Press Ctrl-C to stop" in terminal.text, what="the lines")
        assert re.search(rf"  curl http://127\.0\.0\.1:{port}/gateway/[a-z0-9]{{30}}/\r\n", terminal.text)
        terminal.interrupt()
        assert await terminal.exit_code() == 0
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["app:Nothing"], "app has no Nothing: it has the runner Room"),
        (["broken:Room"], "broken does not import: SyntaxError"),
        (["app:Room", "--data", "app.py"], "choose another with --data"),
        (["app:Room", "--engine", "real"], "RIVET_ENGINE_BINARY"),
        (["app:Room", "--engine", "imagined"], "imagined"),
        (["fixed:Room"], "sets `endpoint` in its code, which contradicts the engine that this command uses"),
    ],
)
async def test_line_says_what_to_do_when_the_input_is_bad(folder: Path, port: int, arguments: list[str], part: str) -> None:
    module(folder, "class Broken(:\n", "broken.py")
    module(folder, "from rivet_runner import Runner\nRoom = Runner(endpoint='http://elsewhere.invalid')\n", "fixed.py")
    ended = await run_command("dev", *arguments, "--port", str(port), folder=folder)
    assert (ended.status, ended.out) == (2, [])
    assert ended.err[-1].startswith("error: ")
    assert part in ended.err[-1]
    assert sum(line.startswith("error: ") for line in ended.err) == 1


async def test_line_names_the_port_when_it_is_taken(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = await run_command("dev", "app:Room", "--port", str(port), folder=folder)
    assert ended.status == 2
    assert ended.error.startswith(f"error: port {port} is taken")
    assert not (folder / ".rivet").exists()
