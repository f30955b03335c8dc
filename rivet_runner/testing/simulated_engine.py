"""An engine in this process, for tests: no binary, no port, and time that can be moved forward."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

import msgspec

from rivet_runner._connection.environment import Environment, Link, environment
from rivet_runner.actor import Actor
from rivet_runner.runner import Runner
from rivet_runner.testing._simulated.actor_spec import CrashPolicy
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.cluster import NAMESPACE
from rivet_runner.testing._simulated.engine import RunningEngine
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.handles import SimulatedActorHandle, api_error
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.storage import Storage
from rivet_runner.testing._simulated.trace import Trace
from rivet_runner.testing.virtual_loop import VirtualLoop

__all__ = ["SimulatedEngine"]

RunnerT = TypeVar("RunnerT", bound=Runner)

ENDPOINT: Final = "http://simulated.invalid"
"""What a hosted runner's config says; nothing is ever sent there."""

VIRTUAL_EPOCH_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z: when virtual time begins."""


class SimulatedEngine:
    """A Rivet engine in memory, to be used as ``async with``.

    ``seed`` decides everything that the real engine leaves to chance: on virtual time one seed is one run. ``settings`` are
    fields of `EngineSettings` that differ from the real engine's defaults. ``clock="virtual"`` needs an event loop of
    `virtual_loop`; waiting costs nothing then, and `advance` moves on by any time.

    ``data`` is the path of a SQLite file that keeps actors and their data for the next engine, which never gives out an id a
    second time. Runners are not kept: an actor that was awake is lost, and goes on as its crash policy says.

    `trace` tells what happened. The engine belongs to the event loop on which it is entered.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        data: str | os.PathLike[str] | None = None,
        clock: Literal["real", "virtual"] = "real",
        settings: Mapping[str, Any] | EngineSettings | None = None,
    ) -> None:
        if clock not in ("real", "virtual"):
            raise ValueError(f'clock must be "real" or "virtual", not {clock!r}')
        self._seed = seed
        self._data = None if data is None else Path(data)
        self._virtual = clock == "virtual"
        self._settings = _settings(settings)
        self._engine: RunningEngine | None = None
        self._hosted: list[Runner] = []
        self._runner_keys = 0

    def __repr__(self) -> str:
        state = "not running" if self._engine is None else f"{len(self._engine.cluster.actors)} actors"
        return f"<SimulatedEngine seed {self._seed}, {state}>"

    async def __aenter__(self) -> Self:
        if self._engine is not None:
            raise RuntimeError("this SimulatedEngine runs already")
        if self._virtual:
            _require_virtual_loop()
        epoch_ms = VIRTUAL_EPOCH_MS if self._virtual else time.time_ns() // 1_000_000
        storage = None if self._data is None else Storage(self._data)
        self._engine = RunningEngine(seed=self._seed, settings=self._settings, epoch_ms=epoch_ms, storage=storage)
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        engine, self._engine = self._running, None
        await engine.close()

    @property
    def _running(self) -> RunningEngine:
        if self._engine is None:
            raise RuntimeError("the SimulatedEngine does not run: use it inside `async with`")
        return self._engine

    @property
    def settings(self) -> EngineSettings:
        return self._settings

    @property
    def trace(self) -> Trace:
        """Every message and decision of this run, in order."""
        return self._running.cluster.trace

    def now(self) -> datetime:
        """The engine's clock, aware and in UTC; virtual if the clock is."""
        return datetime.fromtimestamp(self._running.now_ms() / 1000, UTC)

    # Runners

    @contextlib.asynccontextmanager
    async def host(self, runner: type[RunnerT] | RunnerT, **options: Any) -> AsyncIterator[RunnerT]:
        """Start a runner against this engine, and shut it down at the end.

        ``runner`` is a class, made with ``options``, or an instance that was not started yet. Its endpoint, namespace and
        token do not matter. Raises what `Runner.start` raises.
        """
        engine = self._running
        hosted = self._make(runner, options)
        engine.api.upsert_runner_config(hosted.config.runner_name)
        token = environment.set(self._environment(engine))
        try:
            await hosted.start()
        finally:
            environment.reset(token)
        self._hosted.append(hosted)
        try:
            yield hosted
        finally:
            await hosted.shutdown()
            self._hosted.remove(hosted)

    async def dial(self, url: str, subprotocols: list[str], on_message: Callable[[bytes], None]) -> Link:
        """Open a connection as a runner of your own making; ``url`` is what a runner would dial.

        ``on_message`` gets each message, synchronously. Raises `OSError` if the engine is down.
        """
        return await self._running.dial(url, subprotocols, on_message)

    def describe(self, actor_id: str) -> dict[str, Any]:
        """The actor as the management API shows it. Raises `EngineApiError` with ``actor.not_found``."""
        return self._running.api.describe(self._find(actor_id))

    def _make(self, runner: type[RunnerT] | RunnerT, options: dict[str, Any]) -> RunnerT:
        if isinstance(runner, Runner):
            if options:
                raise TypeError("options go with a class; an instance has them already")
            return runner
        self._runner_keys += 1
        fixed = {"endpoint": ENDPOINT, "namespace": NAMESPACE, "token": None, "runner_name": "default"}
        return runner(**{**fixed, "runner_key": f"runner-{self._runner_keys}", **options})

    def _environment(self, engine: RunningEngine) -> Environment:
        return Environment(engine.dial, engine.now_ms, engine.runner_random.random, busy_polls=False)

    def find_hosted(self, actor_id: str) -> Actor | None:
        """The actor, if a runner that this engine hosts has it."""
        for runner in self._hosted:
            actor = runner.get_actor(actor_id)
            if actor is not None:
                return actor
        return None

    # Actors

    async def create(
        self,
        name: str,
        *,
        key: str | None = None,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        runner_name: str = "default",
    ) -> SimulatedActorHandle:
        """Create an actor for runners of this name; it starts as soon as there is one.

        Raises `EngineApiError`, for example ``actor.duplicate_key``. Without a runner an actor of policy ``sleep`` sleeps,
        with the error ``no_capacity``; any other waits.
        """
        api = self._running.api
        api.upsert_runner_config(runner_name)
        try:
            created = api.create_actor(name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy)
        except EngineError as error:
            raise api_error(error) from None
        return self._handle(created["actor_id"])

    async def get_or_create(
        self,
        name: str,
        *,
        key: str,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        runner_name: str = "default",
    ) -> SimulatedActorHandle:
        """The actor of this name and key, created if there is none. Raises `EngineApiError`."""
        api = self._running.api
        api.upsert_runner_config(runner_name)
        try:
            found, _ = api.get_or_create_actor(
                name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy
            )
        except EngineError as error:
            raise api_error(error) from None
        return self._handle(found["actor_id"])

    def get(self, actor_id: str) -> SimulatedActorHandle:
        """The actor with this id, destroyed ones included. Raises `EngineApiError` with ``actor.not_found``."""
        return self._handle(self._find(actor_id).id)

    def _find(self, actor_id: str) -> SimulatedActor:
        actor = self._running.cluster.find_actor(actor_id)
        if actor is None:
            raise api_error(EngineError("actor.not_found"))
        return actor

    def _handle(self, actor_id: str) -> SimulatedActorHandle:
        cluster = self._running.cluster
        return SimulatedActorHandle(cluster, cluster.actors[actor_id], self)

    # Time

    async def advance(self, seconds: float = 0, **fields: float) -> None:
        """Move virtual time on; everything that is due until then has happened when this returns.

        ``fields`` are those of `datetime.timedelta`. Raises `RuntimeError` on a real clock.
        """
        self._running  # noqa: B018
        if not self._virtual:
            raise RuntimeError('advance needs SimulatedEngine(clock="virtual")')
        delta = timedelta(seconds=seconds, **fields).total_seconds()
        if delta < 0:
            raise ValueError("time does not go backwards")
        loop = _require_virtual_loop()
        await loop.advance(delta)

    # Faults by hand

    async def restart(self, graceful: bool = False) -> None:
        """Stop the engine and start it again: a new gateway, and runners that have to connect anew.

        Without ``graceful`` it crashes: connections break without a close frame, and runners that it knew get their first
        init after `EngineSettings.crash_lease_ms`. With it, open requests and WebSockets are waited for, at most for
        `EngineSettings.guard_shutdown_duration`.
        """
        await self._running.restart(graceful=graceful)

    def partition(self, runner: Runner) -> None:
        """Silence the connection of a runner in both directions; nothing is closed. See `heal`."""
        self._running.partition(runner.config.runner_key)

    def heal(self) -> None:
        """End every partition; what waits is delivered."""
        self._running.heal()


def _settings(given: Mapping[str, Any] | EngineSettings | None) -> EngineSettings:
    if isinstance(given, EngineSettings):
        return given
    return msgspec.convert(dict(given or {}), EngineSettings)


def _require_virtual_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError(
            'clock="virtual" needs an event loop of rivet_runner.testing.virtual_loop(), for example '
            "asyncio.Runner(loop_factory=virtual_loop)"
        )
    return loop
