"""``run``: processes with a runner each, started together and kept running."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import note, progress
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.health import WorkerReports, serve_probes
from rivet_runner.cli.interrupts import until_interrupted
from rivet_runner.cli.worker import WorkerOptions
from rivet_runner.cli.worker_process import Ended, WorkerProcess, end_all

__all__ = ["Supervisor", "restart_delay", "run_workers"]

Spawn: TypeAlias = Callable[[str], Awaitable[WorkerProcess]]

KEPT_CRASHING: Final = 1
ALL_EVICTED: Final = 3

FIRST_DELAY_SECONDS: Final = 1.0
LONGEST_DELAY_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 60.0
"""A worker that was connected for so long is steady: the delays start over."""

MOST_FAILURES: Final = 8
"""In a row, of one worker. The command gives up if no other worker is connected then."""


async def run_workers(
    target: str,
    connection: Connection,
    environment: Mapping[str, str],
    *,
    count: int,
    log_level: str,
    start_timeout: float,
    health_port: int | None = None,
) -> int:
    """Run ``count`` workers until a signal ends them, and return the exit status. Raises `CommandError`."""
    names = [f"worker {number}" for number in range(1, count + 1)]
    reports = {name: WorkerReports() for name in names}
    following: set[asyncio.Task[None]] = set()

    async def spawn(name: str) -> WorkerProcess:
        options = WorkerOptions(f"[{name}] " if count > 1 else "", log_level, connection.given)
        if health_port is None:
            return await WorkerProcess.spawn(name, target, environment, options)
        ours, theirs = socket.socketpair()
        with theirs:
            task = asyncio.create_task(reports[name].follow(ours), name=f"{name}: reports")
            following.add(task)
            task.add_done_callback(following.discard)
            return await WorkerProcess.spawn(name, target, environment, options, theirs)

    supervisor = Supervisor(target, connection.endpoint, names, spawn)

    async def work(hurried: asyncio.Event) -> int:
        async with serve_probes(health_port, reports.values()):
            try:
                await supervisor.launch(start_timeout)
                return await supervisor.watch()
            finally:
                await end_all(supervisor.processes, hurried)

    return await until_interrupted(work, "Draining the actors. Press Ctrl-C again to hurry.")


def restart_delay(failures: int) -> float:
    """Seconds before a worker is started again after so many failures in a row: 1, 2, 4 and so on, at most 30."""
    return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(failures - 1, 16)))


class Supervisor:
    """The workers of one ``run``. Its owner ends ``processes``. ``spawn`` makes a process with the name that it is given."""

    def __init__(self, target: str, endpoint: str, names: Sequence[str], spawn: Spawn) -> None:
        self._target = target
        self._endpoint = endpoint
        self._names = names
        self._spawn_named = spawn
        self._processes: dict[str, WorkerProcess] = {}

    @property
    def processes(self) -> list[WorkerProcess]:
        return [*self._processes.values()]

    async def launch(self, timeout: float) -> None:
        """Start all workers, and return when the engine has accepted each. Raises `CommandError` if one cannot start.

        No worker connects before each of them has made its runner.
        """
        async with progress(f"Loading {self._target}"):
            for name in self._names:
                await self._spawn(name)
            keys = [(await process.wait_loaded()).runner_key for process in self.processes]
        if len({*keys}) < len(keys):
            raise CommandError(
                f"{self._target} sets `runner_key` in its code, but each of the {len(keys)} workers needs a key of its own: "
                "remove the key, or run one worker"
            )
        for process in self.processes:
            process.start(timeout)
        async with progress(f"Waiting for the engine at {self._endpoint}"):
            for process in self.processes:
                await process.wait_connected()
        runs = "1 worker runs" if len(keys) == 1 else f"{len(keys)} workers run"
        note(f"{runs} {self._target} for the engine at {self._endpoint}")

    async def watch(self) -> int:
        """Start workers again that have crashed. Returns when the engine has evicted every one. Raises `CommandError`."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._names:
                    group.create_task(self._keep(name), name=f"{name}: keep")
        except* CommandError as errors:
            raise errors.exceptions[0] from None
        return ALL_EVICTED

    async def _spawn(self, name: str) -> WorkerProcess:
        process = self._processes[name] = await self._spawn_named(name)
        return process

    async def _keep(self, name: str) -> None:
        failures = 0
        while True:
            process = self._processes[name]
            ended = await asyncio.shield(process.ended)
            if ended.failure is not None and ended.failure.kind == "evicted":
                note(f"{name} (pid {process.pid}) is over: {ended.reason}")
                return
            failures = 1 if _was_steady(process) else failures + 1
            delay = restart_delay(failures)
            self._tell(process, ended, failures, delay)
            await asyncio.sleep(delay)
            process = await self._spawn(name)
            if await asyncio.shield(process.loaded) is not None:
                process.start(None)

    def _tell(self, process: WorkerProcess, ended: Ended, failures: int, delay: float) -> None:
        """Say that a worker has ended. Raises `CommandError` if it makes no sense to start it once more."""
        if ended.failure is not None and ended.failure.details is not None:
            note(ended.failure.details)
        line = f"{process.name} (pid {process.pid}) has ended: {ended.reason}"
        if failures >= MOST_FAILURES and not any(other.state.connected for other in self.processes):
            raise CommandError(f"{line}. It failed {failures} times in a row, and no other runs", status=KEPT_CRASHING)
        note(f"{line}. It is started again in {delay:g} s")


def _was_steady(process: WorkerProcess) -> bool:
    since = process.connected_at
    return since is not None and asyncio.get_running_loop().time() - since >= STEADY_SECONDS
