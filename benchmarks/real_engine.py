"""The echo through a real engine: what a client sees of the runner, and what a message costs the runner there.

The engine itself takes most of the time here, the same for every runner; the CPU time is the runner's alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from websockets.asyncio.client import ClientConnection

from benchmarks.contestants import Contestant
from benchmarks.measure import MICROSECONDS, Sample, quantile
from benchmarks.process import RunnerProcess
from benchmarks.records import Records
from benchmarks.settings import Settings
from benchmarks.synthetic.sockets import MESSAGE_BYTES
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

__all__ = ["measure"]

CLIENTS: Final = 16
READY_SECONDS: Final = 60.0


class _Hosted:
    """A contestant, its one actor, and some clients of that."""

    def __init__(self, contestant: Contestant, process: RunnerProcess, clients: list[ClientConnection]) -> None:
        self.contestant = contestant
        self.process = process
        self._clients = clients

    async def sample(self, in_flight: int, seconds: float) -> Sample:
        """Round trips of ``in_flight`` clients, one message of each under way."""
        latencies: list[float] = []
        cpu, began = self.process.cpu_seconds(), time.perf_counter()
        ends = began + seconds
        await asyncio.gather(*(_round_trips(client, ends, latencies) for client in self._clients[:in_flight]))
        cpu, wall = self.process.cpu_seconds() - cpu, time.perf_counter() - began
        latencies.sort()
        return {
            "count": len(latencies),
            "rate": len(latencies) / wall,
            "cpu": MICROSECONDS * cpu / len(latencies),
            "p50": MICROSECONDS * quantile(latencies, 0.50),
            "p99": MICROSECONDS * quantile(latencies, 0.99),
        }


async def _round_trips(client: ClientConnection, ends: float, latencies: list[float]) -> None:
    message = bytes(range(MESSAGE_BYTES))
    while (sent_at := time.perf_counter()) < ends:
        await client.send(message)
        if await client.recv() != message:
            raise ValueError("the echo differs from what was sent")
        latencies.append(time.perf_counter() - sent_at)


async def measure(
    records: Records, contestants: Sequence[Contestant], settings: Settings, say: Callable[[str], None]
) -> None:
    """Take turns, one message in flight and then 16. Left out where the engine is not installed."""
    async with AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(LocalEngine())
        except EngineNotFound as error:
            return say(f"  left out: {error}")
        hosted = [await _host(stack, engine, contestant) for contestant in contestants]
        for runner in hosted:
            await runner.sample(CLIENTS, settings.warm_up)
        for in_flight in (1, CLIENTS):
            load = f"engine, {in_flight} in flight"
            say(f"  {load}")
            for turn in range(settings.rounds):
                for runner in hosted if turn % 2 == 0 else reversed(hosted):
                    records.add(load, runner.contestant.name, turn, await runner.sample(in_flight, settings.seconds))
    return None


async def _host(stack: AsyncExitStack, engine: LocalEngine, contestant: Contestant) -> _Hosted:
    api = EngineApi(engine.endpoint)
    name = contestant.name
    await api.upsert_runner_config(name)
    process = RunnerProcess(contestant.command, {"RIVET_ENDPOINT": engine.endpoint, "RIVET_RUNNER_NAME": name})
    stack.callback(process.end)
    async with asyncio.timeout(READY_SECONDS):
        while not any(runner.name == name for runner in await api.list_runners()):
            await asyncio.sleep(0.05)
        actor = await api.create_ready_actor("benchmark", runner_name=name)
    clients = [await stack.enter_async_context(api.websocket(actor.actor_id, "/echo")) for _ in range(CLIENTS)]
    return _Hosted(contestant, process, clients)
