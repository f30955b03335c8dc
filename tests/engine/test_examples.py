"""The examples as their readers run them: in a process of their own, exactly as printed."""

from __future__ import annotations

import ast
import signal
from pathlib import Path

import pytest

from rivet_runner.testing import EngineApi, HttpResponse
from rivet_runner.testing.engine_types import RunnerInfo
from tests.docs.pages import RAW, programs
from tests.engine.support import PROJECT, Engine, Program
from tests.support.waiting import eventually

pytestmark = pytest.mark.real_time("the example is a process of its own")

COUNTER = PROJECT / "examples" / "counter.py"


def counter_of_the_guide() -> str:
    (text,) = (program.text for program in programs(RAW) if program.name == "raw_counter")
    return text


def without_docstring(source: str) -> list[str]:
    """The lines that are neither blank nor part of the module's docstring."""
    lines = source.splitlines()
    first = ast.parse(source).body[0]
    if isinstance(first, ast.Expr):
        del lines[: first.end_lineno]
    return [line for line in lines if line]


def test_guide_begins_with_the_counter() -> None:
    assert without_docstring(counter_of_the_guide()) == without_docstring(COUNTER.read_text())


@pytest.mark.parametrize("example", ["counter", "kv_notes", "guestbook", "chat", "agent", "lobby", "reminders"])
def test_example_tells_how_it_is_run_when_it_is_a_program(example: str) -> None:
    source = (PROJECT / "examples" / f"{example}.py").read_text()
    assert ast.get_docstring(ast.parse(source))
    assert 'if __name__ == "__main__":' in source


async def count(api: EngineApi, actor_id: str) -> object:
    response = await api.request(actor_id, "POST", "/increment")
    assert response.status == 200
    return response.json()


async def stop(program: Program) -> None:
    program.signal(signal.SIGTERM)
    assert await program.exit_code() == 0, program.err


async def test_counter_goes_on_counting_when_its_process_is_another(engine: Engine, api: EngineApi, tmp_path: Path) -> None:
    """First as a script, then as a module, then as the guide prints it."""
    await api.upsert_runner_config("counter")
    printed = tmp_path / "printed.py"
    printed.write_text(counter_of_the_guide())
    counts = []
    actor_id = ""
    for arguments in ([str(COUNTER)], ["-m", "examples.counter"], [str(printed)]):
        async with Program("-W", "error", *arguments, environment={"RIVET_ENDPOINT": engine.endpoint}) as program:
            # It prints nothing: the engine tells when it is connected.
            await _runner_is_listed(api, "counter")
            if not actor_id:
                actor_id = (await api.create_actor("counter", runner_name="counter")).actor_id
            counts += [await count(api, actor_id) for _ in range(2)]
            async with api.websocket(actor_id) as socket:
                await socket.send("hello")
                assert await socket.recv() == "hello"
            await stop(program)
            assert not any("Traceback" in line for line in program.err), program.err
    assert counts == [{"count": number} for number in range(1, 7)]


async def _runner_is_listed(api: EngineApi, name: str) -> None:
    """Wait until exactly one runner of this name takes actors."""
    listed: list[RunnerInfo] = []

    async def one_takes_actors() -> bool:
        listed[:] = await api.list_runners(name)
        return [runner.drain_ts for runner in listed].count(None) == 1

    try:
        await eventually(one_takes_actors)
    except AssertionError as error:
        error.add_note(f"the last that were listed: {listed}")
        raise


@pytest.mark.parametrize("arguments", [["-m", "examples.kv_notes"], [str(PROJECT / "examples" / "kv_notes.py")]])
async def test_notes_are_kept_when_they_are_written(engine: Engine, api: EngineApi, arguments: list[str]) -> None:
    await api.upsert_runner_config("notes")
    async with Program("-W", "error", *arguments, environment={"RIVET_ENDPOINT": engine.endpoint}) as program:
        await program.printed("connected to")
        notebook = await api.create_actor("notebook", runner_name="notes")

        async def call(method: str, path: str, body: bytes | None = None) -> HttpResponse:
            return await api.request(notebook.actor_id, method, path, body=body)

        assert (await call("GET", "/notes")).json() == []
        for name in ("to-buy", "to-do", "caf%C3%A9", "a%2Fb"):
            assert (await call("PUT", f"/notes/{name}", f"text of {name}".encode())).status == 204
        assert (await call("PUT", "/notes/to-do", b"changed")).status == 204
        assert (await call("GET", "/notes")).json() == ["a/b", "café", "to-buy", "to-do"]
        assert (await call("GET", "/notes?prefix=to-")).json() == ["to-buy", "to-do"]
        assert (await call("GET", "/notes?prefix=caf%C3%A9")).json() == ["café"]
        assert (await call("GET", "/notes?prefix=x")).json() == []
        assert (await call("GET", "/notes/to-do")).body == b"changed"
        assert (await call("GET", "/notes/a%2Fb")).body == b"text of a%2Fb"
        assert (await call("DELETE", "/notes/to-do")).status == 204
        assert (await call("DELETE", "/notes/to-do")).status == 204
        assert (await call("GET", "/notes/to-do")).status == 404
        assert (await call("HEAD", "/notes/to-buy")).status == 200
        too_large = await call("PUT", "/notes/large", bytes(128 * 1024 + 1))
        assert (too_large.status, "131072" in too_large.text()) == (413, True)
        assert (await call("GET", "/notes/" + "x" * 3000)).status == 413
        not_allowed = [await call("POST", "/notes"), await call("POST", "/notes/x")]
        assert [(response.status, response.headers["allow"]) for response in not_allowed] == [
            (405, "GET, HEAD"),
            (405, "GET, HEAD, PUT, DELETE"),
        ]
        assert (await call("GET", "/other")).status == 404
        assert (await call("GET", "/notes/to-buy")).body == b"text of to-buy"
        await stop(program)
        assert not any("Traceback" in line or "ERROR" in line for line in program.err), program.err


async def test_guestbook_keeps_its_entries_and_shows_them_live(engine: Engine, api: EngineApi) -> None:
    await api.upsert_runner_config("guestbook")
    json_type = {"content-type": "application/json"}
    async with Program(
        "-W", "error", "-m", "examples.guestbook", environment={"RIVET_ENDPOINT": engine.endpoint}
    ) as program:
        await _runner_is_listed(api, "guestbook")
        book = (await api.create_ready_actor("guestbook", runner_name="guestbook")).actor_id
        async with api.websocket(book, "/live") as watching:
            for text in ("Nice place.", "Grüße"):
                body = f'{{"text": "{text}"}}'.encode()
                assert (await api.request(book, "POST", "/entries", headers=json_type, body=body)).status == 201
                assert await watching.recv() == text
        refused = await api.request(book, "POST", "/entries", headers=json_type, body=b'{"text": " "}')
        assert (refused.status, refused.json()) == (400, {"detail": "an entry needs a text"})
        assert (await api.request(book, "GET", "/entries")).json() == ["Nice place.", "Grüße"]
        assert "/openapi.json" in (await api.request(book, "GET", "/docs")).text()
        await stop(program)
        assert program.err == []
