"""Two engines behind one interface: the simulated one, and the real one that it has to agree with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from rivet_runner import Runner, WebSocketClosed
from rivet_runner._connection.engine_socket import dial
from rivet_runner._connection.environment import Link
from rivet_runner.testing import EngineApi, HttpResponse, SimulatedEngine
from rivet_runner.testing.engine_api import CrashPolicy

__all__ = ["Bench", "Client", "PortBench", "RealBench", "SimulatedBench"]

RunnerT = TypeVar("RunnerT", bound=Runner)


class Client(Protocol):
    """A client's WebSocket."""

    async def send(self, message: str | bytes) -> None: ...

    async def recv(self) -> str | bytes:
        """The next message. Raises `WebSocketClosed`."""

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


class Bench(Protocol):
    """An engine, as the conformance tests use it."""

    name: str
    runner_name: str

    def host(self, runner: type[RunnerT], **options: Any) -> AbstractAsyncContextManager[RunnerT]: ...

    async def dial(self, runner_key: str, **query: str) -> tuple[Link, list[bytes]]:
        """A bare connection of a runner, and the list in which its messages gather."""

    async def create(
        self, *, key: str | None = None, input: bytes | None = None, crash_policy: CrashPolicy = "sleep"
    ) -> str: ...

    async def get_or_create(self, key: str) -> str: ...

    async def destroy(self, actor_id: str) -> None: ...

    async def describe(self, actor_id: str) -> dict[str, Any]: ...

    async def request(
        self, actor_id: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse: ...

    def websocket(self, actor_id: str, path: str) -> AbstractAsyncContextManager[Client]: ...


def _connect_url(endpoint: str, runner_key: str, query: dict[str, str]) -> str:
    wanted = {"protocol_version": "3", "namespace": "default", "runner_key": runner_key, **query}
    return f"{endpoint}/runners/connect?" + "&".join(f"{name}={value}" for name, value in wanted.items())


class SimulatedBench:
    name = "simulated"

    def __init__(self, engine: SimulatedEngine, runner_name: str) -> None:
        self._engine = engine
        self.runner_name = runner_name

    def host(self, runner: type[RunnerT], **options: Any) -> AbstractAsyncContextManager[RunnerT]:
        return self._engine.host(runner, runner_name=self.runner_name, **options)

    async def dial(self, runner_key: str, **query: str) -> tuple[Link, list[bytes]]:
        received: list[bytes] = []
        url = _connect_url("ws://simulated", runner_key, query)
        return await self._engine.dial(url, ["rivet"], received.append), received

    async def create(
        self, *, key: str | None = None, input: bytes | None = None, crash_policy: CrashPolicy = "sleep"
    ) -> str:
        actor = await self._engine.create("a", key=key, input=input, crash_policy=crash_policy, runner_name=self.runner_name)
        return actor.id

    async def get_or_create(self, key: str) -> str:
        return (await self._engine.get_or_create("a", key=key, runner_name=self.runner_name)).id

    async def destroy(self, actor_id: str) -> None:
        await self._engine.get(actor_id).destroy()

    async def describe(self, actor_id: str) -> dict[str, Any]:
        return self._engine.describe(actor_id)

    async def request(
        self, actor_id: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse:
        return await self._engine.get(actor_id).request(method, path, headers, body)

    def websocket(self, actor_id: str, path: str) -> AbstractAsyncContextManager[Client]:
        return self._engine.get(actor_id).websocket(path)


class _RealClient:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: str | bytes) -> None:
        with self._translated():
            await self._connection.send(message)

    async def recv(self) -> str | bytes:
        with self._translated():
            return await self._connection.recv()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)

    @contextlib.contextmanager
    def _translated(self) -> Any:
        try:
            yield
        except ConnectionClosed:
            code, reason = self._connection.close_code or 1006, self._connection.close_reason or ""
            raise WebSocketClosed(code, reason) from None


class RealBench:
    name = "real"

    def __init__(self, endpoint: str, runner_name: str) -> None:
        self._endpoint = endpoint
        self._api = EngineApi(endpoint)
        self.runner_name = runner_name

    async def prepare(self) -> None:
        await self._api.upsert_runner_config(self.runner_name)

    @asynccontextmanager
    async def host(self, runner: type[RunnerT], **options: Any) -> AsyncIterator[RunnerT]:
        async with runner(endpoint=self._endpoint, runner_name=self.runner_name, **options) as hosted:
            yield hosted

    async def dial(self, runner_key: str, **query: str) -> tuple[Link, list[bytes]]:
        received: list[bytes] = []
        url = _connect_url(f"ws{self._endpoint.removeprefix('http')}", runner_key, query)
        return await dial(url, ["rivet"], received.append), received

    async def create(
        self, *, key: str | None = None, input: bytes | None = None, crash_policy: CrashPolicy = "sleep"
    ) -> str:
        created = await self._api.create_actor(
            "a", runner_name=self.runner_name, key=key, input=input, crash_policy=crash_policy
        )
        return created.actor_id

    async def get_or_create(self, key: str) -> str:
        return (await self._api.get_or_create_actor("a", key=key, runner_name=self.runner_name)).actor_id

    async def destroy(self, actor_id: str) -> None:
        await self._api.destroy_actor(actor_id)
        await self._api.wait_destroyed(actor_id)

    async def describe(self, actor_id: str) -> dict[str, Any]:
        return msgspec.structs.asdict(await self._api.get_actor(actor_id))

    async def request(
        self, actor_id: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> HttpResponse:
        return await self._api.request(actor_id, method, path, headers=headers, body=body or None)

    @asynccontextmanager
    async def websocket(self, actor_id: str, path: str) -> AsyncIterator[Client]:
        async with self._api.websocket(actor_id, path) as connection:
            yield _RealClient(connection)


class PortBench(RealBench):
    """The simulated engine over a port, which is used as the real one is."""

    name = "port"
