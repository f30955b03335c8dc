"""Measures what more workers of ``rivet-runner run`` bring: answers a second of hooks that compute, and the ratio.

The engine is the simulated one at a port of this process, or the real one with ``--engine real``. A hook computes for some
milliseconds, so that the work is in the workers. With as many workers as cores, engine and clients take their share of the
same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Final

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, LocalEngine, SimulatedEngine

__all__ = ["Computing", "main", "rate"]

WORK_SECONDS: Final = 0.01
"""Of processor time, for each request."""

ACTORS: Final = 8
"""For each worker."""


class Computing(Runner):
    """Answers with the process that it is in, after some work."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        until = time.process_time() + WORK_SECONDS
        while time.process_time() < until:
            pass
        return Response(str(os.getpid()))


@contextlib.asynccontextmanager
async def listening(kind: str) -> AsyncIterator[str]:
    """An engine, as its endpoint."""
    if kind == "real":
        async with LocalEngine() as engine:
            yield engine.endpoint
    else:
        async with SimulatedEngine() as engine:
            yield await engine.listen()


@contextlib.asynccontextmanager
async def working(endpoint: str, workers: int) -> AsyncIterator[None]:
    """The command with so many workers, once all are connected."""
    arguments = ["-m", "rivet_runner", "run", "benchmarks.workers:Computing", "--workers", str(workers)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, "--endpoint", endpoint, "--log-level", "error", stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        while b"run" not in (line := await process.stderr.readline()):
            if not line:
                raise RuntimeError("the workers did not start")
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def rate(kind: str, workers: int, seconds: float) -> tuple[float, int]:
    """Answers a second of so many workers, and how many processes have answered."""
    async with listening(kind) as endpoint:
        api = EngineApi(endpoint)
        await api.upsert_runner_config("default")
        async with working(endpoint, workers):
            actors = [(await api.create_ready_actor("a", runner_name="default")).actor_id for _ in range(ACTORS * workers)]
            processes: set[str] = set()
            answers = 0
            until = time.monotonic() + seconds

            async def ask(actor_id: str) -> None:
                nonlocal answers
                while time.monotonic() < until:
                    processes.add((await api.request(actor_id, "GET", "/")).text())
                    answers += 1

            await asyncio.gather(*map(ask, actors))
            return answers / seconds, len(processes)


async def _measure(kind: str, seconds: float) -> None:
    single = 0.0
    for workers in (1, 2):
        answers, processes = await rate(kind, workers, seconds)
        single = single or answers
        shown = f"{answers:6.1f} answers/s by {processes} processes, {answers / single:.2f} x one worker"
        print(f"{kind} engine, {workers} workers: {shown}")


def main() -> None:
    """Measure with 1 and with 2 workers, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workers", description=__doc__)
    parser.add_argument("--engine", choices=["simulated", "real"], default="simulated")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement (10)")
    arguments = parser.parse_args()
    asyncio.run(_measure(arguments.engine, arguments.seconds))


if __name__ == "__main__":
    main()
