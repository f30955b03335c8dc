"""One engine on an event loop: its clock, its state, its connections, and how it stops and starts."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from random import Random
from typing import Final
from urllib.parse import parse_qs, urlsplit

from rivet_runner._connection.engine_socket import DIAL_TIMEOUT
from rivet_runner._tasks import TaskGroup
from rivet_runner.testing._simulated.api import ManagementApi
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.fault_injection import NO_FAULTS, FaultInjector
from rivet_runner.testing._simulated.loop_clock import LoopClock
from rivet_runner.testing._simulated.memory_link import EngineEnd, MemoryLink
from rivet_runner.testing._simulated.runner_socket import RunnerSocket
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.socket_link import SocketLink
from rivet_runner.testing._simulated.storage import Storage
from rivet_runner.testing.faults import Faults

__all__ = ["RunningEngine"]

log = logging.getLogger("rivet_runner.testing")

CANCEL_SECONDS: Final = 1.0


class RunningEngine:
    """The inside of a `SimulatedEngine` while it runs."""

    def __init__(
        self,
        *,
        seed: int,
        settings: EngineSettings,
        epoch_ms: int,
        storage: Storage | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._settings = settings
        self._clock = LoopClock(epoch_ms)
        self.now_ms = self._clock.now_ms
        # Three generators, so that a draw of a runner or a fault does not shift the draws of the engine.
        start = 1 if storage is None else storage.start_number
        self.runner_random = Random(f"runner {seed} {start}")
        self._storage = storage
        self.cluster = Cluster(
            timers=self._clock.timers, random=Random(f"engine {seed} {start}"), settings=settings, journal=storage
        )
        random = Random(f"faults {seed} {start}")
        self._faults = FaultInjector(faults or NO_FAULTS, random, self._clock.timers, self.cluster.trace)
        self._runner_clock_error_ms = 0
        self._restarts = TaskGroup("restarts", log)
        self.api = ManagementApi(self.cluster)
        if storage is not None:
            storage.load(self.cluster)
        self._links: dict[MemoryLink | SocketLink, str] = {}
        self._partitioned: dict[str, None] = {}
        self._killed: dict[str, None] = {}
        self._healed: asyncio.Future[None] | None = None
        self._down = False
        self._faults.begin(
            {"cuts": self._cut_one, "stalls": self._stall_one, "crashes": self._crash_once, "clock_steps": self._step_clock}
        )

    def runner_now_ms(self) -> int:
        """The clock of the runners, which may be wrong."""
        return self.now_ms() + self._runner_clock_error_ms

    # Connections

    async def dial(self, url: str, subprotocols: list[str], on_message: Callable[[bytes], None]) -> MemoryLink:
        """Open a connection in memory, as `rivet_runner._connection.engine_socket.dial` does on a network."""
        await asyncio.sleep(0)
        if self._down:
            raise ConnectionRefusedError("the simulated engine is down")
        split = urlsplit(url)
        key = parse_qs(split.query).get("runner_key", [""])[-1]
        if key in self._killed:
            raise ConnectionRefusedError("the process of this runner was killed")
        if key in self._partitioned:
            await self._wait_for_heal()
        link = MemoryLink(on_message, self._link_ended, self._faults)
        socket = RunnerSocket(
            EngineEnd(link),
            cluster=self.cluster,
            timers=self._clock.timers,
            settings=self._settings,
            faults=self._faults,
        )
        link.connect(socket)
        self._links[link] = key
        socket.open(f"{split.path}?{split.query}", subprotocols)
        return link

    async def _wait_for_heal(self) -> None:
        if self._healed is None:
            self._healed = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(DIAL_TIMEOUT):
            await asyncio.shield(self._healed)

    @property
    def is_down(self) -> bool:
        """Whether it is between a stop and a start."""
        return self._down

    async def serve_runner(self, target: str, subprotocols: list[str], link: SocketLink) -> None:
        """Serve a runner's connection over a network until it ends. ``target`` is path and query."""
        socket = RunnerSocket(
            link, cluster=self.cluster, timers=self._clock.timers, settings=self._settings, faults=self._faults
        )
        link.connect(socket)
        key = parse_qs(urlsplit(target).query).get("runner_key", [""])[-1]
        self._links[link] = key
        if key in self._partitioned:
            link.silence()
        try:
            socket.open(target, subprotocols)
            await link.serve()
        finally:
            self._link_ended(link)

    def _link_ended(self, link: MemoryLink | SocketLink) -> None:
        self._links.pop(link, None)

    def partition(self, runner_key: str) -> None:
        self._partitioned[runner_key] = None
        self.cluster.trace.add("fault", runner_key, "partition")
        for link in self._links_of(runner_key):
            link.silence()

    def heal(self) -> None:
        self._partitioned.clear()
        self.cluster.trace.add("fault", "", "heal")
        for link in list(self._links):
            link.heal()
        if self._healed is not None and not self._healed.done():
            self._healed.set_result(None)
        self._healed = None

    def kill(self, runner_key: str) -> None:
        """Break the connection of a runner for good."""
        self.cluster.trace.add("fault", runner_key, "kill")
        self._killed[runner_key] = None
        for link in self._links_of(runner_key):
            link.cut()

    def bury(self, runner_key: str) -> None:
        """The runner that was killed is down: a new one may have its key."""
        self._killed.pop(runner_key, None)

    def _links_of(self, runner_key: str) -> list[MemoryLink | SocketLink]:
        return [link for link, key in self._links.items() if key == runner_key]

    # Faults by chance: each returns whom it has struck

    def _cut_one(self) -> str | None:
        if not self._links:
            return None
        link = self._faults.pick(list(self._links))
        struck = self._links[link]
        if self._faults.pick([True, False]):
            link.cut()
        else:
            link.close_from_engine("core.internal_error")
        return struck

    def _stall_one(self) -> str | None:
        if not self._links:
            return None
        link = self._faults.pick(list(self._links))
        up, down = self._faults.pick([(True, True), (True, False), (False, True)])
        link.silence(up=up, down=down)
        milliseconds = round(self._faults.seconds_up_to(self._faults.faults.longest_stall) * 1000)
        self._clock.timers.call_later(milliseconds, self._stall_over, link)
        return self._links[link]

    def _stall_over(self, link: MemoryLink | SocketLink) -> None:
        struck = self._links.get(link)
        if struck is None or struck in self._partitioned:
            return
        link.heal()
        arrived_in = math.ceil(self._faults.faults.delay * 1000)
        self._clock.timers.call_later(arrived_in, self.cluster.trace.add, "fault", struck, "stall is over")

    def _crash_once(self) -> str | None:
        if self._down:
            return None
        seconds = self._faults.seconds_up_to(self._faults.faults.longest_outage)
        self._restarts.spawn(self.restart(graceful=False, outage=seconds), name="restart")
        return ""

    def _step_clock(self) -> str | None:
        self._runner_clock_error_ms = self._faults.clock_error_ms()
        return ""

    # Stop and start

    async def restart(self, *, graceful: bool, outage: float = 0.0) -> None:
        """Stop and start. ``outage`` is in seconds, and comes between the two."""
        self.cluster.trace.add("fault", "", "restart", "graceful" if graceful else "crash")
        if graceful:
            await self._stop_gracefully()
        else:
            await self._crash()
        if outage:
            await asyncio.sleep(outage)
        self.cluster.start_gateway()
        self._down = False

    async def close(self) -> None:
        """End for good. Open connections break without a close frame."""
        self._down = True
        self._faults.end()
        self._restarts.close()
        await self._restarts.cancel_all(CANCEL_SECONDS)
        await self._cut()
        self._clock.close()
        if self._storage is not None:
            self._storage.close()

    async def _stop_gracefully(self) -> None:
        self._down = True
        for socket in self.cluster.sockets:
            socket.close("ws.going_away")
        await self.cluster.guard.drain(self._settings.guard_shutdown_duration)
        for link in list(self._links):
            if link.runner_id is None:
                link.cut()
        await self._cut_clients()

    async def _crash(self) -> None:
        self._down = True
        await self._cut()
        lease_over = self.now_ms() + self._settings.crash_lease_ms
        for runner in self.cluster.runners.values():
            if runner.stop_ts is None:
                runner.lease(lease_over)

    async def _cut(self) -> None:
        for link in list(self._links):
            link.cut()
        await self._cut_clients()

    async def _cut_clients(self) -> None:
        self.cluster.guard.cut()
        await self.cluster.guard.tasks.cancel_all(CANCEL_SECONDS)
