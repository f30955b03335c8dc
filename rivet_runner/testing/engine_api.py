"""A small typed client for the engine's HTTP API and gateway."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlencode

import msgspec
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from rivet_runner.http import Headers
from rivet_runner.testing.engine_types import (
    ActorInfo,
    EngineApiError,
    EngineHealth,
    EngineMetadata,
    NamespaceInfo,
    RunnerInfo,
    decode_answer,
)
from rivet_runner.testing.http_client import HttpResponse, exchange

__all__ = ["CrashPolicy", "EngineApi"]

CrashPolicy: TypeAlias = Literal["sleep", "restart", "destroy"]

# On a busy machine the engine stalled for up to 25 s, so a slow call is not yet a failure.
_DEFAULT_TIMEOUT_SECONDS = 60.0
# Most changes take 50-100 ms, so the first polls follow each other quickly. Later ones spare the engine.
_FIRST_POLL_SECONDS = 0.01
_SLOWEST_POLL_SECONDS = 0.2


class _Actors(msgspec.Struct, frozen=True):
    actors: list[ActorInfo]


class _CreatedActor(msgspec.Struct, frozen=True):
    actor: ActorInfo


class _Runners(msgspec.Struct, frozen=True):
    runners: list[RunnerInfo]


class _Namespaces(msgspec.Struct, frozen=True):
    namespaces: list[NamespaceInfo]


class _Names(msgspec.Struct, frozen=True):
    names: dict[str, Any]


class _RunnerConfigs(msgspec.Struct, frozen=True):
    runner_configs: dict[str, Any]


NO_CAPACITY: Final = "no_capacity"

UPSERT_ATTEMPTS: Final = 10
UPSERT_RETRY_SECONDS: Final = 0.2


class EngineApi:
    """Calls to one engine in one namespace.

    An `EngineApi` keeps no connection, so you need not close it, and you may use it from any event loop and for many
    calls at once. Each call raises `EngineApiError` if the engine answers with an error, `HttpExchangeFailed` if
    there is no usable answer, and `TimeoutError` after ``timeout`` seconds.

    Calls are not retried, except for `upsert_runner_config`. Other error answers of the engine are permanent as far
    as known, and the engine may have carried out a call without an answer. The same is true of a cancelled call.
    Cancelling is safe.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        namespace: str = "default",
        timeout: float = _DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self.endpoint: str = endpoint.rstrip("/")
        self.namespace = namespace
        self._token = token
        self._timeout = timeout

    async def health(self) -> EngineHealth:
        """Return the engine's health. The namespaces may be missing for a moment after it is healthy."""
        return decode_answer(await self._call("GET", "/health"), EngineHealth)

    async def metadata(self) -> EngineMetadata:
        """Return the engine's runtime and version."""
        return decode_answer(await self._call("GET", "/metadata"), EngineMetadata)

    async def list_namespaces(self) -> list[NamespaceInfo]:
        """Return the namespaces, up to the engine's page size."""
        return decode_answer(await self._call("GET", "/namespaces"), _Namespaces).namespaces

    async def create_namespace(self, name: str) -> None:
        """Create a namespace. Runners and actors of one namespace do not see those of another.

        ``name`` has lower-case letters, digits and single inner dashes, at most 64 in all. The engine's errors include
        ``namespace.name_not_unique``.
        """
        body = {"name": name, "display_name": name}
        decode_answer(await self._call("POST", "/namespaces", body=body), msgspec.Raw)

    async def upsert_runner_config(
        self,
        runner_name: str,
        config: Mapping[str, Any] | None = None,
        *,
        serverless_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_runners: int = 1000,
        min_runners: int = 0,
        slots_per_runner: int = 1000,
        request_lifespan: int = 300,
        drain_grace_period: int = 30,
        runners_margin: int = 0,
        datacenter: str = "default",
    ) -> None:
        """Tell the engine how the runners of this name start. Actors can select them only after that.

        By default, runners connect by themselves. With ``serverless_url`` the engine starts them by requests to this
        URL, with ``headers``. ``request_lifespan`` and ``drain_grace_period`` are whole seconds, and the grace period
        must be the shorter one. For other settings pass ``config``, in the engine's own form for one datacenter.

        A new engine sometimes answers its first writes with an internal error, so errors of the engine's side (HTTP
        status 500 and above) are retried 9 times, each after 0.2 s.
        """
        if config is None and serverless_url is not None:
            serverless = {
                "url": serverless_url,
                "headers": dict(headers or {}),
                "max_runners": max_runners,
                "min_runners": min_runners,
                "slots_per_runner": slots_per_runner,
                "request_lifespan": request_lifespan,
                "drain_grace_period": drain_grace_period,
                "runners_margin": runners_margin,
            }
            config = {"serverless": serverless}
        body = {"datacenters": {datacenter: {"normal": {}} if config is None else dict(config)}}
        path = f"/runner-configs/{quote(runner_name, safe='')}"
        await self._put_until_ready(path, body)

    async def list_runner_configs(self) -> dict[str, Any]:
        """Return what `upsert_runner_config` has set, by runner name, up to the engine's page size.

        Each value is in the engine's own form: ``{"datacenters": {"default": {"normal": …}}}``.
        """
        return decode_answer(await self._call("GET", "/runner-configs", self._query()), _RunnerConfigs).runner_configs

    async def _put_until_ready(self, path: str, body: Mapping[str, Any]) -> None:
        for attempt in range(UPSERT_ATTEMPTS):
            try:
                decode_answer(await self._call("PUT", path, self._query(), body), msgspec.Raw)
                return
            except EngineApiError as error:
                if error.status < 500 or attempt == UPSERT_ATTEMPTS - 1:
                    raise
            await asyncio.sleep(UPSERT_RETRY_SECONDS)

    async def create_actor(
        self,
        name: str,
        *,
        runner_name: str,
        key: str | None = None,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        timeout: float | None = None,
    ) -> ActorInfo:
        """Create an actor for a runner named ``runner_name``. It starts when such a runner has room.

        The engine's errors include ``actor.no_runner_config_configured`` and ``actor.duplicate_key``. If the call
        times out, the engine may have created the actor. An engine that sheds load does not answer at all, so the
        default timeout is long.
        """
        body = _create_body(name, key, input, runner_name, crash_policy)
        response = await self._call("POST", "/actors", self._query(), body, timeout)
        return decode_answer(response, _CreatedActor).actor

    async def get_or_create_actor(
        self,
        name: str,
        *,
        runner_name: str,
        key: str,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        timeout: float | None = None,
    ) -> ActorInfo:
        """Return the actor of this name and key, or create it as `create_actor` does, in one call.

        An existing actor keeps its runner name, input and crash policy.
        """
        body = _create_body(name, key, input, runner_name, crash_policy)
        response = await self._call("PUT", "/actors", self._query(), body, timeout)
        return decode_answer(response, _CreatedActor).actor

    async def create_ready_actor(
        self,
        name: str,
        *,
        runner_name: str,
        key: str | None = None,
        input: bytes | None = None,
        crash_policy: CrashPolicy = "sleep",
        timeout: float = 30.0,
    ) -> ActorInfo:
        """Create an actor and return it when it runs.

        For some milliseconds after a runner's init the engine does not use the runner yet. An actor created then
        falls asleep with ``no_capacity``. This method destroys such an actor and creates another one. Raises
        `TimeoutError` after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            created = await self.create_actor(name, runner_name=runner_name, key=key, input=input, crash_policy=crash_policy)
            actor = await self.wait_for_actor(
                created.actor_id,
                lambda actor: actor.connectable_ts is not None or actor.error == NO_CAPACITY,
                max(0.0, deadline - time.monotonic()),
            )
            if actor.connectable_ts is not None:
                return actor
            await self.destroy_actor(actor.actor_id)
            await self.wait_destroyed(actor.actor_id)

    async def get_actor(self, actor_id: str) -> ActorInfo:
        """Return the current state of an actor, even of a destroyed one.

        Raises `EngineApiError` with ``actor.not_found`` and status 404 if the engine does not list the actor.
        """
        query = self._query(actor_ids=actor_id, include_destroyed="true")
        actors = decode_answer(await self._call("GET", "/actors", query), _Actors).actors
        if not actors:
            raise EngineApiError(404, "actor", "not_found", f"the engine has no actor {actor_id!r}")
        return actors[0]

    async def list_actors(
        self, name: str, *, key: str | None = None, include_destroyed: bool = False, limit: int | None = None
    ) -> list[ActorInfo]:
        """Return the actors of this name, newest first, up to ``limit`` or the engine's page size."""
        query = self._query(name=name, include_destroyed=str(include_destroyed).lower())
        if key is not None:
            query["key"] = key
        if limit is not None:
            query["limit"] = str(limit)
        return decode_answer(await self._call("GET", "/actors", query), _Actors).actors

    async def list_actor_names(self) -> list[str]:
        """Return the names that actors have or had, or that runners have announced, up to the engine's page size."""
        return sorted(decode_answer(await self._call("GET", "/actors/names", self._query()), _Names).names)

    async def destroy_actor(self, actor_id: str) -> None:
        """Begin to destroy an actor. An actor that is already destroyed is no error. See `wait_destroyed`."""
        path = f"/actors/{quote(actor_id, safe='')}"
        decode_answer(await self._call("DELETE", path, self._query()), msgspec.Raw)

    async def list_runners(self, name: str | None = None, *, include_stopped: bool = False) -> list[RunnerInfo]:
        """Return the runners of this name, or all runners, up to the engine's page size.

        A runner that has only just connected may be missing.
        """
        query = self._query(include_stopped=str(include_stopped).lower())
        if name is not None:
            query["name"] = name
        return decode_answer(await self._call("GET", "/runners", query), _Runners).runners

    async def request(
        self,
        actor_id: str,
        method: str,
        path: str,
        *,
        headers: Headers | None = None,
        body: bytes | None = None,
        timeout: float = _DEFAULT_TIMEOUT_SECONDS,
    ) -> HttpResponse:
        """Send an HTTP request to an actor, which wakes it, and return the response of any status.

        ``path`` may have a query and is sent unchanged. If the actor does not get ready within 10 s, the gateway
        answers with status 503. The request has no token, because the gateway needs none and the token would reach
        the actor.
        """
        url = f"{self.endpoint}{self._gateway_path(actor_id, path)}"
        return await exchange(method, url, headers=headers, body=body, timeout=timeout)

    def websocket(
        self,
        actor_id: str,
        path: str = "/",
        *,
        headers: Headers | None = None,
        subprotocols: Sequence[str] = (),
        **options: Any,
    ) -> connect:
        """Open a WebSocket to an actor. Use it as ``async with api.websocket(actor_id) as ws``, or await it.

        The client offers the ``rivet`` subprotocol before ``subprotocols`` and accepts messages of any size. It sends
        no keepalive pings, because a test that keeps the event loop busy would lose its connection. ``options`` are
        those of ``websockets.asyncio.client.connect``.
        """
        defaults: dict[str, Any] = {
            "proxy": None,
            "compression": None,
            "max_size": None,
            "ping_interval": None,
            "open_timeout": _DEFAULT_TIMEOUT_SECONDS,
        }
        return connect(
            f"ws{self.endpoint.removeprefix('http')}{self._gateway_path(actor_id, path)}",
            additional_headers=headers,
            subprotocols=[Subprotocol(name) for name in ("rivet", *subprotocols)],
            **(defaults | options),
        )

    async def wait_for_actor(
        self, actor_id: str, condition: Callable[[ActorInfo], bool], timeout: float = 30.0
    ) -> ActorInfo:
        """Poll an actor until ``condition`` holds, and return its state at that time.

        Raises `TimeoutError` with the last state after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_POLL_SECONDS
        while not condition(actor := await self.get_actor(actor_id)):
            if time.monotonic() + pause > deadline:
                raise TimeoutError(f"the condition did not hold within {timeout:g} s; the last state was {actor}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL_SECONDS)
        return actor

    async def wait_connectable(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor runs and accepts requests. See `wait_for_actor`."""
        return await self.wait_for_actor(actor_id, lambda actor: actor.connectable_ts is not None, timeout)

    async def wait_sleeping(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor sleeps. See `wait_for_actor`."""
        return await self.wait_for_actor(
            actor_id, lambda actor: actor.sleep_ts is not None and actor.connectable_ts is None, timeout
        )

    async def wait_destroyed(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor is destroyed. See `wait_for_actor`."""
        return await self.wait_for_actor(actor_id, lambda actor: actor.destroy_ts is not None, timeout)

    def _query(self, **parameters: str) -> dict[str, str]:
        return {"namespace": self.namespace, **parameters}

    def _gateway_path(self, actor_id: str, path: str) -> str:
        return f"/gateway/{quote(actor_id, safe='')}/{path.removeprefix('/')}"

    async def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        headers = {"content-type": "application/json"}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        return await exchange(
            method,
            f"{self.endpoint}{path}" + (f"?{urlencode(query)}" if query else ""),
            headers=headers,
            body=None if body is None else msgspec.json.encode(body),
            timeout=self._timeout if timeout is None else timeout,
        )


def _create_body(
    name: str, key: str | None, input: bytes | None, runner_name: str, crash_policy: CrashPolicy
) -> dict[str, Any]:
    return {
        "name": name,
        "key": key,
        "input": None if input is None else base64.b64encode(input).decode(),
        "runner_name_selector": runner_name,
        "crash_policy": crash_policy,
    }
