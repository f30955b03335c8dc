"""``doctor``: each check when all is well, and the line when it is not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rivet_runner import Runner, RunnerConfig
from rivet_runner.cli.connection import Connection
from rivet_runner.cli.doctor import examine
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import EngineApi, LocalEngine, SimulatedEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.support import Finished, module, run_command
from tests.support.uvicorn_server import served

TOKEN = "s3cr3t-token-of-the-test"


def checks(ended: Finished) -> dict[str, tuple[str, str]]:
    """Level and text of each check, by its name."""
    return {line[6:21].strip(): (line[:5].strip(), line[22:]) for line in ended.out}


async def examined(*arguments: str, folder: Path, **environment: str) -> tuple[int, dict[str, tuple[str, str]]]:
    variables = {f"RIVET_{name.upper()}": value for name, value in environment.items()}
    ended = await run_command("doctor", *arguments, folder=folder, environment=variables)
    assert ended.err == []
    assert not any(TOKEN in line for line in ended.out)
    return ended.status, checks(ended)


@pytest.mark.parametrize("protocol", ["3", "7"])
async def test_each_check_has_a_line_when_all_is_well(
    engine: SimulatedEngine, api: EngineApi, tmp_path: Path, protocol: str
) -> None:
    module(tmp_path, "from rivet_runner import Runner\nquick = Runner(stop_timeout=10, actor_stop_timeout=5)\n")
    environment = {"endpoint": engine.endpoint, "runner_protocol": protocol}
    status, found = await examined("app:quick", folder=tmp_path, **environment)
    assert status == 0
    assert {name: level for name, (level, _) in found.items()} == dict.fromkeys(
        ["engine", "protocol", "namespace", "token", "clock", "lost runners", "stop_timeout", "runner config"], "ok"
    )
    assert found["protocol"][1] == f"version {protocol} is spoken"
    assert engine.connected_runners == 0
    assert all(runner.drain_ts is not None for runner in await api.list_runners("rivet-runner-doctor")), "it gets no actors"


async def test_line_says_what_to_do_when_the_runner_config_or_the_grace_is_missing(
    engine: SimulatedEngine, api: EngineApi, tmp_path: Path
) -> None:
    status, found = await examined(folder=tmp_path, endpoint=engine.endpoint, runner_name="counter")
    assert status == 1
    level, text = found["runner config"]
    assert level == "fail"
    assert "there is none for 'counter'" in text
    assert "There are 'default': correct runner_name" in text
    assert f"curl -X PUT '{engine.endpoint}/runner-configs/counter?namespace=default'" in text
    level, text = found["stop_timeout"]
    assert level == "warn"
    assert "a drain may take 150 s" in text
    assert "set terminationGracePeriodSeconds to 160" in text


async def test_threshold_is_too_short_when_a_drain_reports_less_often(tmp_path: Path) -> None:
    async with SimulatedEngine(settings={"runner_lost_threshold": 4_000}) as engine:
        await engine.listen()
        _, found = await examined(folder=tmp_path, endpoint=engine.endpoint)
    assert found["lost runners"][0] == "warn"
    assert "after 4 s" in found["lost runners"][1]


async def test_clock_is_told_when_it_is_wrong(
    engine: SimulatedEngine, api: EngineApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 100)
    config = RunnerConfig(endpoint=engine.endpoint)
    assert await examine(config, Connection.of(config)) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " clock " in line]
    assert line.startswith("warn")
    assert "are 100 s apart" in line


async def test_line_names_the_option_when_there_is_no_engine_or_no_namespace(
    engine: SimulatedEngine, tmp_path: Path
) -> None:
    endpoint = f"http://127.0.0.1:{choose_ports().guard}"
    status, found = await examined(folder=tmp_path, endpoint=endpoint)
    assert (status, [*found]) == (2, ["engine"])
    assert f"there is no engine at {endpoint}" in found["engine"][1]
    status, found = await examined("--namespace", "nowhere", folder=tmp_path, endpoint=engine.endpoint)
    assert status != 0
    assert found["namespace"] == (
        "fail",
        "there is no 'nowhere': create it, or correct --namespace (RIVET_NAMESPACE)",
    )


async def test_bad_target_is_one_line(engine: SimulatedEngine, tmp_path: Path) -> None:
    ended = await run_command("doctor", "nowhere:Counter", folder=tmp_path)
    assert (ended.status, ended.out) == (2, [])
    assert ended.error.startswith("error: there is no module nowhere")


@contextlib.asynccontextmanager
async def login_page() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 x\r\ncontent-length: 6\r\n\r\n<html>")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.engine
async def test_real_engine_is_examined_when_it_starts_runners_by_requests_and_wants_a_token(tmp_path: Path) -> None:
    async with LocalEngine(admin_token=TOKEN) as engine:
        api = EngineApi(engine.endpoint, token=TOKEN)
        environment = {"endpoint": engine.endpoint, "token": TOKEN, "runner_name": "site"}
        async with served(serverless_app(Runner)) as url, login_page() as blocked:
            await api.upsert_runner_config("site", serverless_url=url)
            status, found = await examined(folder=tmp_path, **environment)
            assert (status, found["serverless"]) == (0, ("ok", f"{url} answers"))
            assert found["token"] == ("ok", "it is accepted")
            assert found["clock"][0] == "ok"
            await api.upsert_runner_config("site", serverless_url=blocked)
            status, found = await examined(folder=tmp_path, **environment)
            assert (status, found["serverless"][0]) == (1, "fail")
            assert f"{blocked}/metadata is blocked or wrong (HTTP 401)" in found["serverless"][1]
        await api.upsert_runner_config("site", serverless_url=blocked)
        status, found = await examined(folder=tmp_path, **environment)
        assert "does not answer from here" in found["serverless"][1]
        status, found = await examined(folder=tmp_path, endpoint=engine.endpoint, token="wrong")
        assert (status, found["token"]) == (2, ("fail", "the engine refused it: correct --token (RIVET_TOKEN)"))
        status, found = await examined(folder=tmp_path, endpoint=engine.endpoint)
        assert (status, found["token"]) == (2, ("fail", "the engine requires one: set --token (RIVET_TOKEN)"))
