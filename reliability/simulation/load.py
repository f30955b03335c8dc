"""One run's load: actors, clients, and processes that come and go while faults strike, and then a calm.

In the calm no hook raises and no fault strikes. Everything must work again then, and nothing may be left at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, Final, cast

from reliability.simulation.clients import Client, request
from reliability.simulation.invariants import ALARM_SECONDS, OK, RECOVERY_SECONDS, Checker
from reliability.simulation.subject import VALUE_KEY, Subject, World
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["FAULTY_SECONDS", "Load"]

FAULTY_SECONDS: Final = 30.0
"""The first part of a run, in which faults strike."""

ACTORS: Final = (("a", "sleep"), ("b", "restart"), ("c", "sleep"))
CLIENTS: Final = 4
PROCESSES: Final = 2
BURST: Final = 1_100
"""Messages at once, more than the engine's ring holds."""

LATEST_ALARM: Final = 40.0
STEP: Final = (0.0, 0.01, 0.5, 3.0)
"""Seconds between two actions of the load: none, or up to one of these."""

ACTIONS: Final = {
    "_send": 12,
    "_ask": 8,
    "_sleep": 4,
    "_alarm": 2,
    "_speak": 3,
    "_connect": 2,
    "_leave": 1,
    "_give_up": 1,
    "_roll": 0.5,
    "_kill": 0.5,
    "_destroy": 0.2,
    "_burst": 0.02,
}
"""The actions and how often each is taken."""

OPTIONS: Final[dict[str, Any]] = {
    "stop_timeout": 20.0,
    "actor_stop_timeout": 10.0,
    "start_timeout": 600.0,
    "kv_timeout": 10.0,
}


class Process:
    """One process with a runner, hosted until it is told to end."""

    def __init__(self, world: World, name: str, protocol: int) -> None:
        self.name = name
        self._world = world
        options = OPTIONS | {"endpoint": "http://simulated.invalid", "runner_name": "default", "protocol": protocol}
        self.subject = Subject(world, name, **options)
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"process {name}")

    async def _run(self) -> None:
        async with self._world.engine.host(self.subject):
            await self._end.wait()
            if not self.subject.killed:
                self._world.note("process", self.name, "shuts down")
        if not self.subject.killed:
            await asyncio.sleep(0.1)  # the last answers are on their way
            self._world.note("process", self.name, "is down")

    async def shut_down(self) -> None:
        self._end.set()
        await self.task

    async def kill(self) -> None:
        self.subject.killed = True
        self._end.set()
        if self.subject.runner_id is None:
            self.task.cancel()
        else:
            await self._world.engine.kill(self.subject)
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


