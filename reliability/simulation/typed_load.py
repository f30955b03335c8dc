"""The load on typed actors: actions by HTTP and over connections, and schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from reliability.simulation.checker import Checker
from reliability.simulation.invariants import ALARM_SECONDS, OK, RECOVERY_SECONDS
from reliability.simulation.load import Load
from reliability.simulation.processes import options_of
from reliability.simulation.typed_clients import LiveClient, call_by_http, echo, request_raw, tell
from reliability.simulation.typed_life import FLEETING
from reliability.simulation.typed_subject import SHORTEST_INTERVAL, typed_runner
from rivet_runner import Runner
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["TypedLoad"]

LATEST_RUN: Final = 40.0
"""Seconds after which a scheduled call is due at the latest."""


class TypedLoad(Load):
    """Two actors of `Tally`, one of `Fleeting`, and their clients."""

    ACTOR = "tally"
    FLEETING_KEY = "c"
    ACTIONS: ClassVar[Mapping[str, float]] = {
        "_call": 14,
        "_ask": 6,
        "_later": 3,
        "_repeat": 1,
        "_rest": 0.3,
        "_request_raw": 2,
        "_echo": 1,
        "_sleep": 3,
        "_connect": 2,
        "_leave": 1,
        "_give_up": 1,
        "_roll": 0.5,
        "_kill": 1,
        "_destroy": 0.2,
    }

    def __init__(self, engine: SimulatedEngine, seed: int, checker: Checker, protocol: int) -> None:
        super().__init__(engine, seed, checker, protocol)
        self._clients: list[LiveClient] = []

    def _runner(self, process: str) -> Runner:
        return typed_runner(self._world, process, options_of(process, self._protocol))

    def _name_of(self, key: str) -> str:
        return FLEETING if key == self.FLEETING_KEY else self.ACTOR

    # Actions

    def _open_clients(self) -> list[LiveClient]:
        return [client for client in self._clients if client.is_open]

    async def _connect(self) -> None:
        self._names += 1
        client = LiveClient(self._world, self._handle().id, f"client-{self._names}")
        self._clients.append(client)
        self._spawn(client.run())

    async def _call(self) -> None:
        for client in self._open_clients():
            if self._random.random() < 0.5:
                for _ in range(self._random.choice((1, 1, 2, 5))):
                    self._spawn(client.call(saved=self._random.random() < 0.3))

    async def _leave(self) -> None:
        if self._open_clients():
            self._spawn(self._random.choice(self._open_clients()).leave())

    def _request(self, method: str, *args: Any) -> asyncio.Task[int]:
        return self._spawn(call_by_http(self._world, self._handle().id, method, *args))

    async def _ask(self) -> None:
        for _ in range(self._random.choice((1, 1, 3))):
            self._request("add", self._random.random() < 0.5)

    async def _later(self) -> None:
        self._request("later", self._random.uniform(0, LATEST_RUN))

    async def _repeat(self) -> None:
        longest = 4 * SHORTEST_INTERVAL
        self._request("repeat", self._random.choice((None, self._random.uniform(SHORTEST_INTERVAL, longest))))

    async def _rest(self) -> None:
        self._request("rest")

    async def _request_raw(self) -> None:
        self._spawn(request_raw(self._world, self._handle().id, saved=self._random.random() < 0.5))

    async def _echo(self) -> None:
        self._names += 1
        count, seconds = self._random.choice((1, 5)), self._random.choice((0.0, 1.0))
        self._spawn(echo(self._world, self._handle(), f"raw-{self._names}", count, seconds))

    async def _sleep(self) -> None:
        self._spawn(tell(self._world, self._handle().id, "nap"))

    async def _give_up(self) -> None:
        """A client leaves before it has its answer."""
        task = self._request("add", True)
        await asyncio.sleep(self._random.uniform(0, 0.1))
        task.cancel()

    # The calm

    async def _calm(self) -> None:
        """Wait until everything works, and until all that was scheduled was due."""
        for handle in self._handles:
            await self._works(handle)
        await self._clients_work()
        await self._raw_routes_work()
        await self.check()
        self._world.note("calm", "all", "waits")
        await asyncio.sleep(LATEST_RUN + ALARM_SECONDS)
        for handle in self._handles:
            if not await tell(self._world, handle.id, "report"):
                self._world.note("calm", handle.id, "does not work", "it does not report its state")
        self._world.note("calm", "all", "is over")
        await self.check()

    async def _works(self, handle: SimulatedActorHandle) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        while (status := await call_by_http(self._world, handle.id, "add", True)) != OK:
            if loop.time() > deadline:
                self._world.note("calm", handle.id, "does not work", f"its last answer had the status {status}")
                return
            await asyncio.sleep(1)

    async def _clients_work(self) -> None:
        """Each connection that is open answers a call, and hears of the event that comes with it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECOVERY_SECONDS
        for client in self._open_clients():
            while client.is_open and not await client.call(saved=True):
                if loop.time() > deadline:
                    text = f"no answer to the last call of {client.name}"
                    self._world.note("calm", client.actor_id, "does not work", text)
                    return
                await asyncio.sleep(1)
            await asyncio.sleep(1)
            if client.is_open and client.heard < client.told:
                self._world.note("calm", client.actor_id, "does not work", f"no event for {client.name}")

    async def _raw_routes_work(self) -> None:
        for handle in self._handles:
            self._names += 1
            if await request_raw(self._world, handle.id, saved=True) != OK:
                self._world.note("calm", handle.id, "does not work", "no answer to a raw request")
            if not await echo(self._world, handle, f"raw-{self._names}", 3, 0.0):
                self._world.note("calm", handle.id, "does not work", "no answer over a raw WebSocket")

    async def _clients_leave(self) -> None:
        for client in self._open_clients():
            await client.leave()
