"""Where the Python runner's time goes under the echo load: by layer, then by function.

The runner samples itself by timer signal while the synthetic engine loads it. The timer runs on CPU time, so neither waiting
nor another process counts, and cheap calls are not blown up as they are by a tracing profiler. The time inside C code counts
for the Python function that called it, and the time of the standard library for the layer that called it. Microseconds a
message are the share of the samples times the measured CPU time of a message.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, TYPED, TYPED_HIBERNATABLE, connected
from benchmarks.measure import Sample, window

__all__ = ["main", "sample_between_signals"]

RUNNERS: Final = {one.name: one for one in (CONTESTANTS["python"], HIBERNATABLE, TYPED, TYPED_HIBERNATABLE)}
IN_FLIGHT: Final = 100

PACKAGES: Final = ("rivet_runner", "websockets", "asyncio", "benchmarks")
"""Their functions have a layer: a room of the SDK, or else the package."""

OTHER: Final = "anything else"
FUNCTIONS_SHOWN: Final = 30

INTERVAL_SECONDS: Final = 0.001
"""As asked for. The system gives one sample a tick, which may be 4 ms."""


def sample_between_signals(path: Path) -> None:
    """Count the stacks of this process from SIGUSR1 to SIGUSR2, and then write them as JSON, innermost function first."""
    stacks: Counter[tuple[str, ...]] = Counter()

    def take(_: int, frame: FrameType | None) -> None:
        stack: list[str] = []
        while frame is not None:
            stack.append(f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}")
            frame = frame.f_back
        stacks[tuple(stack)] += 1

    def write(*_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps([[count, stack] for stack, count in stacks.items()]))
        unfinished.replace(path)

    signal.signal(signal.SIGPROF, take)
    signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS))
    signal.signal(signal.SIGUSR2, write)


async def profile(options: argparse.Namespace, path: Path) -> Sample:
    """Load a runner that samples itself into ``path``; return the figures of the load."""
    async with connected(RUNNERS[options.runner], "--profile", str(path)) as runner:
        await runner.sockets.open(options.sockets)
        load = runner.http if options.http else runner.sockets
        await window(runner, load, IN_FLIGHT, 0.5)
        os.kill(runner.process.pid, signal.SIGUSR1)
        sample = await window(runner, load, IN_FLIGHT, options.seconds)
        os.kill(runner.process.pid, signal.SIGUSR2)
        async with asyncio.timeout(30):
            while not path.exists():  # noqa: ASYNC240
                await asyncio.sleep(0.02)
    return sample


def tables(stacks: list[tuple[int, list[str]]], cpu: float) -> str:
    """Two tables: layers, and functions by their own time."""
    layers: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    for count, stack in stacks:
        layers[next((layer for layer in map(_layer, stack) if layer != OTHER), OTHER)] += count
        functions[f"{_layer(stack[0]):20} {Path(stack[0]).name.replace('.py:', '.')}"] += count
    total = layers.total()
    lines = [f"{total} samples, {cpu:.2f} us of CPU a message"]
    for title, counts in (("layer", layers), ("function, own time", functions)):
        lines += ["", f"{'us':>6} {'share':>6}  {title}"]
        lines += [f"{cpu * n / total:6.2f} {n / total:6.1%}  {name}" for name, n in counts.most_common(FUNCTIONS_SHOWN)]
    return "\n".join(lines)


def _layer(function: str) -> str:
    parts = function.partition(".py:")[0].split("/")
    package = next((package for package in PACKAGES if package in parts), OTHER)
    if package != "rivet_runner":
        return package
    *rooms, module = parts[parts.index(package) + 1 :]
    return "/".join(rooms) or module


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runner", nargs="?", choices=RUNNERS, default="python", help="which runner (default: python)")
    parser.add_argument("--http", action="store_true", help="requests instead of WebSocket messages")
    parser.add_argument("--sockets", type=int, default=100, help="open WebSockets, at least 100 (default: 100)")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to sample (default: 8)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "samples.json"
        sample = asyncio.run(profile(options, path))
        print(tables(json.loads(path.read_text()), sample["cpu"]))


if __name__ == "__main__":
    main()
