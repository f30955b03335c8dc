"""A real engine with the interface of `SimulatedEngine`, so that one test can run on both."""

from __future__ import annotations

import asyncio
import contextlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from websockets.asyncio.client import connect

from rivet_runner.actor import Actor
from rivet_runner.http import Headers
from rivet_runner.runner import Runner, RunnerSource, make_runner
from rivet_runner.testing.engine_api import CrashPolicy, EngineApi
from rivet_runner.testing.engine_types import ActorInfo
from rivet_runner.testing.http_client import HttpResponse

if TYPE_CHECKING:
    from rivet_runner.actors.client import Client

__all__ = ["RealActorHandle", "RealEngine"]

RunnerT = TypeVar("RunnerT", bound=Runner)

STATUS_TIMEOUT: Final = 10.0
POLL_SECONDS: Final = 0.02


class RealEngine:
    """A real engine, as a test of `SimulatedEngine` uses one. The pytest fixture ``rivet_engine`` gives you one.

    ``endpoint`` is the URL of an engine that runs, and ``namespace`` one that exists there. Give each of your tests a
    namespace of its own, so that they share neither runners nor actors.

    It lacks `SimulatedEngine.advance`, the faults and the trace, and its handles lack ``generation`` and ``wake``.
    """

    def __init__(self, endpoint: str, namespace: str = "default") -> None:
        self.endpoint = endpoint
        self.namespace = namespace
        self.api: EngineApi = EngineApi(endpoint, namespace=namespace)
        self._hosted: list[Runner] = []
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"<RealEngine {self.endpoint}, namespace {self.namespace}>"

    @property
    def client(self) -> Client:
        """The client of typed actors on this engine, with the pool ``default`` and the timeout of 60 s. See `aclose`.

        It requires ``pip install "rivet-runner[actors]"``, and raises `ModuleNotFoundError` without it.
        """
        if self._client is None:
            from rivet_runner.actors.client import Client

            self._client = Client(self.endpoint, namespace=self.namespace, pool="default")
        return self._client

    async def aclose(self) -> None:
        """Close the connections of `client`, if you have used it. The fixture ``rivet_engine`` does."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @contextlib.asynccontextmanager
    async def host(self, runner: type[RunnerT] | RunnerSource[RunnerT], **options: Any) -> AsyncIterator[RunnerT]:
        """Start a runner on this engine, and shut it down at the end of the ``async with`` block.

        ``runner`` is your class, or an object that makes a runner. ``options`` are those of `rivet_runner.RunnerConfig`.
        The runner is made with the engine's endpoint and namespace, and waits until the engine lists it. Raises the errors
        of `rivet_runner.Runner.start`.
        """
        options = {"endpoint": self.endpoint, "namespace": self.namespace, **options}
        hosted = make_runner(runner, options, of_class={"runner_name": "default"})
        await self.api.upsert_runner_config(hosted.config.runner_name)
        async with hosted:
            await self._until_listed(hosted)
            self._hosted.append(hosted)
            try:
                yield hosted
            finally:
                self._hosted.remove(hosted)

    async def _until_listed(self, runner: Runner) -> None:
        name = runner.config.runner_name

        async def listed() -> bool:
            return runner.runner_id in [info.runner_id for info in await self.api.list_runners(name)]

        await _poll(listed)

    async def create(
        self,
        name: str,
        *,
        key: str | None = None,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        runner_name: str = "default",
    ) -> RealActorHandle:
        """Create an actor, and return its handle before it runs. Raises the errors of `EngineApi.create_actor`."""
        await self.api.upsert_runner_config(runner_name)
        created = await self.api.create_actor(name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy)
        return self.get(created.actor_id)

    async def get_or_create(
        self,
        name: str,
        *,
        key: str,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        runner_name: str = "default",
    ) -> RealActorHandle:
        """Return the actor of this name and key, or create it. Raises the errors of `EngineApi.create_actor`."""
        await self.api.upsert_runner_config(runner_name)
        found = await self.api.get_or_create_actor(
            name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy
        )
        return self.get(found.actor_id)

    def get(self, actor_id: str) -> RealActorHandle:
        """Return the handle of an actor, without asking the engine for it."""
        return RealActorHandle(self, actor_id)

    def find_hosted(self, actor_id: str) -> Actor | None:
        """The actor inside your runner, if a runner that you host here has it. Otherwise `None`."""
        return next((actor for runner in self._hosted if (actor := runner.get_actor(actor_id)) is not None), None)


class RealActorHandle:
    """One actor of a `RealEngine`. You get it from ``create``, ``get_or_create`` and ``get``."""

    def __init__(self, engine: RealEngine, actor_id: str) -> None:
        self._engine = engine
        self.id = actor_id

    def __repr__(self) -> str:
        return f"<RealActorHandle {self.id}>"

    @property
    def status(self) -> str:
        """One of ``pending``, ``starting``, ``running``, ``sleeping``, ``crashed`` and ``destroyed``.

        Reading it asks the engine, and blocks your event loop for some milliseconds. Raises `OSError` if the engine does
        not answer.
        """
        return _status(self._info())

    @property
    def error(self) -> Any:
        """The reason for which the actor does not run, in the engine's form, or `None`. It blocks as ``status`` does."""
        return self._info().error

    async def request(self, method: str, path: str, headers: Headers | None = None, body: bytes = b"") -> HttpResponse:
        """Send an HTTP request through the gateway, which wakes the actor. See `EngineApi.request`."""
        return await self._engine.api.request(self.id, method, path, headers=headers, body=body or None)

    def websocket(self, path: str, headers: Headers | None = None) -> connect:
        """Open a WebSocket through the gateway, with ``async with`` or ``await``. See `EngineApi.websocket`."""
        return self._engine.api.websocket(self.id, path, headers=headers)

    async def sleep(self) -> None:
        """Put the actor to sleep through `rivet_runner.Actor.sleep`, and return once it has stopped.

        Raises `RuntimeError` if none of the runners that you host has it. Cancelling ends the wait, not the sleep.
        """
        if (await self._engine.api.get_actor(self.id)).sleep_ts is not None:
            return
        await self._engine.api.wait_connectable(self.id)
        self._hosted().sleep()

        async def stopped() -> bool:
            return self._engine.find_hosted(self.id) is None

        await _poll(stopped)
        await self._engine.api.wait_sleeping(self.id)

    async def destroy(self) -> None:
        """Delete the actor, and return once the engine says so. Cancelling ends the wait, not the deletion."""
        await self._engine.api.destroy_actor(self.id)
        await self._engine.api.wait_destroyed(self.id)

    async def kv(self) -> dict[bytes, bytes]:
        """Read the actor's entries, in the order of their keys, through the actor itself.

        Raises `RuntimeError` if the actor does not run on a runner that you host.
        """
        return dict(await self._hosted().kv.list())

    def _hosted(self) -> Actor:
        hosted = self._engine.find_hosted(self.id)
        if hosted is None:
            raise RuntimeError(f"the actor {self.id} does not run on a runner that this engine hosts")
        return hosted

    def _info(self) -> ActorInfo:
        query = urllib.parse.urlencode({"namespace": self._engine.namespace, "actor_ids": self.id})
        with urllib.request.urlopen(f"{self._engine.endpoint}/actors?{query}", timeout=STATUS_TIMEOUT) as answer:
            [actor] = msgspec.json.decode(answer.read(), type=_Actors).actors
        return actor


async def _poll(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a change in another process. Raises `TimeoutError` after `STATUS_TIMEOUT`."""
    async with asyncio.timeout(STATUS_TIMEOUT):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)


class _Actors(msgspec.Struct, frozen=True):
    actors: list[ActorInfo]


def _status(actor: ActorInfo) -> str:
    if actor.destroy_ts is not None:
        return "destroyed"
    if actor.connectable_ts is not None:
        return "running"
    if isinstance(actor.error, dict) and "crashed" in actor.error:
        return "crashed"
    if actor.pending_allocation_ts is not None:
        return "pending"
    return "sleeping" if actor.sleep_ts is not None else "starting"
