"""The process and its watchdog, with a shell in place of the engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivet_runner.testing.engine_process import EngineProcess
from tests.support.waiting import eventually

FOREVER = "while :; do sleep 0.05; done"


class Processes:
    """Processes that end with the test."""

    def __init__(self, folder: Path) -> None:
        self.log_path = folder / "engine.log"
        self._started: list[EngineProcess] = []

    def run(self, script: str) -> EngineProcess:
        process = EngineProcess(["/bin/sh", "-c", script], log_path=self.log_path)
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in self._started:
            process.kill()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    current = Processes(tmp_path)
    yield current
    current.end()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A dead process stays as a zombie until its parent waits for it.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


async def test_output_is_appended_and_the_offset_is_its_own_when_a_second_one_runs(processes: Processes) -> None:
    for word in ("first", "second"):
        process = processes.run(f"echo {word}; echo more >&2; exit 3")
        assert await process.wait(60)
        assert process.exit_code() == 3
    assert processes.log_path.read_text() == "first\nmore\nsecond\nmore\n"
    assert processes.log_path.read_text()[process.log_offset :] == "second\nmore\n"


async def test_waiting_is_false_when_it_runs_on(processes: Processes) -> None:
    process = processes.run(FOREVER)
    assert not await process.wait(0.05)
    assert process.exit_code() is None
    process.terminate()
    assert await process.wait(60)
    assert process.exit_code() == -signal.SIGTERM


async def test_its_children_are_gone_too_when_it_is_killed(processes: Processes, tmp_path: Path) -> None:
    child = tmp_path / "child"
    process = processes.run(f"({FOREVER}) & echo $! > {child}.part; mv {child}.part {child}; trap '' TERM; wait")
    await eventually(child.exists)
    pid = int(child.read_text())
    assert is_alive(pid)
    process.kill()
    await eventually(lambda: not is_alive(pid))
    assert process.exit_code() == -signal.SIGKILL
    process.kill()


async def test_variables_are_left_out_when_they_would_change_the_engine(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RIVET__GUARD__PORT", "RUST_LOG", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "HTTP_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "forbidden")
    monkeypatch.setenv("RIVET_TOKEN", "kept")
    assert await processes.run("env").wait(60)
    assert "forbidden" not in processes.log_path.read_text()
    assert "RIVET_TOKEN=kept" in processes.log_path.read_text()


OWNER = """
import pathlib, sys, time
from rivet_runner.testing.engine_process import EngineProcess
folder = pathlib.Path(sys.argv[1])
data = folder / "data"
data.mkdir()
process = EngineProcess(["/bin/sh", "-c", sys.argv[2]], log_path=folder / "log", orphaned_directory=data)
print(process.pid, flush=True)
time.sleep(600)
"""


async def test_process_and_data_are_gone_when_the_owner_is_killed(tmp_path: Path) -> None:
    owner = _start_owner(tmp_path)
    try:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        assert (tmp_path / "data").exists()
    finally:
        owner.kill()
        owner.communicate()
    await eventually(lambda: not is_alive(pid))
    await eventually(lambda: not (tmp_path / "data").exists())


def _start_owner(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", OWNER, str(folder), FOREVER]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_an_os_error_is_raised_when_the_program_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        EngineProcess([str(tmp_path / "nothing")], log_path=tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == b""
