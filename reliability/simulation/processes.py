"""The processes of a run, each with one runner."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from reliability.simulation.world import World
from rivet_runner import Runner

__all__ = ["Process", "options_of"]

OPTIONS: Final[dict[str, Any]] = {
    "endpoint": "http://simulated.invalid",
    "runner_name": "default",
    "stop_timeout": 20.0,
    "actor_stop_timeout": 10.0,
    "start_timeout": 600.0,
    "kv_timeout": 10.0,
}


def options_of(process: str, protocol: int) -> dict[str, Any]:
    """The options of the runner of a process."""
    return {**OPTIONS, "runner_key": process, "protocol": protocol}


class Process:
    """One process with a runner, hosted until it is told to end."""

    def __init__(self, world: World, name: str, runner: Runner) -> None:
        self.name = name
        self._world = world
        self._runner = runner
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"process {name}")

    @property
    def _killed(self) -> bool:
        return self.name in self._world.killed

    async def _run(self) -> None:
        async with self._world.engine.host(self._runner):
            await self._end.wait()
            if not self._killed:
                self._world.note("process", self.name, "shuts down")
        if not self._killed:
            await asyncio.sleep(0.1)  # the last answers are on their way
            self._world.note("process", self.name, "is down")

    async def shut_down(self) -> None:
        self._end.set()
        await self.task

    async def kill(self) -> None:
        self._world.killed.add(self.name)
        self._end.set()
        if self._runner.runner_id is None:
            self.task.cancel()
        else:
            await self._world.engine.kill(self._runner)
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
