"""One run's load: actors, clients, and processes that come and go while faults strike, and then a calm.

In the calm no hook raises and no fault strikes. Everything must work again then, and nothing may be left at the end.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from itertools import accumulate
from typing import Any, ClassVar, Final, cast

from reliability.simulation.checker import Checker
from reliability.simulation.processes import Process
from reliability.simulation.world import World
from rivet_runner import Runner
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["FAULTY_SECONDS", "Load"]

FAULTY_SECONDS: Final = 15.0
"""The first part of a run, in which faults strike."""

ACTORS: Final = (("a", "sleep"), ("b", "restart"), ("c", "sleep"))
CLIENTS: Final = 4
PROCESSES: Final = 2

STEP: Final = (0.0, 0.01, 0.5, 3.0)
"""Seconds between two actions of the load: none, or up to one of these."""


class Load(ABC):
    """One run. Call `run` on an engine of virtual time. ``checker`` reads the trace meanwhile."""

    ACTOR: ClassVar[str]
    """The name of the actors."""
    ACTIONS: ClassVar[Mapping[str, float]]
    """The names of the load's actions, which are methods, and how often each is taken."""

    def __init__(self, engine: SimulatedEngine, seed: int, checker: Checker, protocol: int) -> None:
        self._protocol = protocol
        self._engine = engine
        self._world = World(engine, seed)
        self._random = self._world.random
        self._checker = checker
        self._read = 0
        self._handles: list[SimulatedActorHandle] = []
        self._processes: list[Process] = []
        self._names = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._actions = [getattr(self, name) for name in self.ACTIONS]
        self._shares = [*accumulate(self.ACTIONS.values())]

    async def run(self) -> None:
        """Do everything, and stop early at the first promise that is broken."""
        loop = asyncio.get_running_loop()
        for _ in range(PROCESSES):
            self._start_process()
        for key, policy in ACTORS:
            name = self._name_of(key)
            self._handles.append(await self._engine.create(name, key=key, crash_policy=cast(Any, policy)))
        for _ in range(CLIENTS):
            await self._connect()
        calm_at = loop.time() + FAULTY_SECONDS
        while loop.time() < calm_at and not self._checker.broken:
            [action] = self._random.choices(self._actions, cum_weights=self._shares)
            await action()
            await asyncio.sleep(self._random.uniform(0, self._random.choice(STEP)))
            await self.check()
        if not self._checker.broken:
            self._world.calm = True
            self._engine.heal()
            await self._calm()
        await self._end()

    async def check(self) -> None:
        """Have the checker read what is new."""
        trace = self._world.trace
        new, self._read = trace.since(self._read), trace.added
        self._checker.read(new)
        self._checker.tick(trace.time)

    @property
    def _has_news(self) -> bool:
        """Whether the trace has grown since the last check. Otherwise nothing has happened."""
        return self._world.trace.added > self._read

    # Of each kind of load

    def _name_of(self, key: str) -> str:
        """The name of the actor with this key."""
        return self.ACTOR

    @abstractmethod
    def _runner(self, process: str) -> Runner:
        """Make the runner of a process."""

    @abstractmethod
    async def _connect(self) -> None:
        """A client connects."""

    @abstractmethod
    async def _calm(self) -> None:
        """Wait until everything works."""

    @abstractmethod
    async def _clients_leave(self) -> None:
        """All clients leave."""

    # What all have

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine)
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._tasks.pop(task, None))
        return task

    def _handle(self) -> SimulatedActorHandle:
        return self._random.choice(self._handles)

    def _start_process(self) -> None:
        self._names += 1
        name = f"process-{self._names}"
        self._processes.append(Process(self._world, name, self._runner(name)))

    async def _roll(self) -> None:
        """A process ends gracefully, and another takes its place."""
        process = self._processes.pop(0)
        self._start_process()
        self._spawn(process.shut_down())

    async def _kill(self) -> None:
        process = self._processes.pop(self._random.randrange(len(self._processes)))
        self._start_process()
        self._spawn(process.kill())

    async def _destroy(self) -> None:
        place = self._random.randrange(len(self._handles))
        await self._handles[place].destroy()
        self._names += 1
        self._handles[place] = await self._engine.create(self.ACTOR, key=f"key-{self._names}")

    async def _end(self) -> None:
        self._world.calm = True
        for process in self._processes:
            await process.shut_down()
        for task in list(self._tasks):
            task.cancel()
        await self._clients_leave()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.check()
