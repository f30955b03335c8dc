"""The engine of ``dev``: the real one in a process of its own, or the simulated one in this process."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from rivet_runner.cli.console import progress
from rivet_runner.cli.errors import CommandError
from rivet_runner.testing import EngineNotFound
from rivet_runner.testing.engine_binary import find_engine_binary
from rivet_runner.testing.engine_config import LOOPBACK, is_free

__all__ = ["DevelopmentEngine", "EngineKind", "check_port", "open_engine"]

EngineKind = Literal["auto", "real", "simulated"]

REAL_DATA: Final = "engine"
SIMULATED_DATA: Final = "simulated.sqlite"


class DevelopmentEngine(NamedTuple):
    """An engine that runs. ``description`` is a few words for the user."""

    endpoint: str
    description: str


def check_port(port: int) -> None:
    """Raise `CommandError` if an engine could not listen there."""
    if not is_free(port):
        raise CommandError(
            f"port {port} is taken, perhaps by another `rivet-runner dev`: stop the process that listens there, or choose "
            "another one with --port"
        )


@contextlib.asynccontextmanager
async def open_engine(kind: EngineKind, port: int, data: Path) -> AsyncIterator[DevelopmentEngine]:
    """Run an engine on ``port`` of this machine, with its data in the folder ``data``. Raises `CommandError`."""
    real = _wants_real(kind)
    _make_folder(data)
    opened = _real(port, data / REAL_DATA) if real else _simulated(port, data / SIMULATED_DATA)
    async with opened as engine:
        yield engine


def _wants_real(kind: EngineKind) -> bool:
    if kind == "simulated":
        return False
    try:
        find_engine_binary()
    except EngineNotFound as error:
        if kind == "real":
            raise CommandError(str(error)) from None
        return False
    return True


@contextlib.asynccontextmanager
async def _real(port: int, data: Path) -> AsyncIterator[DevelopmentEngine]:
    from rivet_runner.testing import EngineStartFailed, LocalEngine

    engine = LocalEngine(port=port, data_dir=data)
    try:
        async with progress("Starting the engine"):
            await engine.start()
    except (EngineStartFailed, OSError) as error:
        first, _, rest = str(error).partition("\n")
        raise CommandError(
            f"the engine does not start: {first.rstrip(':')} (its log is {data / 'engine.log'})", details=rest or None
        ) from None
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(engine.close)
        stack.push_async_callback(engine.stop)
        yield DevelopmentEngine(engine.endpoint, f"a real engine, its data is in {_shown(data)}")


@contextlib.asynccontextmanager
async def _simulated(port: int, data: Path) -> AsyncIterator[DevelopmentEngine]:
    # It is large, and a real engine does without it.
    from rivet_runner.testing import SimulatedEngine

    async with contextlib.AsyncExitStack() as stack:
        try:
            engine = await stack.enter_async_context(SimulatedEngine(data=data))
            endpoint = await engine.listen(port, LOOPBACK)
        except (OSError, sqlite3.Error, ValueError) as error:
            raise CommandError(f"the simulated engine does not start: {error} (its data is {data})") from None
        yield DevelopmentEngine(endpoint, f"a simulated engine, its data is in {_shown(data)}")


def _shown(data: Path) -> Path:
    folder = Path.cwd()
    return data.relative_to(folder) if data.is_relative_to(folder) else data


def _make_folder(data: Path) -> None:
    try:
        if not data.exists():
            data.mkdir(parents=True)
            (data / ".gitignore").write_text("*\n")
        elif not data.is_dir():
            raise NotADirectoryError(20, "it is no folder")
    except OSError as error:
        raise CommandError(
            f"cannot use {data} for the engine's data: {error.strerror}: choose another with --data"
        ) from None
