from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from rivet_runner.testing import (
    EngineApi,
    EngineApiError,
    EngineNotFound,
    EngineStartFailed,
    HttpExchangeFailed,
    LocalEngine,
)
from rivet_runner.testing.engine_config import LOOPBACK, choose_ports
from tests.support.waiting import eventually

pytestmark = pytest.mark.real_engine("it is about the process of a real engine")

_STARTS_AN_ENGINE_AND_WAITS = """
import asyncio
from rivet_runner.testing import LocalEngine

async def main():
    async with LocalEngine() as engine:
        print(engine.pid, engine.data_dir, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Dead as well when nobody has waited for it yet: in a container, process 1 may never wait for orphans.
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_engine_is_ready_when_it_is_started_and_gone_after_the_block() -> None:
    async with LocalEngine() as engine:
        api = EngineApi(engine.endpoint)
        assert (await api.health()).status == "ok"
        assert "default" in [namespace.name for namespace in await api.list_namespaces()]
        assert engine.process.pid == engine.pid
        assert "listening on" in engine.log_path.read_text()
        assert engine.log_tail(1).count("\n") == 0
        pid, folder, process = engine.pid, engine.data_dir, engine.process
    assert process.returncode is not None
    assert not is_alive(pid)
    assert not folder.exists()
    assert not engine.running
    with pytest.raises(RuntimeError, match="closed"):
        _ = engine.endpoint


async def test_data_and_ports_stay_over_stop_kill_and_restart() -> None:
    async with LocalEngine() as engine:
        endpoint, api = engine.endpoint, EngineApi(engine.endpoint)
        await api.upsert_runner_config("kept")
        actor = await api.create_actor("a", runner_name="kept", key="kept")

        await engine.stop()
        assert (engine.running, engine.process.returncode) == (False, 0)
        with pytest.raises(HttpExchangeFailed):
            await api.health()
        await engine.stop()
        await engine.restart()
        assert (await api.get_actor(actor.actor_id)).key == "kept"

        await engine.kill()
        assert (engine.running, engine.process.returncode) == (False, -signal.SIGKILL)
        await engine.start()
        assert (await api.get_actor(actor.actor_id)).key == "kept"

        pid = engine.pid
        await engine.restart()
        assert engine.pid != pid
        assert not is_alive(pid)
        assert engine.endpoint == endpoint
        assert (await api.get_actor(actor.actor_id)).key == "kept"


async def test_start_is_refused_when_it_runs(local_engine: LocalEngine) -> None:
    with pytest.raises(RuntimeError, match="already running"):
        await local_engine.start()


async def test_stop_is_quick_when_a_client_websocket_is_open() -> None:
    async with LocalEngine() as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("r")
        actor = await api.create_actor("a", runner_name="r")
        # Never answered, because there is no runner: exactly what a graceful engine waits for.
        opening = asyncio.ensure_future(api.websocket(actor.actor_id).__aenter__())
        await asyncio.sleep(0.2)
        process = engine.process
        await engine.stop(timeout=60)
        assert process.returncode != -signal.SIGKILL, "it had to be killed"
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


async def test_nothing_is_left_when_the_body_raises() -> None:
    left: list[tuple[int, Path]] = []

    async def body() -> None:
        async with LocalEngine() as engine:
            left.append((engine.pid, engine.data_dir))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    ((pid, folder),) = left
    assert not is_alive(pid)
    assert not folder.exists()


async def test_nothing_is_left_when_the_body_is_cancelled() -> None:
    started = asyncio.Event()
    left: list[tuple[int, Path]] = []

    async def body() -> None:
        async with LocalEngine() as engine:
            left.append((engine.pid, engine.data_dir))
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    ((pid, folder),) = left
    assert not is_alive(pid)
    assert not folder.exists()


async def test_nothing_is_left_when_the_start_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = LocalEngine()
    start = asyncio.create_task(engine.start())
    await eventually(lambda: engine.running)
    pid = engine.pid
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not is_alive(pid)
    assert files_in(tmp_path) == []


async def test_nothing_is_left_when_this_process_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _STARTS_AN_ENGINE_AND_WAITS, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid, folder = (await parent.stdout.readline()).decode().split()
    assert is_alive(int(pid))
    parent.kill()
    await parent.wait()
    await eventually(lambda: not is_alive(int(pid)) and not Path(folder).exists())


async def test_start_fails_with_the_engines_words_when_the_config_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = LocalEngine({"runtime": {"unheard_of": 1}})
    with pytest.raises(EngineStartFailed, match=r"exit code 1 [\s\S]*unheard_of"):
        await engine.start()
    assert files_in(tmp_path) == []


async def test_start_fails_when_the_engine_is_too_slow() -> None:
    with pytest.raises(EngineStartFailed, match="not ready within 0"):
        await LocalEngine(start_timeout=0.0).start()


async def test_restart_fails_and_keeps_the_data_when_its_port_was_taken() -> None:
    async with LocalEngine() as engine:
        await engine.stop()
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind((LOOPBACK, int(engine.endpoint.rpartition(":")[2])))
            thief.listen()
            with pytest.raises(EngineStartFailed, match="in use"):
                await engine.start()
        await engine.start()
        assert (await EngineApi(engine.endpoint).health()).status == "ok"


@pytest.mark.parametrize("which", ["guard", "api_peer", "metrics"])
async def test_start_takes_other_ports_when_one_is_lost_to_another_process(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contested = choose_ports()
    choices = [contested, choose_ports()]
    with socket.socket() as thief:
        thief.bind((LOOPBACK, getattr(contested, which)))
        thief.listen()
        monkeypatch.setattr("rivet_runner.testing.local_engine.choose_ports", lambda _: choices.pop(0))
        async with LocalEngine() as engine:
            assert engine.endpoint != f"http://{LOOPBACK}:{contested.guard}"
            assert (await EngineApi(engine.endpoint).health()).status == "ok"


async def test_fixed_port_and_data_dir_are_used_and_the_data_is_kept(tmp_path: Path) -> None:
    port, folder = choose_ports().guard, tmp_path / "made" / "here"
    async with LocalEngine(port=port, data_dir=folder) as engine:
        assert engine.endpoint == f"http://127.0.0.1:{port}"
        assert engine.data_dir == folder
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("kept")
        actor = await api.create_actor("a", runner_name="kept")
        with pytest.raises(EngineStartFailed, match=f"port {port} of"):
            await LocalEngine(port=port).start()
    assert folder.exists()
    async with LocalEngine(data_dir=folder) as engine:
        assert (await EngineApi(engine.endpoint).get_actor(actor.actor_id)).name == "a"


async def test_two_engines_run_side_by_side(local_engine: LocalEngine) -> None:
    async with LocalEngine() as other:
        assert other.endpoint != local_engine.endpoint
        assert other.data_dir != local_engine.data_dir
        ids = {(await EngineApi(each.endpoint).list_namespaces())[0].namespace_id for each in (local_engine, other)}
        assert len(ids) == 2


@pytest.mark.parametrize("given", [{"admin_token": "secret"}, {"config": {"auth": {"admin_token": "secret"}}}], ids=str)
async def test_calls_need_the_admin_token_when_there_is_one(given: dict[str, object]) -> None:
    async with LocalEngine(**given) as engine:  # type: ignore[arg-type]
        assert engine.admin_token == "secret"
        assert await EngineApi(engine.endpoint, token="secret").list_runners() == []
        for wrong in (None, "wrong"):
            with pytest.raises(EngineApiError, match=r"api\.forbidden") as caught:
                await EngineApi(engine.endpoint, token=wrong).list_runners()
            assert caught.value.status == 403
        assert (engine.data_dir / "engine.json").stat().st_mode & 0o077 == 0


async def test_environment_does_not_change_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET__GUARD__PORT", "1")
    monkeypatch.setenv("RUST_LOG", "off")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with LocalEngine() as engine:
        assert (await EngineApi(engine.endpoint).health()).status == "ok"


async def test_start_fails_when_there_is_no_binary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RIVET_ENGINE_BINARY", str(tmp_path / "missing"))
    with pytest.raises(EngineNotFound, match="missing"):
        await LocalEngine().start()


def test_engine_may_be_started_in_one_event_loop_and_used_in_others() -> None:
    engine = LocalEngine()
    try:
        asyncio.run(engine.start())
        asyncio.run(engine.restart())
        health = asyncio.run(EngineApi(engine.endpoint).health())
        assert health.status == "ok"
    finally:
        engine.close()
    assert not engine.running
