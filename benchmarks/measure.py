"""One measurement: a load is kept up for a moment, and the clocks are read around it."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.process import RunnerProcess
from benchmarks.synthetic.actors import Actors
from benchmarks.synthetic.load import Load
from benchmarks.synthetic.sockets import OpenSockets

__all__ = ["Sample", "actor_start_sample", "echo_sample", "opening_sample", "window"]

MICROSECONDS: Final = 1e6

SETTLE_SECONDS: Final = 0.5
"""After opening, before memory is read."""

Sample = dict[str, float]
"""The figures of one measurement, by name. Times are microseconds, sizes are bytes."""


class _Clocks:
    """The runner's CPU time, our own, and the wall's."""

    def __init__(self, process: RunnerProcess) -> None:
        self._process = process
        self._began = self._read()

    def spent(self) -> tuple[float, float, float]:
        """Seconds since the start: wall, the runner's CPU, our CPU."""
        wall, runner, own = (now - before for now, before in zip(self._read(), self._began, strict=True))
        return wall, runner, own

    def each(self, count: int) -> Sample:
        """Microseconds for each of ``count`` pieces."""
        wall, runner, own = (MICROSECONDS * seconds / count for seconds in self.spent())
        return {"count": count, "wall": wall, "cpu": runner, "engine_cpu": own}

    def _read(self) -> tuple[float, float, float]:
        return time.perf_counter(), self._process.cpu_seconds(), time.process_time()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep our own garbage collector out of the window."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def echo_sample(latencies: list[float], wall: float, cpu: float) -> Sample:
    """The figures of echoes that took ``latencies``, in ``wall`` and ``cpu`` seconds in all."""
    latencies.sort()
    count = len(latencies)

    def quantile(share: float) -> float:
        return MICROSECONDS * latencies[min(count - 1, math.floor(share * count))]

    return {
        "count": count,
        "rate": count / wall,
        "cpu": MICROSECONDS * cpu / count,
        "p50": quantile(0.50),
        "p99": quantile(0.99),
    }


async def window(process: RunnerProcess, load: Load, in_flight: int, seconds: float) -> Sample:
    """Keep ``in_flight`` messages under way for ``seconds``, after a short warm-up."""
    with _no_collection():
        load.start(in_flight)
        await load.answered(2 * in_flight)
        await asyncio.sleep(seconds / 10)
        load.reset()
        clocks = _Clocks(process)
        await asyncio.sleep(seconds)
        await load.answered(1)
        wall, runner, own = clocks.spent()
        latencies = [*load.latencies]
        await load.stop()
    return {**echo_sample(latencies, wall, runner), "engine_cpu": MICROSECONDS * own / len(latencies)}


async def opening_sample(process: RunnerProcess, sockets: OpenSockets, count: int) -> Sample:
    """Open ``count`` more WebSockets: the cost of each, and its memory once everything is quiet."""
    before = process.memory_bytes()
    with _no_collection():
        clocks = _Clocks(process)
        await sockets.open(count)
        sample = clocks.each(count)
    await asyncio.sleep(SETTLE_SECONDS)
    return {**sample, "memory": (process.memory_bytes() - before) / count}


async def actor_start_sample(process: RunnerProcess, actors: Actors, count: int) -> Sample:
    """Start ``count`` actors at once, and stop them again. The figures are those of starting."""
    with _no_collection():
        clocks = _Clocks(process)
        ids = await actors.start(count)
        sample = clocks.each(count)
    await actors.stop(ids)
    return sample
