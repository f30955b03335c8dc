"""The load on plain runners: HTTP requests, WebSockets, alarms."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from reliability.simulation.checker import Checker
from reliability.simulation.clients import Client, request
from reliability.simulation.invariants import OK, RECOVERY_SECONDS
from reliability.simulation.load import Load
from reliability.simulation.processes import options_of
from reliability.simulation.subject import VALUE_KEY, Subject
from rivet_runner import Runner
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["PlainLoad"]

BURST: Final = 1_100
"""Messages at once, more than the engine's ring holds."""

LATEST_ALARM: Final = 40.0

QUIET_SECONDS: Final = 45.0
"""Longer than the engine takes to give a runner up, and than any alarm is away."""


class PlainLoad(Load):
    """Three actors of a `Subject` and their clients."""

    ACTOR = "subject"
    ACTIONS: ClassVar[Mapping[str, float]] = {
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

    def __init__(self, engine: SimulatedEngine, seed: int, checker: Checker, protocol: int) -> None:
        super().__init__(engine, seed, checker, protocol)
        self._values: dict[str, int] = {}
        self._clients: list[Client] = []

    def _runner(self, process: str) -> Runner:
        return Subject(self._world, process, **options_of(process, self._protocol))

    async def check(self) -> None:
        if self._has_news:
            for handle in self._handles:
                if handle.status != "destroyed":
                    await self._note_value(handle)
        await super().check()

    async def _note_value(self, handle: SimulatedActorHandle) -> None:
        value = int((await handle.kv()).get(VALUE_KEY, 0))
        if self._values.get(handle.id) != value:
            self._values[handle.id] = value
            self._world.note("store", handle.id, "has", value)

    # Actions

    def _open_clients(self) -> list[Client]:
        return [client for client in self._clients if client.is_open]

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

    # The calm

    async def _calm(self) -> None:
        """Wait until everything works, and until every alarm has woken its actor or is too late."""
        for handle in self._handles:
            await self._works(handle)
        await self._clients_work()
        await self.check()
        await asyncio.sleep(QUIET_SECONDS)
        await self.check()
        while self._checker.waits:
            await asyncio.sleep(1)
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
        """Each client whose WebSocket is open gets a reply to its last message.

        The engine leaves clients of a destroyed actor alone. They stay open if the close of its runner is lost.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        for client in self._open_clients():
            if self._engine.get(client.actor_id).status == "destroyed":
                continue
            asked = self._world.replies[client.name]
            await client.send(1)
            try:
                async with asyncio.timeout_at(deadline):
                    await client.wait_for_reply(asked)
            except TimeoutError:
                text = f"no reply to message {client.sent} of {client.name}"
                self._world.note("calm", client.actor_id, "does not work", text)
                return

    async def _clients_leave(self) -> None:
        for client in self._open_clients():
            await client.leave(frame=True)