class Load:
    """One run. Call `run` on an engine of virtual time. ``checker`` reads the trace meanwhile."""

    def __init__(self, engine: SimulatedEngine, seed: int, checker: Checker, protocol: int) -> None:
        self._protocol = protocol
        self._engine = engine
        self._world = World(engine, seed)
        self._random = self._world.random
        self._checker = checker
        self._began = engine.now()
        self._read = 0
        self._values: dict[str, int] = {}
        self._handles: list[SimulatedActorHandle] = []
        self._clients: list[Client] = []
        self._processes: list[Process] = []
        self._names = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._actions = [getattr(self, name) for name in ACTIONS]

    async def run(self) -> None:
        """Do everything, and stop early at the first promise that is broken."""
        loop = asyncio.get_running_loop()
        for _ in range(PROCESSES):
            self._start_process()
        for key, policy in ACTORS:
            self._handles.append(await self._engine.create("subject", key=key, crash_policy=cast(Any, policy)))
        for _ in range(CLIENTS):
            await self._connect()
        calm_at = loop.time() + FAULTY_SECONDS
        while loop.time() < calm_at and not self._checker.broken:
            [action] = self._random.choices(self._actions, [*ACTIONS.values()])
            await action()
            await asyncio.sleep(self._random.uniform(0, self._random.choice(STEP)))
            await self.check()
        if not self._checker.broken:
            await self._calm()
        await self._end()

    async def check(self) -> None:
        """Have the checker read what is new."""
        for handle in self._handles:
            if handle.status != "destroyed":
                await self._note_value(handle)
        trace = self._world.trace
        new, self._read = trace.since(self._read), trace.added
        self._checker.read(new)
        self._checker.tick((self._engine.now() - self._began) // timedelta(milliseconds=1))

    async def _note_value(self, handle: SimulatedActorHandle) -> None:
        value = int((await handle.kv()).get(VALUE_KEY, 0))
        if self._values.get(handle.id) != value:
            self._values[handle.id] = value
            self._world.note("store", handle.id, "has", value)

    # Actions

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(coroutine)
        self._tasks[task] = None
        task.add_done_callback(lambda task: self._tasks.pop(task, None))
        return task

    def _handle(self) -> SimulatedActorHandle:
        return self._random.choice(self._handles)

    def _open_clients(self) -> list[Client]:
        return [client for client in self._clients if client.is_open]

    def _start_process(self) -> None:
        self._names += 1
        self._processes.append(Process(self._world, f"process-{self._names}", self._protocol))

    async def _send(self) -> None:
        for client in self._open_clients():
            if self._random.random() < 0.5:
                await client.send(self._random.choice((1, 1, 2, 5)))

    async def _burst(self) -> None:
        if self._open_clients():
            await self._random.choice(self._open_clients()).send(BURST)

    def _request(self, path: str) -> asyncio.Task[Any]:
        return self._spawn(request(self._world, self._handle(), path))

    async def _ask(self) -> None:
        for _ in range(self._random.choice((1, 1, 3))):
            self._request(self._random.choice(("put", "put", "get", "slow")))

    async def _sleep(self) -> None:
        self._request("sleep")

    async def _alarm(self) -> None:
        self._request(f"alarm/{self._random.uniform(0, LATEST_ALARM):.3f}")

    async def _speak(self) -> None:
        self._request("speak")

    async def _connect(self) -> None:
        self._names += 1
        client = Client(self._world, self._handle(), f"client-{self._names}", stays=self._random.random() < 0.75)
        self._clients.append(client)
        self._spawn(client.run())

    async def _leave(self) -> None:
        if self._open_clients():
            client = self._random.choice(self._open_clients())
            await client.leave(frame=self._random.random() < 0.5)

    async def _give_up(self) -> None:
        """A client leaves before it has its answer."""
        task = self._request("slow")
        await asyncio.sleep(self._random.uniform(0, 0.1))
        task.cancel()

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
        self._handles[place] = await self._engine.create("subject", key=f"key-{self._names}")

    # The calm

    async def _calm(self) -> None:
        """Wait until everything works, and until every alarm was due."""
        self._world.calm = True
        self._engine.heal()
        for handle in self._handles:
            await self._works(handle)
        await self._clients_work()
        await self.check()
        await asyncio.sleep(LATEST_ALARM + ALARM_SECONDS + 1)
        await self.check()

    async def _works(self, handle: SimulatedActorHandle) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        while (status := await request(self._world, handle, "put")) != OK:
            if loop.time() > deadline:
                self._world.note("calm", handle.id, "does not work", f"its last answer had the status {status}")
                return
            await asyncio.sleep(1)

    async def _clients_work(self) -> None:
        """Each client whose WebSocket is open gets a reply to its last message."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        for client in self._open_clients():
            asked = self._world.replies[client.name]
            await client.send(1)
            while client.is_open and client.received <= asked:
                if loop.time() > deadline:
                    text = f"no reply to message {client.sent} of {client.name}"
                    self._world.note("calm", client.actor_id, "does not work", text)
                    return
                await asyncio.sleep(0.1)

    # The end

    async def _end(self) -> None:
        self._world.calm = True
        for process in self._processes:
            await process.shut_down()
        for task in list(self._tasks):
            task.cancel()
        for client in self._open_clients():
            await client.leave(frame=True)
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.check()
