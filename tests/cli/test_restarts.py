"""When workers are started again, with processes that a test ends as it likes, on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from rivet_runner.cli.channel import Failed, Loaded, State
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.supervision import ALL_EVICTED, Supervisor, restart_delay
from rivet_runner.cli.worker_process import Ended, WorkerProcess
from tests.support.virtual_time import virtual_time


class FakeProcess:
    """A `WorkerProcess` without a process."""

    def __init__(self, name: str, key: str) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.pid = 1
        self.state = State()
        self.loaded = loop.create_future()
        self.loaded.set_result(Loaded("default", key, []))
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self.connected_at: float | None = None
        self.started: list[float | None] = []

    async def wait_loaded(self) -> Any:
        return await self.loaded

    async def wait_connected(self) -> Any:
        self.connect()

    def start(self, timeout: float | None) -> None:
        self.started.append(timeout)

    def connect(self) -> None:
        self.state = State(connected=True)
        self.connected_at = asyncio.get_running_loop().time()

    def end(self, status: int = 1, failure: Failed | None = None) -> None:
        self.state = State()
        self.ended.set_result(Ended(status, failure))


class Scene:
    """A supervisor of fake processes, each with its time of birth."""

    def __init__(self, count: int, *, same_key: bool = False) -> None:
        self.processes: list[FakeProcess] = []
        self.times: list[float] = []
        self._same_key = same_key
        names = [f"worker {number}" for number in range(1, count + 1)]
        self.supervisor = Supervisor("app:Counter", "http://engine.example", names, self._spawn)

    async def _spawn(self, name: str) -> WorkerProcess:
        process = FakeProcess(name, "key" if self._same_key else f"key {len(self.processes)}")
        self.processes.append(process)
        self.times.append(asyncio.get_running_loop().time())
        return cast(WorkerProcess, process)

    async def launched(self) -> asyncio.Task[int]:
        """Launch the workers, and keep them running in a task."""
        await self.supervisor.launch(5)
        return asyncio.create_task(self.supervisor.watch())


def test_delay_doubles_up_to_30_seconds() -> None:
    assert [restart_delay(failures) for failures in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert restart_delay(10_000) == 30


@virtual_time
async def test_crashed_worker_is_started_again_after_a_growing_delay(capsys: pytest.CaptureFixture[str]) -> None:
    scene = Scene(2)
    began = asyncio.get_running_loop().time()
    await scene.supervisor.launch(5)
    assert [process.started for process in scene.processes] == [[5], [5]]
    watching = asyncio.create_task(scene.supervisor.watch())
    for _ in range(3):
        scene.processes[-1].end(status=-9)
        await asyncio.sleep(20)
    assert [time - began for time in scene.times] == [0, 0, 1, 22, 44]
    assert [process.name for process in scene.processes[2:]] == ["worker 2"] * 3
    assert scene.processes[-1].started == [None], "it waits for the engine as long as that takes"
    watching.cancel()
    lines = [line for line in capsys.readouterr().err.splitlines() if "killed by SIGKILL" in line]
    assert [line.rpartition(" in ")[2] for line in lines] == ["1 s", "2 s", "4 s"]


@virtual_time
async def test_delays_start_over_when_a_worker_was_connected_for_a_minute() -> None:
    scene = Scene(1)
    watching = await scene.launched()
    scene.processes[-1].end()
    await asyncio.sleep(1.5)
    scene.processes[-1].connect()
    await asyncio.sleep(61)
    began = asyncio.get_running_loop().time()
    scene.processes[-1].end()
    await asyncio.sleep(1.5)
    assert scene.times[-1] == began + 1
    watching.cancel()


@virtual_time
async def test_command_gives_up_when_a_worker_keeps_failing_and_no_other_runs() -> None:
    scene = Scene(1)
    watching = await scene.launched()
    for _ in range(8):
        scene.processes[-1].end(3, Failed("failed", "ValueError: no"))
        await asyncio.sleep(40)
    with pytest.raises(CommandError, match=r"worker 1 .* ValueError: no\. It failed 8 times in a row") as caught:
        await watching
    assert caught.value.status == 1
    assert len(scene.processes) == 8


@virtual_time
async def test_command_goes_on_when_another_worker_runs() -> None:
    scene = Scene(2)
    watching = await scene.launched()
    for _ in range(12):
        scene.processes[-1].end()
        await asyncio.sleep(40)
    assert not watching.done()
    assert len(scene.processes) == 14
    watching.cancel()


@virtual_time
async def test_evicted_worker_is_not_started_again() -> None:
    scene = Scene(2)
    watching = await scene.launched()
    evicted = Failed("evicted", "a newer version takes its actors")
    scene.processes[0].end(3, evicted)
    await asyncio.sleep(100)
    assert len(scene.processes) == 2
    assert not watching.done()
    scene.processes[1].end(3, evicted)
    assert await watching == ALL_EVICTED


@virtual_time
async def test_no_worker_starts_when_two_have_the_same_key() -> None:
    scene = Scene(2, same_key=True)
    with pytest.raises(CommandError, match="sets `runner_key` in its code"):
        await scene.supervisor.launch(5)
    assert [process.started for process in scene.processes] == [[], []]
