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
from benchmarks.synthetic.loads import MESSAGE_BYTES
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
        await asyncio.gather(*(_round_trips(client, ends, latencies) for client in self.clients[:in_flight]))
        return clocks.echoes(latencies)


async def _round_trips(client: ClientConnection, ends: float, latencies: list[float]) -> None:
    message = bytes(range(MESSAGE_BYTES))
    while (sent_at := time.perf_counter()) < ends:
        await client.send(message)
        if await client.recv() != message:
            raise ValueError("the echo differs from the message")
        latencies.append(time.perf_counter() - sent_at)


async def host(stack: AsyncExitStack, endpoint: str, contestant: Contestant) -> Hosted:
    """Start a contestant on the engine at ``endpoint``; ``stack`` ends it."""
    api = EngineApi(endpoint)
    name = contestant.name
    await api.upsert_runner_config(name)
    process = RunnerProcess(contestant.command, RIVET_ENDPOINT=endpoint, RIVET_RUNNER_NAME=name)
    stack.enter_context(process)
    async with asyncio.timeout(READY_SECONDS):
        while not any(runner.name == name for runner in await api.list_runners()):
            await asyncio.sleep(0.05)
        actor = await api.create_ready_actor("benchmark", runner_name=name)
    clients = [await stack.enter_async_context(api.websocket(actor.actor_id, "/echo")) for _ in range(CLIENTS)]
    return Hosted(contestant, process, clients)
