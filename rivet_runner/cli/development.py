"""``dev``: an engine and a runner to play with, whose code is loaded anew when a file is saved.

A reload loses nothing. The new process is connected before the old one drains, so the engine moves the actors over, and
hibernating WebSockets stay open meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from watchfiles import PythonFilter, awatch

from rivet_runner.cli.channel import Loaded, State
from rivet_runner.cli.connection import Connection, environment_with_dotenv
from rivet_runner.cli.console import note, progress, say
from rivet_runner.cli.development_engine import DevelopmentEngine, EngineKind, check_port, open_engine
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.interrupts import until_interrupted
from rivet_runner.cli.worker import WorkerOptions
from rivet_runner.cli.worker_process import WorkerProcess, end_all
from rivet_runner.testing import EngineApiError, HttpExchangeFailed
from rivet_runner.testing.engine_config import LOOPBACK

__all__ = ["develop"]

ENDED: Final = 1

CONNECT_SECONDS: Final = 30.0
"""For a runner to connect to the engine, which runs on this machine."""

LISTED_SECONDS: Final = 10.0
LISTED_POLL_SECONDS: Final = 0.05
"""The engine lists a runner, and gives it actors, some milliseconds after it has accepted it."""

NO_BYTECODE: Final = {"PYTHONDONTWRITEBYTECODE": "1"}
"""Python takes its cached bytecode for that of a file which was saved again in the same second, with as many bytes."""

KEY: Final = "try"
"""The key of the actor in the lines to try."""

MOST_CALLS: Final = 5
"""The lines to try that are shown of a program with many kinds of actors."""


async def develop(target: str, *, kind: EngineKind, port: int, data: Path, reload: bool, log_level: str) -> int:
    """Run an engine and the runner until a signal ends them, and return the exit status. Raises `CommandError`."""
    check_port(port)
    data = data.absolute()  # noqa: ASYNC240
    development = Development(target, port, log_level)

    async def work(hurried: asyncio.Event) -> int:
        async with _watching(data, development.changed) if reload else contextlib.nullcontext():
            return await development.run(kind, data, reload, hurried)

    return await until_interrupted(work, "Stopping the runner and the engine. Press Ctrl-C again to hurry.")


class Development:
    """The processes of one ``dev``: the one that serves, and those that load or drain."""

    def __init__(self, target: str, port: int, log_level: str) -> None:
        self._target = target
        self._log_level = log_level
        endpoint = f"http://{LOOPBACK}:{port}"
        given = frozenset({"endpoint", "namespace"})
        self._connection = Connection(endpoint, "default", None, "default", given)
        self._api = self._connection.api()
        self._processes: list[WorkerProcess] = []
        self.changed: asyncio.Event = asyncio.Event()
        """Set when a file was saved."""

    async def run(self, kind: EngineKind, data: Path, reload: bool, hurried: asyncio.Event) -> int:
        try:
            process = await self._spawn()
            async with progress(f"Loading {self._target}"):
                await process.wait_loaded()
            async with open_engine(kind, self._port, data) as engine:
                try:
                    loaded, _ = await self._bring_up(process)
                    await self._print_lines(engine, loaded, reload)
                    return await self._serve(process, reload)
                finally:
                    # Before the engine ends: it is the engine that stops the actors.
                    await end_all(self._processes, hurried)
        finally:
            await end_all(self._processes, hurried)

    @property
    def _port(self) -> int:
        return int(self._connection.endpoint.rpartition(":")[2])

    async def _spawn(self) -> WorkerProcess:
        environment = self._connection.environment(environment_with_dotenv()) | NO_BYTECODE
        options = WorkerOptions("", self._log_level, self._connection.given)
        process = await WorkerProcess.spawn("the runner", self._target, environment, options)
        self._processes = [*(other for other in self._processes if not other.ended.done()), process]
        return process

    async def _bring_up(self, process: WorkerProcess) -> tuple[Loaded, State]:
        """Connect a process that loads, and return once actors can move to it. Raises `CommandError` if that fails."""
        loaded = await process.wait_loaded()
        try:
            await self._api.upsert_runner_config(loaded.runner_name)
            process.start(CONNECT_SECONDS)
            state = await process.wait_connected()
            async with asyncio.timeout(LISTED_SECONDS):
                while not await self._lists(loaded, state):  # noqa: ASYNC110
                    await asyncio.sleep(LISTED_POLL_SECONDS)
        except (EngineApiError, HttpExchangeFailed, TimeoutError) as error:
            raise CommandError(f"the engine does not take the runner: {error}") from None
        return loaded, state

    async def _lists(self, loaded: Loaded, state: State) -> bool:
        return state.runner_id in [runner.runner_id for runner in await self._api.list_runners(loaded.runner_name)]

    async def _serve(self, process: WorkerProcess, reload: bool) -> int:
        while True:
            if not await self._until_changed_or_ended(process):
                reason = (await process.ended).reason
                if not reload:
                    raise CommandError(f"the runner has ended: {reason}", status=ENDED)
                note(f"The runner has ended: {reason}. It starts again when you save a file.", "red")
                await self.changed.wait()
            process = await self._reload(process)

    async def _until_changed_or_ended(self, process: WorkerProcess) -> bool:
        changed = asyncio.create_task(self.changed.wait())
        try:
            futures: list[asyncio.Future[Any]] = [changed, process.ended]
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            return changed.done()
        finally:
            changed.cancel()

    async def _reload(self, old: WorkerProcess) -> WorkerProcess:
        """Replace a process by one with the code as it is now, and return the one that serves from now on."""
        self.changed.clear()
        note("A file has changed: loading it.")
        drained_before = [process for process in self._processes if process is not old]
        new = await self._spawn()
        try:
            if not await self._bring_up_unless_changed(new):
                # It is out of date already. The caller sees the change too.
                await self._discard(new)
                return old
        except CommandError as error:
            if error.details is not None:
                note(error.details)
            note(f"error: {error}", "red")
            await self._discard(new)
            if not old.ended.done():
                note("The old code goes on.")
            return old
        for process in drained_before:
            process.drain(immediate=True)
        old.drain()
        note("Reloaded.")
        return new

    async def _bring_up_unless_changed(self, process: WorkerProcess) -> bool:
        changed = asyncio.create_task(self.changed.wait())
        bringing = asyncio.create_task(self._bring_up(process))
        try:
            await asyncio.wait([changed, bringing], return_when=asyncio.FIRST_COMPLETED)
            if bringing.done():
                bringing.result()
            return bringing.done()
        finally:
            for task in (changed, bringing):
                task.cancel()
            await asyncio.gather(changed, bringing, return_exceptions=True)

    async def _discard(self, process: WorkerProcess) -> None:
        hurried = asyncio.Event()
        hurried.set()
        await end_all([process], hurried)

    async def _print_lines(self, engine: DevelopmentEngine, loaded: Loaded, reload: bool) -> None:
        option = "" if self._port == 6420 else f" --endpoint {engine.endpoint}"
        say(f"The engine is at {engine.endpoint} ({engine.description}).")
        if loaded.actions is None:
            await self._print_requests(engine, loaded, option)
        else:
            _print_calls(loaded, option)
        say("Save a file to reload. Press Ctrl-C to stop." if reload else "Press Ctrl-C to stop.")

    async def _print_requests(self, engine: DevelopmentEngine, loaded: Loaded, option: str) -> None:
        name = loaded.actor_names[0] if loaded.actor_names else loaded.runner_name
        try:
            actor = await self._api.get_or_create_actor(name, runner_name=loaded.runner_name, key=KEY)
        except (EngineApiError, HttpExchangeFailed, TimeoutError) as error:
            raise CommandError(f"the engine creates no actor: {error}") from None
        url = f"{engine.endpoint}/gateway/{actor.actor_id}/"
        say(f'The runner "{loaded.runner_name}" is connected, and has an actor to try:')
        say()
        say(f"  curl {url}")
        say(f"  rivet-runner request {name}/{KEY} GET /{option}")
        say(f"  ws{url.removeprefix('http')}")
        say()
        say('WebSocket clients offer the subprotocol "rivet": new WebSocket(url, "rivet") in a browser.')


def _print_calls(loaded: Loaded, option: str) -> None:
    """The first action of each kind of typed actors. Their actors are left to the calls, because some need an input."""
    pool = "" if loaded.runner_name == "default" else f"RIVET_POOL={shlex.quote(loaded.runner_name)} "
    kinds = {name: actions for name, actions in (loaded.actions or {}).items() if actions}
    first = [(name, *next(iter(kinds[name].items()))) for name in [*kinds][:MOST_CALLS]]
    if not first:
        say(f'The runner "{loaded.runner_name}" is connected.')
        return
    say(f'The runner "{loaded.runner_name}" is connected. Call its actors from another terminal:')
    say()
    for name, action, parameters in first:
        arguments = " ".join([action, *map(str.upper, parameters)])
        say(f"  {pool}rivet-runner call {name}/{KEY} {arguments} --create{option}")
    say()
    if any(parameters for *_, parameters in first):
        say("Give the arguments in capitals as JSON.")


@contextlib.asynccontextmanager
async def _watching(data: Path, changed: asyncio.Event) -> AsyncIterator[None]:
    """Set ``changed`` whenever a Python file or ``.env`` of the working directory is saved."""
    interesting = PythonFilter(extra_extensions=(".env",), ignore_paths=[data])

    async def watch() -> None:
        try:
            async for _ in awatch(Path.cwd(), watch_filter=interesting):
                changed.set()
        except (OSError, RuntimeError) as error:
            note(f"Files cannot be watched, so nothing is reloaded: {error}", "red")

    watcher = asyncio.create_task(watch(), name="watch files")
    # It has begun to watch before the module is loaded: no save goes unnoticed.
    await asyncio.sleep(0)
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
