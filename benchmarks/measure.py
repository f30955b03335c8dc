"""One measurement: a load is kept up for a moment, and the clocks are read around it."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from benchmarks.process import RunnerProcess

__all__ = ["MICROSECONDS", "Sample", "actor_start_sample", "opening_sample", "quantile", "window"]

MICROSECONDS: Final = 1e6

SETTLE_SECONDS: Final = 0.5
"""After opening, before memory is read."""

Sample = dict[str, float]
"""What one measurement gave, by name; times in microseconds, sizes in bytes."""


class Load(Protocol):
    """Keeps messages in flight."""

    count: int
    latencies: list[float]

    def start(self, in_flight: int) -> None: ...

    def reset(self) -> None: ...

    async def echoed(self, count: int) -> None: ...

    async def stop(self) -> None: ...


class _Clocks:
    """The runner's CPU time, our own, and the wall's."""

    def __init__(self, process: RunnerProcess) -> None:
        self._process = process
        self._began = self._read()

    def spent(self) -> tuple[float, float, float]:
        """Seconds since the start: wall, the runner's CPU, our CPU."""
        wall, runner, own = (now - before for now, before in zip(self._read(), self._began, strict=True))
        return wall, runner, own

    def _read(self) -> tuple[float, float, float]:
        return time.perf_counter(), self._process.cpu_seconds(), time.process_time()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Our own garbage collector keeps out of the window."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def window(process: RunnerProcess, load: Load, in_flight: int, seconds: float) -> Sample:
    """Keep ``in_flight`` messages under way for ``seconds``, after a short warm-up."""
    with _no_collection():
        load.start(in_flight)
        await load.echoed(2 * in_flight)
        await asyncio.sleep(seconds / 10)
        load.reset()
        clocks = _Clocks(process)
        await asyncio.sleep(seconds)
        await load.echoed(1)
        wall, runner, own = clocks.spent()
        count, latencies = load.count, sorted(load.latencies[: load.count])
        await load.stop()
    return {
        "count": count,
        "rate": count / wall,
        "cpu": MICROSECONDS * runner / count,
        "p50": MICROSECONDS * quantile(latencies, 0.50),
        "p99": MICROSECONDS * quantile(latencies, 0.99),
        "engine_cpu": MICROSECONDS * own / count,
        "runner_share": runner / wall,
        "engine_share": own / wall,
    }


class Opener(Protocol):
    """Opens WebSockets."""

    async def open(self, count: int) -> None: ...


async def opening_sample(process: RunnerProcess, sockets: Opener, count: int) -> Sample:
    """Open ``count`` more WebSockets; what each costs, and what it takes once everything is quiet."""
    before = process.memory_bytes()
    with _no_collection():
        clocks = _Clocks(process)
        await sockets.open(count)
        wall, runner, own = clocks.spent()
    await asyncio.sleep(SETTLE_SECONDS)
    return {
        "count": count,
        "wall": MICROSECONDS * wall / count,
        "cpu": MICROSECONDS * runner / count,
        "engine_cpu": MICROSECONDS * own / count,
        "memory": (process.memory_bytes() - before) / count,
    }


class ActorStarter(Protocol):
    """Starts and stops actors."""

    async def start(self, count: int) -> list[str]: ...

    async def stop(self, ids: list[str]) -> None: ...


async def actor_start_sample(process: RunnerProcess, actors: ActorStarter, count: int) -> Sample:
    """Start ``count`` actors at once, and stop them again."""
    with _no_collection():
        clocks = _Clocks(process)
        ids = await actors.start(count)
        wall, runner, own = clocks.spent()
    stop_clocks = _Clocks(process)
    await actors.stop(ids)
    _, stop_cpu, _ = stop_clocks.spent()
    return {
        "count": count,
        "wall": MICROSECONDS * wall / count,
        "cpu": MICROSECONDS * runner / count,
        "engine_cpu": MICROSECONDS * own / count,
        "stop_cpu": MICROSECONDS * stop_cpu / count,
    }


def quantile(ordered: list[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie."""
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]
