"""Where the Python runner's time goes under the echo load: by layer, then by function.

``python -m benchmarks.profile``; the runner samples itself while the synthetic engine loads it. Microseconds a message are
the share of the samples times the measured CPU time a message. With ``--load open`` or ``actors`` they are a WebSocket's or
an actor's. What the standard library does for a layer, such as drawing random bytes, counts for that layer.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.contestants import CONTESTANTS, HIBERNATABLE, LiveRunner, connected
from benchmarks.measure import Sample, actor_start_sample, opening_sample, window

__all__ = ["main"]

LAYERS: Final = (
    ("rivet_runner/_connection/", "connection"),
    ("rivet_runner/_session/", "session"),
    ("rivet_runner/protocol/", "codec"),
    ("rivet_runner/_hosting/", "hosting"),
    ("rivet_runner/_sockets/", "sockets"),
    ("rivet_runner/websocket.py", "WebSocket"),
    ("rivet_runner/", "other of the SDK"),
    ("/websockets/", "websockets library"),
    ("/asyncio/", "asyncio"),
    ("/selectors.py", "asyncio"),
    ("benchmarks/python_runner.py", "the echo hook"),
)

OTHER: Final = "anything else"
SHOWN: Final = 30


class Function(NamedTuple):
    """A function as a sample names it."""

    path: str
    name: str
    line: str

    @classmethod
    def parse(cls, text: str) -> Function:
        path, name, line = text.rsplit(":", 2)
        return cls(path, name, line)

    @property
    def layer(self) -> str:
        return next((layer for part, layer in LAYERS if part in self.path), OTHER)

    @property
    def shown(self) -> str:
        return f"{self.layer:20} {Path(self.path).stem}.{self.name}"


async def profile(arguments: argparse.Namespace, path: Path) -> Sample:
    """Load a runner that samples itself into ``path``; return what a message cost."""
    contestant = HIBERNATABLE if arguments.hibernatable else CONTESTANTS["uvloop" if arguments.uvloop else "python"]
    async with connected(contestant, "--profile", str(path)) as runner:
        if arguments.load in ("echo", "http"):
            await runner.sockets.open(arguments.sockets)
            load = runner.http if arguments.load == "http" else runner.sockets
            await window(runner.process, load, arguments.in_flight, 0.5)
        os.kill(runner.process.pid, signal.SIGUSR1)
        sample = await _measure(runner, arguments)
        os.kill(runner.process.pid, signal.SIGUSR2)
        async with asyncio.timeout(30):
            while not path.exists():  # noqa: ASYNC240
                await asyncio.sleep(0.02)
    return sample


async def _measure(runner: LiveRunner, arguments: argparse.Namespace) -> Sample:
    if arguments.load == "open":
        return await opening_sample(runner.process, runner.sockets, arguments.sockets)
    if arguments.load == "actors":
        return await actor_start_sample(runner.process, runner.actors, arguments.sockets)
    load = runner.http if arguments.load == "http" else runner.sockets
    return await window(runner.process, load, arguments.in_flight, arguments.seconds)


def show(stacks: list[dict[str, Any]], cpu: float, by_line: bool) -> str:
    """Three tables: layers, functions by their own time, functions by the time within them."""
    layers: collections.Counter[str] = collections.Counter()
    own: collections.Counter[str] = collections.Counter()
    within: collections.Counter[str] = collections.Counter()
    for stack in stacks:
        count, functions = stack["count"], [Function.parse(frame) for frame in stack["stack"]]
        layers[next((function.layer for function in functions if function.layer != OTHER), OTHER)] += count
        own[functions[0].shown + (f":{functions[0].line}" if by_line else "")] += count
        for name in {function.shown for function in functions}:
            within[name] += count
    total = layers.total()
    lines = [f"{total} samples, {cpu:.2f} us of CPU a piece"]
    for title, counts in (("layer, own time", layers), ("function, own time", own), ("function, with callees", within)):
        lines += ["", f"{'us':>6} {'share':>6}  {title}"]
        lines += [f"{cpu * count / total:6.2f} {count / total:6.1%}  {name}" for name, count in counts.most_common(SHOWN)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("--load", choices=("echo", "http", "open", "actors"), default="echo")
    parser.add_argument("--sockets", type=int, default=100, help="open WebSockets, or actors to start")
    parser.add_argument("--in-flight", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--hibernatable", action="store_true")
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--by-line", action="store_true", help="tell the lines of a function apart")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "samples.json"
        sample = asyncio.run(profile(arguments, path))
        print(show(json.loads(path.read_text()), sample["cpu"], arguments.by_line))


if __name__ == "__main__":
    main()
