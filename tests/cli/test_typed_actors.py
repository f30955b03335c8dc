"""``call`` and ``connect`` against the port of a simulated engine: pipes, files, terminals, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rivet_runner import Request
from rivet_runner.actors import App, DurableActor, Event, UserError, action
from rivet_runner.testing import EngineApi, SimulatedEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.support import Finished, Terminal, command, run_command, told
from tests.engine.support import Program
from tests.support.waiting import eventually


class Room(DurableActor[list[str]]):
    said = Event[str]()
    numbered = Event[int]()

    def initial_state(self, input: Any) -> list[str]:
        return []

    async def before_connect(self, params: Any, request: Request) -> None:
        if params == {"token": "wrong"}:
            raise UserError("who are you?", code="unknown", metadata={"given": "wrong"})

    @action
    async def say(self, text: str, times: int = 1) -> int:
        self.state.extend([text] * times)
        await self.said.emit(text)
        await self.numbered.emit(len(self.state))
        return len(self.state)

    @action
    async def history(self) -> list[str]:
        return self.state

    @action
    async def all_kinds(self) -> dict[str, Any]:
        return {"none": None, "when": datetime(2026, 1, 1, tzinfo=UTC), "bytes": b"\xff", "big": 2**70, "set": {1}}

    @action
    async def refuse(self) -> None:
        raise UserError("only\nup", code="negative", metadata={"by": -1})

    @action
    async def never(self) -> None:
        await asyncio.Event().wait()

    @action
    async def kick(self) -> None:
        for connection in self.connections.values():
            await connection.disconnect("bye")


@pytest.fixture
async def room(engine: SimulatedEngine) -> AsyncIterator[SimulatedEngine]:
    """An engine with a program of typed actors, and the actor ``room/a``."""
    async with engine.host(App(Room, runner_name="default")):
        await engine.get_or_create("room", key="a")
        yield engine


async def rivet(engine: SimulatedEngine, *arguments: str) -> Finished:
    return await run_command(*arguments, environment={"RIVET_ENDPOINT": engine.endpoint})


def connected(engine: SimulatedEngine, *arguments: str, stdin: int = asyncio.subprocess.PIPE) -> Program:
    return command("connect", *arguments, environment={"RIVET_ENDPOINT": engine.endpoint}, stdin=stdin)


# call


async def test_a_call_prints_its_result_as_json(room: SimulatedEngine) -> None:
    said = await rivet(room, "call", "room/a", "say", '"hi ✓"', "2")
    assert (said.status, said.out, said.err) == (0, ["2"], [])
    actor = await room.get_or_create("room", key="a")
    history = await rivet(room, "call", actor.id, "history")
    assert history.json == ["hi ✓", "hi ✓"]
    kinds = await rivet(room, "call", "room/a", "all_kinds")
    assert kinds.json == {"none": None, "when": "2026-01-01T00:00:00Z", "bytes": "/w==", "big": 2**70, "set": [1]}


async def test_an_argument_may_look_like_an_option(room: SimulatedEngine) -> None:
    said = await rivet(room, "call", "--timeout", "30", "room/a", "say", '"-x"', "-5")
    assert (said.status, said.out) == (0, ["0"])


async def test_a_call_creates_an_actor_only_when_asked(room: SimulatedEngine, api: EngineApi) -> None:
    missing = await rivet(room, "call", "room/new", "history")
    assert missing.status == 1
    assert "there is no actor named 'room' with the key 'new'" in missing.error
    created = await rivet(room, "call", "--create", "room/new", "history")
    assert (created.status, created.json) == (0, [])
    assert [actor.key for actor in await api.list_actors("room")] == ["new", "a"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["call", "rom/a", "history", "--create", "--timeout", "10"], id="call"),
        pytest.param(["connect", "rom/a", "said", "--create", "--timeout", "10"], id="connect"),
        pytest.param(["request", "rom/a", "GET", "/", "--timeout", "10"], id="request"),
    ],
)
async def test_the_reason_is_told_if_the_actor_does_not_start(room: SimulatedEngine, arguments: list[str]) -> None:
    await room.get_or_create("rom", key="a")
    answer = await rivet(room, *arguments)
    assert answer.status == 1
    reasons = [line for line in answer.err if "does not start" in line]
    assert reasons == ["rom/a does not start: LookupError: this app has no actor named 'rom'; it has: room"]


async def test_the_reason_is_told_if_no_runner_is_there(engine: SimulatedEngine) -> None:
    async with engine.host(App(Room, runner_name="default")):
        pass
    answer = await rivet(engine, "call", "room/a", "history", "--create", "--timeout", "10")
    assert answer.status == 1
    assert "room/a does not start: no runner has room for it, or none is connected (see `rivet-runner doctor`)" in answer.err


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["room/a", "refuse"], 1, 'error: only up (user.negative) {"by":-1}'),
        (["room/a", "missing"], 1, "actor.action_not_found"),
        (["room/a", "say", "5"], 1, "actor.validation_error"),
        (["room/a", "say", "hi"], 2, "an argument must be JSON, not 'hi': write a text as '\"hi\"'"),
        (["room/a", "never", "--timeout", "3"], 1, "no answer to never of "),
        (["room/a", "history", "--params", "{token"], 2, "--params must be JSON"),
        (["room/a", "history", "--params", '{"token": "wrong"}'], 1, 'who are you? (user.unknown) {"given":"wrong"}'),
        (["nonsense", "history"], 1, "there is no actor with the id 'nonsense'"),
        (["room", "history", "--create"], 2, "--create needs the name and the key of the actor, NAME/KEY, not 'room'"),
        (["room/a", "history", "--namespace", "nowhere"], 2, "--namespace (RIVET_NAMESPACE)"),
        (["room/a"], 2, "ACTION"),
    ],
)
async def test_what_goes_wrong_is_one_line(room: SimulatedEngine, arguments: list[str], status: int, part: str) -> None:
    answer = await rivet(room, "call", *arguments)
    assert (answer.status, answer.out) == (status, [])
    assert part in answer.error


@pytest.mark.parametrize("arguments", [["call", "room/a", "history"], ["connect", "room/a"]])
async def test_the_endpoint_is_named_when_no_engine_is_there(tmp_path: Path, arguments: list[str]) -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    answer = await run_command(*arguments, "--endpoint", endpoint, folder=tmp_path)
    assert answer.status == 2
    assert f"there is no engine at {endpoint}: start one with `rivet-runner dev`" in answer.error


# connect


async def test_calls_come_from_a_pipe_and_its_end_is_the_end(room: SimulatedEngine) -> None:
    async with connected(room, "room/a") as program:
        program.write('say "hi" 2\n\n   history  \nsay "again"')
        program.end_input()
        assert await program.exit_code() == 0
    assert (program.out, told(program)) == (["= 2", '= ["hi","hi"]', "= 3"], [])


async def test_calls_come_from_a_file(room: SimulatedEngine, tmp_path: Path) -> None:
    (tmp_path / "calls").write_text('say "hi"\nhistory\n')
    with (tmp_path / "calls").open() as file:
        async with connected(room, "room/a", stdin=file.fileno()) as program:
            assert await program.exit_code() == 0
    assert program.out == ["= 1", '= ["hi"]']


async def test_events_are_printed_until_a_signal(room: SimulatedEngine) -> None:
    async with connected(room, "room/a", "said", "numbered", stdin=asyncio.subprocess.DEVNULL) as program:
        # Nothing tells when the actor has subscribed it.
        await _said_until_heard(room, program, 'said "one"')
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0
    assert any(line.startswith("numbered ") for line in program.out)
    assert told(program) == ["Closing the connection."]


async def _said_until_heard(engine: SimulatedEngine, program: Program, line: str) -> None:
    """Emit events until the program has printed one."""

    async def heard() -> bool:
        await engine.client.get(Room, "a").call(Room.say, "one")
        return line in program.out

    await eventually(heard, what="an event is printed")


async def test_each_line_is_an_object_when_a_script_asks(room: SimulatedEngine) -> None:
    async with connected(room, "room/a", "said", "--json") as program:
        program.write('say "hi"\nrefuse\nsay hi\n')
        await program.printed("is not JSON")
        program.signal(signal.SIGINT)
        assert await program.exit_code() == 0
    lines = sorted(program.out, key=lambda line: '"event"' not in line)
    event, result, refused, wrong = (json.loads(line) for line in lines)
    assert event == {"event": "said", "value": "hi"}
    assert result == {"call": "say", "result": 1}
    shown = {"group": "user", "code": "negative", "message": "only\nup", "metadata": {"by": -1}}
    assert refused == {"call": "refuse", "error": shown}
    assert wrong["call"] == "say"
    assert "'hi' is not JSON" in wrong["error"]["message"]


async def test_a_call_that_fails_is_a_line_and_the_next_one_is_made(room: SimulatedEngine) -> None:
    async with connected(room, "room/a", "--timeout", "3") as program:
        program.write('refuse\nsay hi\nnever\nsay "hi"\n')
        program.end_input()
        assert await program.exit_code() == 1
    assert program.out == ["= 1"]
    refused, wrong, late = told(program)
    assert refused == 'error: only up (user.negative) {"by":-1}'
    assert wrong.startswith("error: 'hi' is not JSON: write an action and its arguments as JSON")
    assert late.startswith("error: no answer to never of ")


async def test_an_actor_that_closes_the_connection_ends_it(room: SimulatedEngine) -> None:
    async with connected(room, "room/a", "said") as program:
        program.write('say "last"\n')
        await program.printed("= 1")
        await room.client.get(Room, "a").call(Room.kick)
        assert await program.exit_code() == 1
    assert 'said "last"' in program.out
    assert told(program) == ["room/a has closed the connection."]


async def test_an_actor_that_refuses_is_one_line(room: SimulatedEngine) -> None:
    async with connected(room, "room/a", "--params", '{"token": "wrong"}') as program:
        assert await program.exit_code() == 1
    assert (program.out, told(program)) == ([], ['error: who are you? (user.unknown) {"given":"wrong"}'])


async def test_a_connection_that_breaks_is_told_and_made_again() -> None:
    async with SimulatedEngine(settings={"crash_lease_ms": 100}) as engine, engine.host(App(Room, runner_name="default")):
        await engine.listen()
        async with connected(engine, "--create", "room/a") as program:
            program.write('say "before"\n')
            await program.printed("= 1")
            await engine.restart()
            await program.printed("it is made again")
            program.write("history\n")
            await program.printed('= ["before"]')
            program.end_input()
            assert await program.exit_code() == 0


async def test_a_reader_that_has_gone_ends_it(room: SimulatedEngine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rivet_runner", "connect", "room/a", "--endpoint", room.endpoint),
        stdin=asyncio.subprocess.PIPE,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    _, err = await asyncio.wait_for(process.communicate(b"history\n"), 60)
    assert (process.returncode, err) == (1, b"")


async def test_a_line_without_end_is_refused(room: SimulatedEngine, tmp_path: Path) -> None:
    (tmp_path / "calls").write_bytes(b"x" * (2 * 1024 * 1024))
    with (tmp_path / "calls").open() as file:
        async with connected(room, "room/a", stdin=file.fileno()) as program:
            assert await program.exit_code() == 2
    assert told(program) == ["error: a line of standard input has more than 1 MiB"]


async def test_a_terminal_is_told_how_and_ends_with_ctrl_d(room: SimulatedEngine, tmp_path: Path) -> None:
    environment = {"RIVET_ENDPOINT": room.endpoint}
    async with Terminal("connect", "room/a", folder=tmp_path, environment=environment) as terminal:
        await eventually(lambda: "Connected to room/a" in terminal.text, what="the first line")
        terminal.write('say "hi"\n')
        await eventually(lambda: "= 1" in terminal.text, what="the result")
        terminal.write("\x04")
        assert await terminal.exit_code() == 0
    assert "Traceback" not in terminal.text


async def test_a_terminal_ends_with_ctrl_c(room: SimulatedEngine, tmp_path: Path) -> None:
    environment = {"RIVET_ENDPOINT": room.endpoint}
    async with Terminal("connect", "room/a", "said", folder=tmp_path, environment=environment) as terminal:
        await eventually(lambda: "Connected to room/a" in terminal.text, what="the first line")
        terminal.interrupt()
        assert await terminal.exit_code() == 0
    assert "Traceback" not in terminal.text
