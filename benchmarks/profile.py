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

LAYERS: Final = {
    "rivet_runner/_connection/": "connection",
    "rivet_runner/_session/": "session",
    "rivet_runner/protocol/": "codec",
    "rivet_runner/_hosting/": "hosting",
    "rivet_runner/_sockets/": "sockets",
    "rivet_runner/actors/_wire/": "typed actors, wire",
    "rivet_runner/actors/_types/": "typed actors, types",
    "rivet_runner/actors/": "typed actors",
    "rivet_runner/websocket.py": "WebSocket",
    "rivet_runner/": "other of the SDK",
    "/websockets/": "websockets library",
    "/asyncio/": "asyncio",
    "/selectors.py": "asyncio",
    "benchmarks/python_runner.py": "the echo hook",
}
"""By a part of the path. The first that fits counts."""

OTHER: Final = "anything else"
FUNCTIONS_SHOWN: Final = 30

INTERVAL_SECONDS: Final = 0.001
"""As asked for. The system gives one sample a tick, which may be 4 ms."""

DEEPEST: Final = 40
"""Functions kept of one stack."""


def sample_between_signals(path: Path) -> None:
    """Count the stacks of this process from SIGUSR1 to SIGUSR2, and then write them as JSON, innermost function first."""
    stacks: Counter[tuple[str, ...]] = Counter()

    def take(_: int, frame: FrameType | None) -> None:
        stack: list[str] = []
        while frame is not None and len(stack) < DEEPEST:
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
    raw, typed = (HIBERNATABLE, TYPED_HIBERNATABLE) if options.hibernatable else (CONTESTANTS["python"], TYPED)
    contestant = typed if options.typed else raw
    async with connected(contestant, "--profile", str(path)) as runner:
        await runner.sockets.open(options.sockets)
        load = runner.http if options.http else runner.sockets
        await window(runner, load, options.in_flight, 0.5)
        os.kill(runner.process.pid, signal.SIGUSR1)
        sample = await window(runner, load, options.in_flight, options.seconds)
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
        path, name = stack[0].rsplit(":", 1)
        functions[f"{_layer(path):20} {Path(path).stem}.{name}"] += count
    total = layers.total()
    lines = [f"{total} samples, {cpu:.2f} us of CPU a message"]
    for title, counts in (("layer", layers), ("function, own time", functions)):
        lines += ["", f"{'us':>6} {'share':>6}  {title}"]
        lines += [f"{cpu * n / total:6.2f} {n / total:6.1%}  {name}" for name, n in counts.most_common(FUNCTIONS_SHOWN)]
    return "\n".join(lines)


def _layer(path: str) -> str:
    return next((layer for part, layer in LAYERS.items() if part in path), OTHER)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.profile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--http", action="store_true", help="requests instead of WebSocket messages")
    parser.add_argument("--sockets", type=int, default=100, help="open WebSockets (default: 100)")
    parser.add_argument("--in-flight", type=int, default=100, help="messages under way (default: 100)")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to sample (default: 8)")
    parser.add_argument("--hibernatable", action="store_true", help="profile hibernatable WebSockets")
    parser.add_argument("--typed", action="store_true", help="profile actions of typed actors")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "samples.json"
        sample = asyncio.run(profile(options, path))
        print(tables(json.loads(path.read_text()), sample["cpu"]))


if __name__ == "__main__":
    main()
