"""A runner whose hooks a test hands in, and the waiting that every test does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.engine_api import CrashPolicy

__all__ = ["POLL_SECONDS", "Fetch", "Hook", "Probe", "eventually", "hosting"]

Hook = Callable[[Actor], Awaitable[object]]
Fetch = Callable[[Actor, Request], Awaitable[Any]]

POLL_SECONDS = 0.01


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
        created = await api.create_actor(
            "probe", runner_name=self.config.runner_name, key=key, input=input, crash_policy=crash_policy
        )
        await api.wait_connectable(created.actor_id)
        actor = self.get_actor(created.actor_id)
        assert actor is not None
        return actor

    async def put_to_sleep(self, api: EngineApi, actor: Actor) -> None:
        """Return once the engine says that the actor sleeps."""
        actor.sleep()
        await api.wait_sleeping(actor.id)

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
    engine: LocalEngine, runner_name: str, *, seconds: float = 60.0, hooks: type[Probe] = Probe, **options: Any
) -> AsyncIterator[Probe]:
    """A connected `Probe`, for at most ``seconds``: nothing inside can hang a test run."""
    defaults: dict[str, Any] = {
        "endpoint": engine.endpoint,
        "runner_name": runner_name,
        "token": None,
        "namespace": "default",
        "start_timeout": 30.0,
        "stop_timeout": 15.0,
        "actor_stop_timeout": 5.0,
    }
    async with asyncio.timeout(seconds), hooks(**(defaults | options)) as probe:
        yield probe


async def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Look until ``condition`` holds; `TimeoutError` where it does not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the condition did not hold within {seconds} s")
        await asyncio.sleep(POLL_SECONDS)
