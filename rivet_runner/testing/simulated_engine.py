"""An engine in this process, for tests: no binary, no port, and time that can be moved forward."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeVar
from uuid import UUID

from rivet_runner._connection.environment import Environment, Link, environment
from rivet_runner.actor import Actor
from rivet_runner.config import RunnerConfig
from rivet_runner.runner import Runner, RunnerSource, make_runner
from rivet_runner.testing._simulated.actor_spec import CrashPolicy
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.engine import RunningEngine
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.handles import SimulatedActorHandle, api_error
from rivet_runner.testing._simulated.memory_transport import MemoryTransport
from rivet_runner.testing._simulated.namespaces import DEFAULT
from rivet_runner.testing._simulated.port_api import PortApi
from rivet_runner.testing._simulated.settings import EngineSettings, engine_settings
from rivet_runner.testing._simulated.storage import Storage
from rivet_runner.testing._simulated.trace import Trace
from rivet_runner.testing.faults import Faults
from rivet_runner.testing.virtual_clock import running_virtual_loop

if TYPE_CHECKING:
    from rivet_runner.actors.client import Client
    from rivet_runner.testing._simulated.port import Port

__all__ = ["SimulatedActorHandle", "SimulatedEngine"]

RunnerT = TypeVar("RunnerT", bound=Runner)

ENDPOINT: Final = "http://simulated.invalid"
"""The endpoint in the config of a hosted runner, which never dials it."""

VIRTUAL_EPOCH_MS: Final = 1_767_225_600_000
"""2026-01-01T00:00:00Z, the begin of virtual time."""


class SimulatedEngine:
    """A Rivet engine in memory, for your tests. It needs no binary and no port.

    Use it with ``async with``, host your runner on it, and talk to your actors through handles::

        async with SimulatedEngine() as engine, engine.host(Counter):
            counter = await engine.create("counter", key="a")
            assert (await counter.request("POST", "/increment")).status == 200

    ``seed`` decides everything that a real engine leaves to chance. On virtual time, you repeat a run with its seed.

    ``faults`` has connections break, the engine crash and more, by chance. See `Faults`. The default is none of them.

    ``clock="virtual"`` needs an event loop of `virtual_loop`. Your test then spends no real time on waiting, and you can
    `advance` the clock by days. Your code reads the time with `now`, or from ``asyncio.get_running_loop().time()``.

    ``data`` is the path of a SQLite file that keeps your actors and their data for the next engine, which never uses an id
    again. The file does not keep runners: an actor that was awake counts as lost, and its crash policy decides.

    ``settings`` changes timers and limits of the engine by their names, in milliseconds and bytes. See `EngineSettings`.

    If your test fails, look at `trace`. The engine belongs to the event loop on which you enter it. It raises
    `RuntimeError` there if it runs already or the loop is not virtual, and `ValueError` or `sqlite3.Error` if it cannot read
    your file.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: Faults | None = None,
        data: str | os.PathLike[str] | None = None,
        clock: Literal["real", "virtual"] = "real",
        settings: Mapping[str, Any] | EngineSettings | None = None,
    ) -> None:
        if clock not in ("real", "virtual"):
            raise ValueError(f'clock must be "real" or "virtual", not {clock!r}')
        self._seed = seed
        self._faults = faults
        self._data = None if data is None else Path(data)
        self._virtual = clock == "virtual"
        self._settings = engine_settings(settings)
        self._engine: RunningEngine | None = None
        self._transport: MemoryTransport | None = None
        self._client: Client | None = None
        self._port: Port | None = None
        self._hosted: list[Runner] = []
        self._runner_keys = 0

    def __repr__(self) -> str:
        state = "not running" if self._engine is None else f"{len(self._engine.cluster.actors)} actors"
        return f"<SimulatedEngine seed {self._seed}, {state}>"

    async def __aenter__(self) -> Self:
        if self._engine is not None:
            raise RuntimeError("this SimulatedEngine runs already")
        if self._virtual:
            running_virtual_loop()
        epoch_ms = VIRTUAL_EPOCH_MS if self._virtual else time.time_ns() // 1_000_000
        storage = None if self._data is None else Storage(self._data)
        self._engine = RunningEngine(
            seed=self._seed, settings=self._settings, epoch_ms=epoch_ms, storage=storage, faults=self._faults
        )
        self._transport = MemoryTransport(self._engine, PortApi(self._engine.api, ENDPOINT))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        engine, self._engine = self._running, None
        port, self._port = self._port, None
        client, self._client = self._client, None
        async with contextlib.AsyncExitStack() as ending:
            if port is not None:
                ending.push_async_callback(port.close)
            ending.push_async_callback(engine.close)
            if client is not None:
                ending.push_async_callback(client.aclose)

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
        """Every message and decision of this run, in order. Print it, or ``trace.last(50)``, to see how your test failed."""
        return self._running.cluster.trace

    def now(self) -> datetime:
        """The time of the engine's clock, aware and in UTC. Virtual time begins at 2026-01-01 00:00."""
        return datetime.fromtimestamp(self._running.now_ms() / 1000, UTC)

    @property
    def connected_runners(self) -> int:
        """The number of runners that are connected."""
        return len(self._running.cluster.sockets)

    @property
    def open_requests(self) -> int:
        """The number of HTTP requests and WebSockets that the gateway knows of, hibernating ones included."""
        return len(self._running.cluster.gateway)

    # The port

    async def listen(self, port: int = 0, host: str = "127.0.0.1") -> str:
        """Listen on a real port, for runners and clients of other processes, and return the URL, which is `endpoint` too.

        The port has the management API, and the gateway over HTTP and WebSockets. ``port`` 0 means any free port. Anyone who
        reaches the port may use the engine, so ``host`` is this machine alone by default. The port closes with the engine.

        It requires ``pip install "rivet-runner[simulated]"`` and a real clock. Raises `ModuleNotFoundError` without the
        former, `RuntimeError` on a virtual clock or if it listens already, and `OSError` if the port is taken.
        """
        engine = self._running
        if self._virtual:
            raise RuntimeError('a port has real clients, which know nothing of virtual time: use clock="real"')
        if self._port is not None:
            raise RuntimeError(f"the engine listens already, at {self._port.endpoint}")
        listening = self._port = _port(host, port)
        await listening.start(engine, PortApi(engine.api, listening.endpoint))
        return listening.endpoint

    @property
    def endpoint(self) -> str:
        """The URL at which it listens. Raises `RuntimeError` before `listen`."""
        if self._port is None:
            raise RuntimeError("the engine has no port: await engine.listen() first")
        return self._port.endpoint

    # Clients of typed actors

    @property
    def client(self) -> Client:
        """The client of typed actors on this engine, in memory, so that it works on virtual time.

        It has the pool ``default`` and the timeout of 60 s, and is closed with the engine. It requires
        ``pip install "rivet-runner[actors]"``, and raises `ModuleNotFoundError` without it.
        """
        engine = self._running
        if self._client is None:
            from rivet_runner.actors.client import Client

            token = environment.set(self._environment(engine))
            try:
                self._client = Client.of_runner(RunnerConfig(**self._connection, runner_name="default"))
            finally:
                environment.reset(token)
        return self._client

    @property
    def _connection(self) -> dict[str, Any]:
        """The options with which a runner or a client finds this engine."""
        return {"endpoint": ENDPOINT, "namespace": DEFAULT, "token": self._settings.admin_token}

    # Runners

    @contextlib.asynccontextmanager
    async def host(self, runner: type[RunnerT] | RunnerT | RunnerSource[RunnerT], **options: Any) -> AsyncIterator[RunnerT]:
        """Start your runner on this engine, and shut it down at the end of the ``async with`` block.

        ``runner`` is your class or an object that makes a runner, either of which gets ``options``, or an instance that you
        have not started yet. You do not need an endpoint, a namespace or a token. You can host several runners, each with
        a ``runner_key`` of its own.

        Raises `TypeError` for options beside an instance, and the errors of `rivet_runner.Runner.start`. Cancelling shuts
        the runner down.
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
        """Open a connection of a runner, for tests that write the protocol's messages themselves.

        ``url`` is as a runner dials it, with its query. ``on_message`` is called with each message. Raises `OSError` if the
        engine is down, and `TimeoutError` if a partition lasts. Cancelling is safe.
        """
        return await self._running.dial(url, subprotocols, on_message)

    def describe(self, actor_id: str) -> dict[str, Any]:
        """The actor as the management API shows it. Times are in milliseconds. Raises `EngineApiError` if it is unknown."""
        return self._running.api.describe(self._find(actor_id))

    def _make(self, runner: type[RunnerT] | RunnerT | RunnerSource[RunnerT], options: dict[str, Any]) -> RunnerT:
        if isinstance(runner, Runner):
            if options:
                raise TypeError("options go with a class; an instance has them already")
            return runner
        self._runner_keys += 1
        options = {**self._connection, "runner_key": f"runner-{self._runner_keys}", **options}
        return make_runner(runner, options, of_class={"runner_name": "default"})

    def _environment(self, engine: RunningEngine) -> Environment:
        return Environment(
            engine.dial,
            engine.runner_now_ms,
            engine.runner_random.random,
            lambda: str(UUID(int=engine.runner_random.getrandbits(128), version=4)),
            real_time=False,
            client_transport=self._transport,
        )

    def find_hosted(self, actor_id: str) -> Actor | None:
        """The actor inside your runner, if a runner that you host here has it. Otherwise `None`."""
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
        """Create an actor, and return its handle before it runs.

        The actor starts on a runner of ``runner_name``. Without such a runner, an actor of policy ``sleep`` sleeps with the
        error ``no_capacity``, and any other waits for one. Your next request waits for the start, or `wake` does.

        Raises `EngineApiError`, for example ``actor.duplicate_key`` if an actor has this name and key.
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
        """Return the actor of this name and key, or create it as `create` does. Raises `EngineApiError`."""
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
        """Return the actor with this id, also if it is destroyed. Raises `EngineApiError` if it is unknown."""
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
        """Move virtual time on, for example by ``advance(days=30)``.

        Everything that is due until then has happened when it returns: timers, alarms, and the work of your actors that they
        start. ``advance(0)`` finishes the work of this moment. ``fields`` are those of `datetime.timedelta`.

        Raises `RuntimeError` on a real clock, and `ValueError` for a negative time. Cancelling leaves the clock as far as it
        has come.
        """
        self._running  # noqa: B018
        if not self._virtual:
            raise RuntimeError('advance needs SimulatedEngine(clock="virtual")')
        delta = timedelta(seconds=seconds, **fields).total_seconds()
        if delta < 0:
            raise ValueError("time does not go backwards")
        await running_virtual_loop().advance(delta)

    # Faults by hand

    async def restart(self, graceful: bool = False, *, outage: float = 0.0) -> None:
        """Stop the engine and start it again. Your runners have to connect anew.

        By default it crashes: connections break without a close frame, and your runners get the answer to their init after
        `EngineSettings.crash_lease_ms`, 30 s. With ``graceful`` it first waits for open requests and WebSockets, at most for
        `EngineSettings.guard_shutdown_duration`, 600 s. ``outage`` is the time for which it is down, in seconds. Do not
        cancel it.
        """
        await self._running.restart(graceful=graceful, outage=outage)

    def partition(self, runner: Runner) -> None:
        """Silence the connection of your runner in both directions, without closing it, until you call `heal`."""
        self._running.partition(runner.config.runner_key)

    async def kill(self, runner: Runner) -> None:
        """End your runner as if its process was killed, and return when nothing of it is left.

        Its connection breaks at once, and nothing that it does reaches the engine afterwards. Its hooks may still run for a
        moment, because a process has no other way to end a part of itself. You can host another runner with its key next.
        """
        self._running.kill(runner.config.runner_key)
        try:
            await runner.shutdown(immediate=True)
        finally:
            self._running.bury(runner.config.runner_key)

    def heal(self) -> None:
        """End every partition, and deliver the messages that it held back."""
        self._running.heal()


def _port(host: str, port: int) -> Port:
    try:
        from rivet_runner.testing._simulated.port import Port
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'listen() requires uvicorn: pip install "rivet-runner[simulated]" ({error})', name=error.name
        ) from None
    return Port(host, port)
