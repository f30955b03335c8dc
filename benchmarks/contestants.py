"""Who takes part, and how each is started."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from benchmarks.process import PROJECT, RunnerProcess
from benchmarks.synthetic.dialect import V3, V7, Dialect
from benchmarks.synthetic.engine import EngineConnection, SyntheticEngine
from benchmarks.synthetic.requests import Actors, HttpRequests
from benchmarks.synthetic.sockets import OpenSockets

__all__ = ["CONTESTANTS", "HIBERNATABLE", "Contestant", "LiveRunner", "connected", "missing"]

CONNECT_SECONDS: Final = 30.0
TYPESCRIPT: Final = PROJECT / "benchmarks" / "typescript_runner"


class Contestant(NamedTuple):
    """A kind of runner."""

    name: str
    title: str
    command: tuple[str, ...]
    dialect: type[Dialect]


_PYTHON: Final = (sys.executable, "-m", "benchmarks.python_runner")

CONTESTANTS: Final = {
    contestant.name: contestant
    for contestant in (
        Contestant("python", "Python", _PYTHON, V3),
        Contestant("uvloop", "Python + uvloop", (*_PYTHON, "--uvloop"), V3),
        Contestant("typescript", "TypeScript", ("node", str(TYPESCRIPT / "runner.mjs")), V7),
        Contestant("floor", "floor", (sys.executable, "-m", "benchmarks.floor"), V3),
    )
}

HIBERNATABLE: Final = Contestant("hibernatable", "Python, hibernatable", (*_PYTHON, "--hibernatable"), V3)


def missing(contestant: Contestant) -> str | None:
    """Why a contestant cannot take part here; none where it can."""
    if contestant.name == "uvloop" and importlib.util.find_spec("uvloop") is None:
        return "uvloop is not installed"
    if contestant.name == "typescript":
        if shutil.which("node") is None:
            return "Node.js is not installed"
        if not (TYPESCRIPT / "node_modules").is_dir():
            return "its packages are not installed; `make bench` does that"
    return None


class LiveRunner:
    """A contestant that runs and has connected to a synthetic engine of its own, with one actor started."""

    def __init__(self, contestant: Contestant, process: RunnerProcess, connection: EngineConnection) -> None:
        self.contestant = contestant
        self.process = process
        self.connection = connection
        self.actors = Actors(connection)
        self.sockets: OpenSockets
        self.http: HttpRequests

    async def begin(self) -> None:
        """Start the actor that the loads are for."""
        (actor_id,) = await self.actors.start(1)
        self.sockets = OpenSockets(self.connection, actor_id)
        self.http = HttpRequests(self.connection, actor_id)


@asynccontextmanager
async def connected(contestant: Contestant, *more: str) -> AsyncIterator[LiveRunner]:
    """Start a contestant, with ``more`` arguments; it is killed afterwards."""
    async with SyntheticEngine(contestant.dialect()) as engine:
        process = RunnerProcess((*contestant.command, *more), {"RIVET_ENDPOINT": engine.endpoint})
        try:
            runner = LiveRunner(contestant, process, await engine.runner(CONNECT_SECONDS))
            await runner.begin()
            yield runner
        except (TimeoutError, ConnectionError) as error:
            raise RuntimeError(f"{contestant.title} failed ({error!r}); what it printed is above") from error
        finally:
            process.end()
