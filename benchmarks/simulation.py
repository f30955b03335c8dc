"""Measures the simulated engine with a runner on it, all in one process, and prints one line for each figure.

The figures are CPU time, so a busy machine changes them little. ``--quick`` takes a tenth of the work.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

from reliability.simulation.pool import run_seeds
from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing import SimulatedEngine, virtual_loop

__all__ = ["main"]

LIVES = 1_000
SOCKETS = 10_000
SEEDS = 200
DAYS = 30


class Room(Runner):
    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return Response("here")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


async def lives(engine: SimulatedEngine, count: int) -> None:
    """Actors that are created, asked and put to sleep, one after the other."""
    for _ in range(count):
        actor = await engine.create("room")
        await actor.request("GET", "/")
        await actor.sleep()


async def hibernating(engine: SimulatedEngine, count: int) -> None:
    """Clients that stay while their actors sleep, and are there afterwards."""
    actors = [await engine.create("room") for _ in range(max(1, count // 100))]
    sockets = [await actor.websocket("/") for actor in actors for _ in range(count // len(actors))]
    for socket in sockets:
        await socket.send("hello")
    for socket in sockets:
        await socket.recv()
    await engine.advance(2)
    for actor in actors:
        await actor.sleep()
    assert engine.open_requests == len(sockets)
    await sockets[-1].send("still there?")
    assert await sockets[-1].recv() == "still there?"


async def idle(engine: SimulatedEngine, days: int) -> None:
    """Time that passes over an engine with an actor that sleeps."""
    await lives(engine, 1)
    await engine.advance(days=days)


async def _cpu(load: Callable[[SimulatedEngine, int], Awaitable[None]], count: int) -> float:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
        await lives(engine, 1)
        began = time.process_time()
        await load(engine, count)
        return time.process_time() - began


def cpu_seconds(load: Callable[[SimulatedEngine, int], Awaitable[None]], count: int) -> float:
    """CPU seconds of ``load``, on an engine of its own."""
    gc.collect()
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(_cpu(load, count))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    options, _ = parser.parse_known_args()
    share = 10 if options.quick else 1
    count = LIVES // share
    print(f"{cpu_seconds(lives, count) / count * 1000:8.2f} ms for an actor that is created, asked and put to sleep")
    count = SOCKETS // share
    print(f"{cpu_seconds(hibernating, count) / count * 1000:8.2f} ms for each of {count:,} clients that hibernate")
    print(f"{cpu_seconds(idle, DAYS):8.2f} s for {DAYS} days over an actor that sleeps")
    began = time.process_time()
    runs = sum(len(bunch) for bunch in run_seeds(range(SEEDS // share), jobs=1))
    print(f"{runs / (time.process_time() - began) * 60:8,.0f} seeds a minute on one core, of about ten faults each")


if __name__ == "__main__":
    main()
