"""The echo through a real engine: the latency that a client sees, and the CPU time of a message in the runner.

The engine itself takes most of the time, the same for every runner. The CPU time is the runner's alone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

from websockets.asyncio.client import ClientConnection

from benchmarks.contestants import Contestant
from benchmarks.measure import Clocks, Sample
from benchmarks.process import RunnerProcess
from benchmarks.synthetic.loads import OpenSockets
from rivet_runner.testing import EngineApi

__all__ = ["CLIENTS", "Hosted", "host"]

CLIENTS: Final = 16
READY_SECONDS: Final = 60.0


class Hosted(NamedTuple):
    """A contestant, its one actor, and some clients of that."""

    contestant: Contestant
    process: RunnerProcess
    clients: list[ClientConnection]

    async def sample(self, in_flight: int, seconds: float) -> Sample:
        """Round trips of ``in_flight`` clients, one message of each under way."""
        latencies: list[float] = []
        clocks, ends = Clocks(self.process), time.perf_counter() + seconds
        what = self.contestant.sockets
        trips = (_round_trips(client, what, ends, latencies) for client in self.clients[:in_flight])
        await asyncio.gather(*trips)
        return clocks.echoes(latencies)


async def _round_trips(client: ClientConnection, what: type[OpenSockets], ends: float, latencies: list[float]) -> None:
    while (sent_at := time.perf_counter()) < ends:
        await client.send(what.message)
        if await client.recv() != what.answer:
            raise ValueError("the echo differs from the message")
        latencies.append(time.perf_counter() - sent_at)


async def host(stack: AsyncExitStack, endpoint: str, contestant: Contestant) -> Hosted:
    """Start a contestant on the engine at ``endpoint``; ``stack`` ends it."""
    api = EngineApi(endpoint)
    name = contestant.name
    await api.upsert_runner_config(name)
    # RivetKit has a name of its own for it.
    process = RunnerProcess(contestant.command, RIVET_ENDPOINT=endpoint, RIVET_RUNNER_NAME=name, RIVET_POOL=name)
    stack.enter_context(process)
    actor = await api.create_ready_actor("benchmark", runner_name=name, timeout=READY_SECONDS)
    sockets = contestant.sockets
    target, protocols = sockets.path.format(0), sockets.protocols.split(", ")[1:]
    clients = []
    for _ in range(CLIENTS):
        client = await stack.enter_async_context(api.websocket(actor.actor_id, target, subprotocols=protocols))
        if sockets.greets:
            await client.recv()
        clients.append(client)
    return Hosted(contestant, process, clients)
