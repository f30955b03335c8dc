"""One measurement: a load is kept up for a moment, and the clocks are read around it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from benchmarks.contestants import LiveRunner
from benchmarks.process import RunnerProcess
from benchmarks.synthetic.loads import Load

__all__ = ["MICROSECONDS", "Clocks", "Sample", "actor_start_sample", "idle_actor_sample", "opening_sample", "window"]

MICROSECONDS: Final = 1e6

SETTLE_SECONDS: Final = 0.5
"""After opening, before memory is read."""

STARTS_AT_ONCE: Final = 50

Sample = dict[str, float]
"""The figures of one measurement, by name. Times are microseconds, sizes are bytes."""


class Clocks:
    """The wall's time, the runner's CPU time and our own, from here on."""

    def __init__(self, process: RunnerProcess) -> None:
        self._process = process
        self._began = self._read()

    def each(self, count: int) -> Sample:
        """Microseconds for each of ``count`` pieces. ``engine_cpu`` is that of this process."""
        spent = (now - before for now, before in zip(self._read(), self._began, strict=True))
        wall, runner, own = (MICROSECONDS * seconds / count for seconds in spent)
        return {"count": count, "wall": wall, "cpu": runner, "engine_cpu": own}

    def echoes(self, latencies: list[float]) -> Sample:
        """The figures of echoes that took ``latencies``, in seconds. They are sorted in place."""
        sample = self.each(len(latencies))
        latencies.sort()
        p50, p99 = (MICROSECONDS * latencies[int(share * len(latencies))] for share in (0.50, 0.99))
        return {**sample, "rate": MICROSECONDS / sample["wall"], "p50": p50, "p99": p99}

    def _read(self) -> tuple[float, float, float]:
        return time.perf_counter(), self._process.cpu_seconds(), time.process_time()


async def window(runner: LiveRunner, load: Load, in_flight: int, seconds: float) -> Sample:
    """Keep ``in_flight`` messages under way for ``seconds``, after a short warm-up."""
    load.start(in_flight)
    await load.answered(2 * in_flight)
    await asyncio.sleep(seconds / 10)
    load.latencies = []
    clocks = Clocks(runner.process)
    await asyncio.sleep(seconds)
    await load.answered(1)
    sample = clocks.echoes([*load.latencies])
    await load.stop()
    return sample


async def opening_sample(runner: LiveRunner, count: int) -> Sample:
    """Open ``count`` more WebSockets: the cost of each, and its memory once everything is quiet."""
    before = runner.process.memory_bytes()
    clocks = Clocks(runner.process)
    await runner.sockets.open(count)
    sample = clocks.each(count)
    await asyncio.sleep(SETTLE_SECONDS)
    return {**sample, "memory": (runner.process.memory_bytes() - before) / count}


async def idle_actor_sample(runner: LiveRunner, count: int) -> Sample:
    """Start ``count`` actors, a few at a time, and leave them idle: the memory of each. A crowd of starts needs more."""
    before = runner.process.memory_bytes()
    for _ in range(0, count, STARTS_AT_ONCE):
        await runner.connection.start_actors(STARTS_AT_ONCE)
    await asyncio.sleep(SETTLE_SECONDS)
    return {"memory": (runner.process.memory_bytes() - before) / count}


async def actor_start_sample(runner: LiveRunner, count: int) -> Sample:
    """Start ``count`` actors at once, and stop them again. The figures are those of starting."""
    clocks = Clocks(runner.process)
    ids = await runner.connection.start_actors(count)
    sample = clocks.each(count)
    await runner.connection.stop_actors(ids)
    return sample
