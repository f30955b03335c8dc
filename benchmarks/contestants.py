"""The runners that take part, and how each is started."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from benchmarks.distance import at_distance
from benchmarks.process import PROJECT, RunnerProcess
from benchmarks.synthetic.actions import ActionRequests, ActionSockets
from benchmarks.synthetic.dialect import V3, V7
from benchmarks.synthetic.engine import EngineConnection, synthetic_engine
from benchmarks.synthetic.loads import HttpRequests, OpenSockets

__all__ = [
    "CONTESTANTS",
    "HIBERNATABLE",
    "PROTOCOL_7",
    "RIVETKIT",
    "TYPED",
    "TYPED_HIBERNATABLE",
    "Contestant",
    "LiveRunner",
    "connected",
    "missing",
]

CONNECT_SECONDS: Final = 30.0
TYPESCRIPT: Final = PROJECT / "benchmarks" / "typescript_runner"


class Contestant(NamedTuple):
    """A kind of runner."""

    name: str
    title: str
    command: tuple[str, ...]
    dialect: type[V3]
    sockets: type[OpenSockets] = OpenSockets
    requests: type[HttpRequests] = HttpRequests
    package: str = ""
    """The package of Node.js that it needs."""


_PYTHON: Final = (sys.executable, "-m", "benchmarks.python_runner")
_TYPESCRIPT: Final = ("node", str(TYPESCRIPT / "runner.mjs"))

CONTESTANTS: Final = {
    "python": Contestant("python", "Python", _PYTHON, V3),
    "uvloop": Contestant("uvloop", "Python + uvloop", (*_PYTHON, "--uvloop"), V3),
    "typescript": Contestant("typescript", "TypeScript", _TYPESCRIPT, V7, package="@rivetkit/engine-runner"),
    "floor": Contestant("floor", "floor", (sys.executable, "-m", "benchmarks.floor"), V3),
}

HIBERNATABLE: Final = Contestant("hibernatable", "Python, hibernatable", (*_PYTHON, "--hibernatable"), V3)
_TYPED: Final = (sys.executable, "-m", "benchmarks.typed_runner")
TYPED: Final = Contestant("typed", "typed actors", _TYPED, V3, ActionSockets, ActionRequests)
TYPED_HIBERNATABLE: Final = TYPED._replace(
    name="typed-hibernatable", title="typed actors, hibernatable", command=(*_TYPED, "--hibernatable")
)
RIVETKIT: Final = TYPED._replace(
    name="rivetkit", title="RivetKit", command=("node", str(TYPESCRIPT / "rivetkit.mjs")), package="rivetkit"
)
PROTOCOL_7: Final = Contestant("python-7", "Python, protocol 7", (*_PYTHON, "--protocol", "7"), V7)


def missing(contestant: Contestant) -> str | None:
    """Why a contestant cannot take part here, or `None` if it can."""
    if contestant.name == "uvloop" and importlib.util.find_spec("uvloop") is None:
        return "uvloop is not installed"
    if contestant.package and shutil.which("node") is None:
        return "Node.js is not installed"
    if contestant.package and not (TYPESCRIPT / "node_modules" / contestant.package).is_dir():
        return "its packages are not installed; `make bench` does that"
    return None


class LiveRunner(NamedTuple):
    """A contestant that has connected to a synthetic engine of its own, and the loads on one actor of it."""

    contestant: Contestant
    process: RunnerProcess
    connection: EngineConnection
    sockets: OpenSockets
    http: HttpRequests


@asynccontextmanager
async def connected(contestant: Contestant, *more: str, round_trip: float = 0.0) -> AsyncIterator[LiveRunner]:
    """Start a contestant, with ``more`` arguments, ``round_trip`` seconds from its engine; it is killed afterwards."""
    async with synthetic_engine(contestant.dialect()) as (near, connecting), at_distance(near, round_trip) as endpoint:
        with RunnerProcess((*contestant.command, *more), RIVET_ENDPOINT=endpoint) as process:
            try:
                connection = await asyncio.wait_for(connecting, CONNECT_SECONDS)
                (actor_id,) = await connection.start_actors(1)
                sockets, http = contestant.sockets(connection, actor_id), contestant.requests(connection, actor_id)
                yield LiveRunner(contestant, process, connection, sockets, http)
            except (TimeoutError, ConnectionError) as error:
                raise RuntimeError(f"{contestant.title} failed ({error!r}); its output is above") from error
