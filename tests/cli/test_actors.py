"""``actors`` and ``request`` against the port of a simulated engine, and every line that an error has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rivet_runner import Runner
from rivet_runner.testing import EngineApi, SimulatedEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.support import Finished, Terminal, run_command
from tests.support.waiting import eventually

ACTOR_FIELDS = [
    "actor_id",
    "state",
    "name",
    "create_ts",
    "key",
    "namespace_id",
    "datacenter",
    "runner_name_selector",
    "crash_policy",
    "start_ts",
    "pending_allocation_ts",
    "connectable_ts",
    "sleep_ts",
    "reschedule_ts",
    "destroy_ts",
    "error",
]
"""Scripts rely on these."""

TOKEN = "s3cr3t-token-of-the-test"


async def rivet(engine: SimulatedEngine, *arguments: str) -> Finished:
    return await run_command(*arguments, environment={"RIVET_ENDPOINT": engine.endpoint})


async def test_actor_is_created_listed_shown_and_destroyed_when_a_script_asks(
    engine: SimulatedEngine, talking: Runner
) -> None:
    created = await rivet(engine, "actors", "create", "counter", "--key", "a/b", "--input", "x", "--json")
    assert created.status == 0
    assert list(created.json) == ACTOR_FIELDS
    actor_id = created.json["actor_id"]

    listed = await rivet(engine, "actors", "list", "--json")
    assert [list(actor) for actor in listed.json] == [ACTOR_FIELDS]
    assert [(actor["actor_id"], actor["key"], actor["state"]) for actor in listed.json] == [(actor_id, "a/b", "running")]

    shown = await rivet(engine, "actors", "show", "counter/a/b", "--json")
    assert (shown.status, shown.json) == (0, listed.json[0])

    destroyed = await rivet(engine, "actors", "destroy", "counter/a/b", "--json")
    assert [(actor["actor_id"], actor["state"]) for actor in destroyed.json] == [(actor_id, "destroyed")]
    assert (await rivet(engine, "actors", "list", "--json")).json == []
    again = await rivet(engine, "actors", "list", "counter", "--destroyed", "--json")
    assert [actor["state"] for actor in again.json] == ["destroyed"]
    assert (await rivet(engine, "actors", "show", actor_id, "--json")).json["state"] == "destroyed"


async def test_tables_have_whole_ids_when_they_go_to_a_pipe(engine: SimulatedEngine, talking: Runner) -> None:
    long_key = "k" * 200
    created = await rivet(engine, "actors", "create", "counter", "--key", long_key)
    assert created.status == 0
    assert created.out[0].split()[0] == "actor_id"
    actor_id = created.out[0].split()[1]
    listed = await rivet(engine, "actors", "list", "counter")
    assert listed.out[0].split()[:4] == ["ID", "NAME", "KEY", "STATE"]
    assert listed.out[1].split()[:4] == [actor_id, "counter", long_key, "running"]
    empty = await rivet(engine, "actors", "list", "nothing")
    assert (empty.status, empty.out, empty.error) == (0, [], "There are no actors named nothing.")
    gone = await rivet(engine, "actors", "destroy", actor_id)
    assert gone.out == [f"destroyed {actor_id}"]


async def test_list_is_newest_first_and_cut_when_there_are_many_names(engine: SimulatedEngine, talking: Runner) -> None:
    ids = [(await engine.create(name, key="k")).id for name in ("one", "two", "three")]
    listed = await rivet(engine, "actors", "list", "--limit", "2", "--json")
    assert len(listed.json) == 2
    assert {actor["actor_id"] for actor in listed.json} < set(ids)
    by_key = await rivet(engine, "actors", "list", "two", "--key", "k", "--json")
    assert [actor["actor_id"] for actor in by_key.json] == [ids[1]]


@pytest.mark.parametrize("which", ["id", "key"])
async def test_request_reaches_the_actor_when_it_is_named(engine: SimulatedEngine, talking: Runner, which: str) -> None:
    actor = await engine.create("room", key="a/b")
    name = actor.id if which == "id" else "room/a/b"
    answer = await rivet(engine, "request", name, "post", "/x?y=z", "-d", "the body", "-H", "x-test: 1")
    assert (answer.status, answer.out, answer.err) == (0, ["POST /x y=z 1 the body"], [])


async def test_request_sends_a_file_and_shows_headers_when_asked(
    engine: SimulatedEngine, talking: Runner, tmp_path: Path
) -> None:
    actor = await engine.create("room")
    (tmp_path / "body").write_bytes(b"from a file")
    answer = await rivet(engine, "request", "-i", actor.id, "PUT", "/", "-d", f"@{tmp_path / 'body'}")
    assert answer.out[0] == "HTTP 200"
    assert any(line.startswith("x-rivet-ray-id: ") for line in answer.out)
    assert answer.out[-2:] == ["", "PUT /  - from a file"]


async def test_exit_status_tells_when_the_actor_answers_with_an_error(engine: SimulatedEngine, talking: Runner) -> None:
    actor = await engine.create("room")
    answer = await rivet(engine, "request", actor.id, "GET", "/status/418")
    assert (answer.status, answer.out, answer.error) == (1, ["as you wish"], "HTTP 418")


async def test_request_creates_nothing_when_there_is_no_such_actor(
    engine: SimulatedEngine, api: EngineApi, talking: Runner
) -> None:
    for which in ("room/key", "room/", "/key", "nonsense", "0" * 30):
        answer = await rivet(engine, "request", which, "GET", "/")
        assert (answer.status, answer.out) == (1, []), which
        assert answer.error.startswith("error: there is no actor ")
        assert "actors list" in answer.error
    assert await api.list_actor_names() == []


async def test_nothing_is_destroyed_when_one_of_the_actors_is_not_there(
    engine: SimulatedEngine, api: EngineApi, talking: Runner
) -> None:
    actor = await engine.create("room", key="k")
    answer = await rivet(engine, "actors", "destroy", "room/k", "room/other")
    assert answer.status == 1
    assert "'other'" in answer.error
    assert (await api.get_actor(actor.id)).destroy_ts is None


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["create", "room", "--key", "taken"], 1, "actor.duplicate_key"),
        (["create", "room", "--runner-name", "nowhere"], 1, "rivet-runner doctor"),
        (["create", "room", "--input", "@/no/such/file"], 2, "cannot read /no/such/file: No such file"),
        (["create", "room", "--crash-policy", "explode"], 2, "explode"),
        (["list", "--key", "k"], 2, "--key needs the NAME"),
        (["list", "--limit", "0"], 2, "--limit"),
        (["list", "--namespace", "nowhere"], 2, "--namespace (RIVET_NAMESPACE)"),
        (["list", "--endpoint", "nonsense"], 2, "--endpoint must be an http:// or https:// URL"),
        (["list", "--token", f"{TOKEN} with spaces"], 2, "--token must be"),
        (["show", "nonsense"], 1, "there is no actor with the id 'nonsense'"),
        (["lst"], 2, "lst"),
    ],
)
async def test_error_is_one_line_that_says_what_to_do(
    engine: SimulatedEngine, talking: Runner, arguments: list[str], status: int, part: str
) -> None:
    await engine.create("room", key="taken")
    answer = await rivet(engine, "actors", *arguments)
    assert (answer.status, answer.out) == (status, [])
    assert answer.error.startswith("error: ")
    assert part in answer.error
    assert TOKEN not in answer.error


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["request", "room/k", "GET", "/", "-H", "nonsense"], "is no header"),
        (["request", "room/k", "GET", "/ü"], "this is no request"),
        (["request", "room/k", "G T", "/"], "this is no request"),
    ],
)
async def test_error_tells_when_a_request_cannot_be_sent(
    engine: SimulatedEngine, talking: Runner, arguments: list[str], part: str
) -> None:
    await engine.create("room", key="k")
    answer = await rivet(engine, *arguments)
    assert (answer.status, answer.out) == (2, [])
    assert part in answer.error


async def test_error_names_the_endpoint_when_no_engine_is_there(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    (tmp_path / ".env").write_text(f"RIVET_ENDPOINT={endpoint}\nRIVET_TOKEN={TOKEN}\n")
    answer = await run_command("actors", "list", folder=tmp_path)
    assert answer.status == 2
    assert answer.error.startswith(f"error: there is no engine at {endpoint}: start one with `rivet-runner dev`")
    assert TOKEN not in answer.error


async def test_environment_and_options_win_over_the_file_when_all_are_there(
    engine: SimulatedEngine, talking: Runner, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("RIVET_ENDPOINT=http://file.invalid\nRIVET_NAMESPACE=file\n")
    environment = {"RIVET_ENDPOINT": engine.endpoint}
    by_variable = await run_command("actors", "list", folder=tmp_path, environment=environment)
    assert "has no namespace 'file'" in by_variable.error
    by_option = await run_command("actors", "list", "--namespace", "default", folder=tmp_path, environment=environment)
    assert by_option.status == 0


@pytest.fixture
async def answering(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A server that answers everything with the one status and body of the test."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, body = request.param
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


FORBIDDEN = '{"group": "api", "code": "forbidden", "message": "no"}'


@pytest.mark.parametrize(
    ("answering", "token", "part"),
    [
        ((403, FORBIDDEN), None, "requires a token: set --token (RIVET_TOKEN)"),
        ((403, FORBIDDEN), TOKEN, "refused the token: correct --token (RIVET_TOKEN)"),
        ((200, "<html>"), None, "is no Rivet Engine: correct --endpoint"),
        ((502, "<html>"), None, "is no Rivet Engine: correct --endpoint"),
    ],
    indirect=["answering"],
)
async def test_error_names_the_option_when_the_engine_refuses(answering: str, token: str | None, part: str) -> None:
    environment = {"RIVET_ENDPOINT": answering} | ({} if token is None else {"RIVET_TOKEN": token})
    answer = await run_command("actors", "list", environment=environment)
    assert answer.status == 2
    assert part in answer.error
    assert TOKEN not in answer.error


async def test_progress_is_shown_when_the_answer_takes_long_in_a_terminal(tmp_path: Path) -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    environment = {"RIVET_ENDPOINT": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
    async with server, Terminal("actors", "list", folder=tmp_path, environment=environment) as terminal:
        await eventually(lambda: "Asking the engine for its actors" in terminal.text, what="the progress")
        terminal.interrupt()
        assert await terminal.exit_code() == 130
    assert "Traceback" not in terminal.text


async def test_table_is_shown_in_a_terminal(engine: SimulatedEngine, talking: Runner, tmp_path: Path) -> None:
    actor = await engine.create("room", key="k")
    environment = {"RIVET_ENDPOINT": engine.endpoint}
    async with Terminal("actors", "list", folder=tmp_path, environment=environment) as terminal:
        assert await terminal.exit_code() == 0
        await eventually(lambda: actor.id in terminal.text, what="the whole id")


async def test_help_lists_the_commands_when_there_are_no_arguments(tmp_path: Path) -> None:
    answer = await run_command(folder=tmp_path)
    assert answer.status == 2
    assert any(line.split()[:1] == ["actors"] for line in answer.err)
    asked = await run_command("--help", folder=tmp_path)
    assert (asked.status, asked.out[0]) == (0, "Usage: rivet-runner [OPTIONS] COMMAND [ARGS]...")
    version = await run_command("--version", folder=tmp_path)
    assert (version.status, version.out[0].split()[0]) == (0, "rivet-runner")
