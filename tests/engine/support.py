"""A runner whose hooks a test hands in, a program in a process of its own, and a client that does not give up."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, HttpExchangeFailed, HttpResponse
from rivet_runner.testing.engine_api import CrashPolicy
from tests.support.waiting import eventually

__all__ = ["PROJECT", "Engine", "Fetch", "Hook", "OwnEngine", "Probe", "Program", "RestartableEngine", "answered", "hosting"]

PROJECT = Path(__file__).parents[2]


class Engine(Protocol):
    """An engine at a port, real or simulated."""

    @property
    def endpoint(self) -> str: ...


class RestartableEngine(Engine, Protocol):
    """An engine that a test may stop, and start again on the same data and port."""

    async def stop(self) -> None: ...

    async def kill(self) -> None: ...

    async def start(self) -> None: ...

    async def restart(self) -> None: ...


class OwnEngine(Protocol):
    """Starts an engine. ``settings`` are names of the engine's ``pegboard``."""

    def __call__(
        self, *, admin_token: str | None = None, **settings: int
    ) -> AbstractAsyncContextManager[RestartableEngine]: ...


Hook = Callable[[Actor], Awaitable[object]]
Fetch = Callable[[Actor, Request], Awaitable[Any]]


async def _nothing(_: Actor) -> None:
    return None


async def _path_and_body(_: Actor, request: Request) -> Response:
    return Response(request.path.encode() + b" " + request.body)


class Probe(Runner):
    """Notes each call of its actor hooks as ``(hook, actor id, generation)``, then does what the test wants."""

    def __init__(
        self, *, on_start: Hook = _nothing, on_stop: Hook = _nothing, fetch: Fetch = _path_and_body, **options: Any
    ) -> None:
        super().__init__(**options)
        self.do_start, self.do_stop, self.do_fetch = on_start, on_stop, fetch
        self.calls: list[tuple[str, str, int]] = []
        self.requests = 0

    async def on_actor_start(self, actor: Actor) -> None:
        self.calls.append(("start", actor.id, actor.generation))
        await self.do_start(actor)

    async def on_actor_stop(self, actor: Actor) -> None:
        self.calls.append(("stop", actor.id, actor.generation))
        await self.do_stop(actor)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        self.requests += 1
        answer: Response = await self.do_fetch(actor, request)
        return answer

    def calls_of(self, actor: Actor) -> list[tuple[str, int]]:
        """The hooks that ran for this actor, in order, each with its generation."""
        return [(hook, generation) for hook, actor_id, generation in self.calls if actor_id == actor.id]

    async def new_actor(
        self, api: EngineApi, *, key: str | None = None, input: bytes | None = None, crash_policy: CrashPolicy = "sleep"
    ) -> Actor:
        """Create an actor, and return it once it runs here."""
        created = await api.create_ready_actor(
            "probe", runner_name=self.config.runner_name, key=key, input=input, crash_policy=crash_policy
        )
        actor = self.get_actor(created.actor_id)
        assert actor is not None
        return actor

    async def put_to_sleep(self, api: EngineApi, actor: Actor) -> None:
        """Return once the engine says that the actor sleeps, and this generation has stopped here."""
        actor.sleep()
        await api.wait_sleeping(actor.id)
        # The engine says so from the moment at which the actor asks for it.
        await eventually(lambda: self.get_actor(actor.id) is not actor)

    async def wake(self, api: EngineApi, actor: Actor) -> Actor:
        """Wake the actor with a request, and return its new generation."""
        response = await api.request(actor.id, "GET", "/wake")
        assert response.status == 200, response
        woken = self.get_actor(actor.id)
        assert woken is not None
        assert woken.generation == actor.generation + 1
        return woken


@asynccontextmanager
async def hosting(
    engine: Engine, runner_name: str, *, seconds: float = 180.0, hooks: type[Probe] = Probe, **options: Any
) -> AsyncIterator[Probe]:
    """A connected `Probe`, for at most ``seconds``: nothing inside can hang a test run."""
    defaults: dict[str, Any] = {
        "endpoint": engine.endpoint,
        "runner_name": runner_name,
        "token": None,
        "namespace": "default",
        "start_timeout": 60.0,
        "stop_timeout": 15.0,
        "actor_stop_timeout": 5.0,
        "block_warning": None,
    }
    async with asyncio.timeout(seconds), hooks(**(defaults | options)) as probe:
        yield probe


async def answered(
    api: EngineApi, actor_id: str, path: str = "/", *, method: str = "GET", seconds: float = 90.0, patience: float = 15.0
) -> HttpResponse:
    """Ask, as a client would, until the actor answers with 200, and return the answer.

    The gateway gives up on an actor that is not ready within 10 s. This client gives up on each answer after ``patience``
    seconds, and asks again.
    """
    last: object = None

    async def answer() -> HttpResponse | None:
        nonlocal last
        try:
            last = response = await api.request(actor_id, method, path, timeout=patience)
        except (HttpExchangeFailed, TimeoutError) as error:
            last = error
            return None
        return response if response.status == 200 else None

    try:
        return await eventually(answer, seconds=seconds, every=0.1, what=f"{method} {path} of actor {actor_id} gets a 200")
    except AssertionError as error:
        error.add_note(f"the last answer: {last!r}")
        raise


class Program:
    """A Python program in a process of its own; its two outputs are collected while it runs.

    It runs in ``folder``. Used as ``async with``, for at most ``seconds``; what is left of it at the end is killed.
    """

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        folder: Path = PROJECT,
        seconds: float = 180.0,
        stdin: int = asyncio.subprocess.DEVNULL,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RIVET_")}
        self._arguments = arguments
        self._folder = folder
        self._stdin = stdin
        self._environment = {**inherited, "PYTHONUNBUFFERED": "1", **(environment or {})}
        self._deadline = asyncio.timeout(seconds)
        self.out: list[str] = []
        self.err: list[str] = []

    async def __aenter__(self) -> Self:
        await self._deadline.__aenter__()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            cwd=self._folder,
            env=self._environment,
            stdin=self._stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._readers = [
            asyncio.create_task(self._collect(self._process.stdout, self.out)),
            asyncio.create_task(self._collect(self._process.stderr, self.err)),
        ]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await asyncio.gather(*self._readers)
        await self._deadline.__aexit__(exc_type, exc, traceback)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def write(self, text: str) -> None:
        """Write to the standard input of a program that has a pipe there."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())

    def end_input(self) -> None:
        """Close the standard input of a program that has a pipe there."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def printed(self, text: str, seconds: float = 60.0) -> None:
        """Wait until a line of either output holds ``text``."""

        def found_or_over() -> bool:
            return any(text in line for line in (*self.out, *self.err)) or self._process.returncode is not None

        try:
            await eventually(found_or_over, seconds=seconds, what=f"{text!r} is printed")
        except AssertionError as error:
            error.add_note(f"printed so far: {self.out}, {self.err}")
            raise
        # The last lines of a process that has ended may still be in the pipe.
        if self._process.returncode is not None:
            await asyncio.gather(*self._readers)
        assert any(text in line for line in (*self.out, *self.err)), f"never printed {text!r}: {self.out}, {self.err}"

    async def exit_code(self) -> int:
        """Wait until it has ended, and all of its output is here."""
        code = await self._process.wait()
        await asyncio.gather(*self._readers)
        return code

    @staticmethod
    async def _collect(stream: asyncio.StreamReader, lines: list[str]) -> None:
        async for line in stream:
            lines.append(line.decode().rstrip("\n"))  # noqa: PERF401
