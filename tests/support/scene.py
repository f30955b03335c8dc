"""One runner and one scripted engine, and what must be true of every runner when it is down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NamedTuple

from rivet_runner import Actor, Request, Response, Runner, WebSocket
from rivet_runner.testing.scripted_engine import RunnerConnection, ScriptedEngine
from rivet_runner.testing.virtual_clock import VirtualLoop

__all__ = ["SETTLE", "Call", "HookedRunner", "Scene", "hang", "hang_and_swallow", "init_times", "scene", "settle", "started"]

SETTLE: Final = 0.001
"""Virtual seconds: the clock moves on only when nothing is under way any more, so this is "until all is quiet"."""

REAL_PAUSES: Final = 10
"""Pauses in real time instead, each with turns of the loop: a busy machine has time for few of them."""

REAL_PAUSE: Final = 0.01

Hook = Callable[..., Awaitable[Any]]


class Call(NamedTuple):
    """One hook call."""

    time: float
    hook: str
    details: tuple[Any, ...]


class HookedRunner(Runner):
    """Notes every call of a hook, then does what the test gave for it: ``hooks={"fetch": async_function}``."""

    def __init__(self, *, hooks: dict[str, Hook] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.hooks = hooks or {}
        self.calls: list[Call] = []

    def called(self, *names: str) -> list[tuple[Any, ...]]:
        """The details of each call of these hooks."""
        return [call.details for call in self.calls if call.hook in names]

    def times(self, name: str) -> list[float]:
        return [call.time for call in self.calls if call.hook == name]

    async def _call(self, name: str, details: tuple[Any, ...], *arguments: Any) -> Any:
        self.calls.append(Call(asyncio.get_running_loop().time(), name, details))
        hook = self.hooks.get(name)
        return None if hook is None else await hook(*arguments)

    async def on_actor_start(self, actor: Actor) -> None:
        await self._call("on_actor_start", (actor.id, actor.generation), actor)

    async def on_actor_stop(self, actor: Actor) -> None:
        await self._call("on_actor_stop", (actor.id, actor.generation), actor)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        answer = await self._call("fetch", (actor.id, request.path), actor, request)
        return answer if isinstance(answer, Response) else Response("ok")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        await self._call("websocket", (actor.id, ws.path), actor, ws)

    async def on_connected(self) -> None:
        await self._call("on_connected", ())

    async def on_disconnected(self, code: int, reason: str) -> None:
        await self._call("on_disconnected", (code, reason))

    async def on_shutdown(self) -> None:
        await self._call("on_shutdown", ())


class _Errors(logging.Handler):
    """Keeps what the package logs as an error: a runner that "survives" by logging a traceback must not pass unseen."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


class Scene:
    """The engine, the runner, and shorthands for what most tests do with them."""

    def __init__(self, engine: ScriptedEngine, runner: HookedRunner, errors: list[str]) -> None:
        self.engine = engine
        self.runner = runner
        self.errors = errors
        """Messages that the package logged as errors. A test takes out what it expects."""
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()

    @property
    def now(self) -> float:
        """Virtual seconds since the scene began."""
        return self.loop.time() - self.began

    async def starting(self) -> tuple[asyncio.Task[None], RunnerConnection]:
        """The runner's `start`, under way, and its connection, whose init is not answered."""
        starting = asyncio.create_task(self.runner.start())
        return starting, await self.engine.accept()

    async def start(self, **init: Any) -> RunnerConnection:
        """Start the runner up to the end of its `start`."""
        starting = asyncio.create_task(self.runner.start())
        connection = await self.reconnected(**init)
        await starting
        return connection

    async def reconnected(self, *, within: float = 60, **init: Any) -> RunnerConnection:
        """Accept the runner's next connection and answer its init."""
        connection = await self.engine.accept(timeout=within)
        await connection.init(**init)
        await settle()
        return connection

    async def actor(self, connection: RunnerConnection, actor_id: str = "a1", **command: Any) -> Actor:
        """Start an actor and return it once it runs."""
        connection.start_actor(actor_id, **command)
        await connection.running(actor_id)
        await settle()
        actor = self.runner.get_actor(actor_id)
        assert actor is not None
        return actor

    def expect_error(self, part: str) -> None:
        """An error with this text was logged, and that is right; each is to be expected once."""
        for message in self.errors:
            if part in message:
                self.errors.remove(message)
                return
        raise AssertionError(f"no error was logged with {part!r}: {self.errors}")


@contextlib.asynccontextmanager
async def scene(
    hooks: dict[str, Hook] | None = None, *, kind: type[HookedRunner] = HookedRunner, **options: Any
) -> AsyncIterator[Scene]:
    """A runner that was not started. At the end it is taken down, and whatever must be true of each runner is checked.

    It does not warn of a blocked loop, unless ``block_warning`` says so: on a busy machine any loop is late in real time.
    """
    errors = _Errors()
    log = logging.getLogger("rivet_runner")
    log.addHandler(errors)
    before = asyncio.all_tasks()
    try:
        async with ScriptedEngine() as engine:
            defaults = {"endpoint": engine.endpoint, "runner_key": "key", "block_warning": None}
            runner = kind(hooks=hooks, **{**defaults, **options})
            current = Scene(engine, runner, errors.messages)
            yield current
            await runner.shutdown(immediate=True)
            await settle()
            _check_calls(runner)
            assert [c for c in engine.connections if c.is_open] == [], "a socket was left open"
            assert not runner.connected
            assert dict(runner.actors) == {}
    finally:
        log.removeHandler(errors)
    await settle()
    left = asyncio.all_tasks() - before
    assert left == set(), f"tasks were left: {left}"
    assert errors.messages == [], f"errors were logged: {errors.messages}"


@contextlib.asynccontextmanager
async def started(hooks: dict[str, Hook] | None = None, **options: Any) -> AsyncIterator[tuple[Scene, RunnerConnection]]:
    """A runner that is connected as ``r1``."""
    async with scene(hooks, **options) as current:
        yield current, await current.start()


def _check_calls(runner: HookedRunner) -> None:
    connected, disconnected = runner.times("on_connected"), runner.times("on_disconnected")
    assert len(connected) == len(disconnected), f"on_connected {connected} and on_disconnected {disconnected}"
    names = [call.hook for call in runner.calls]
    if runner.calls:
        assert names.count("on_shutdown") == 1
        assert names[-1] == "on_shutdown", f"on_shutdown is the last hook, and the calls were {names[-5:]}"
    stops = runner.called("on_actor_stop")
    assert len(stops) == len(set(stops)), f"on_actor_stop was called twice: {stops}"
    edges = [name for name in names if name in ("on_connected", "on_disconnected")]
    assert edges == ["on_connected", "on_disconnected"] * len(connected)


def init_times(connection: RunnerConnection) -> list[float]:
    """When each init came, in seconds after the connection was opened."""
    kind = connection.codec.ToServerInit
    return [at - connection.opened_at for at, message in connection.received if isinstance(message, kind)]


async def settle() -> None:
    """Let everything that is under way finish."""
    if isinstance(asyncio.get_running_loop(), VirtualLoop):
        await asyncio.sleep(SETTLE)
        return
    for _ in range(REAL_PAUSES):
        await asyncio.sleep(REAL_PAUSE)


async def hang(*_: Any) -> None:
    """A hook that never returns."""
    await asyncio.Event().wait()


async def hang_and_swallow(*_: Any) -> None:
    """A hook that never returns, and takes no notice of being cancelled for an hour."""
    until = asyncio.get_running_loop().time() + 3600
    while asyncio.get_running_loop().time() < until:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(until - asyncio.get_running_loop().time())
