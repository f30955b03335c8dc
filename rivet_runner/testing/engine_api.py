"""A small typed client for the engine's HTTP API and its gateway."""

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

# Single stalls of 25 s were seen on a busy machine, so a call that takes long is not yet a failure.
_DEFAULT_TIMEOUT_SECONDS = 60.0
# The first looks follow each other quickly because most changes take 50-100 ms; later ones spare the engine.
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


NO_CAPACITY: Final = "no_capacity"

UPSERT_ATTEMPTS: Final = 10
UPSERT_RETRY_SECONDS: Final = 0.2


class EngineApi:
    """Calls to one engine in one namespace.

    It holds no connection, so it needs no closing, and works from any event loop and for any number of
    calls at once. Each call raises ``EngineApiError`` for an error the engine answers,
    ``HttpExchangeFailed`` where there is no usable answer, and ``TimeoutError`` after ``timeout`` seconds.
    Nothing is retried: none of the engine's error answers is known to pass by itself, and a call without an
    answer may have been carried out. Cancelling is safe in the same sense.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        token: str | None = None,
        namespace: str = "default",
        timeout: float = _DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.namespace = namespace
        self._token = token
        self._timeout = timeout

    async def health(self) -> EngineHealth:
        """Whether the engine serves HTTP; its namespaces may come a moment later."""
        return decode_answer(await self._call("GET", "/health"), EngineHealth)

    async def metadata(self) -> EngineMetadata:
        """The engine's version."""
        return decode_answer(await self._call("GET", "/metadata"), EngineMetadata)

    async def list_namespaces(self) -> list[NamespaceInfo]:
        """Every namespace, up to the engine's page size."""
        return decode_answer(await self._call("GET", "/namespaces"), _Namespaces).namespaces

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
        """Tell the engine how the runners of this name come about; without it no actor can select them.

        By default they connect by themselves. With ``serverless_url`` the engine calls them there, with
        ``headers``; both periods are whole seconds, and the grace must be the shorter one. ``config`` is
        the engine's own form for one datacenter, for everything else.
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

    async def _put_until_ready(self, path: str, body: Mapping[str, Any]) -> None:
        """An engine that has only just become healthy now and then answers its first writes with an internal error."""
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
        """Create an actor that runs on a runner named ``runner_name``; it starts once one has room.

        Notable errors: ``actor.no_runner_config_configured`` and ``actor.duplicate_key``. A timed-out
        create may have made the actor. An engine that sheds load does not answer at all, which is why the
        default time is long.
        """
        body = {
            "name": name,
            "key": key,
            "input": None if input is None else base64.b64encode(input).decode(),
            "runner_name_selector": runner_name,
            "crash_policy": crash_policy,
        }
        response = await self._call("POST", "/actors", self._query(), body, timeout)
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
        """Create an actor and return it once it runs.

        For some milliseconds after a runner's init the engine does not count on it yet: an actor created then is put to
        sleep with ``no_capacity``. It is destroyed again here, and another is created. Raises ``TimeoutError`` after
        ``timeout`` seconds.
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
        """The actor as it is now, destroyed ones included.

        Raises ``EngineApiError`` with ``actor.not_found`` (status 404) where the engine lists no such actor.
        """
        query = self._query(actor_ids=actor_id, include_destroyed="true")
        actors = decode_answer(await self._call("GET", "/actors", query), _Actors).actors
        if not actors:
            raise EngineApiError(404, "actor", "not_found", f"the engine has no actor {actor_id!r}")
        return actors[0]

    async def list_actors(
        self, name: str, *, key: str | None = None, include_destroyed: bool = False, limit: int | None = None
    ) -> list[ActorInfo]:
        """The actors of this name, newest first, up to the engine's page size or ``limit``."""
        query = self._query(name=name, include_destroyed=str(include_destroyed).lower())
        if key is not None:
            query["key"] = key
        if limit is not None:
            query["limit"] = str(limit)
        return decode_answer(await self._call("GET", "/actors", query), _Actors).actors

    async def destroy_actor(self, actor_id: str) -> None:
        """Begin to destroy the actor; does nothing to one that is destroyed. See ``wait_destroyed``."""
        path = f"/actors/{quote(actor_id, safe='')}"
        decode_answer(await self._call("DELETE", path, self._query()), msgspec.Raw)

    async def list_runners(self, name: str | None = None, *, include_stopped: bool = False) -> list[RunnerInfo]:
        """The runners of this name, or all, up to the engine's page size. One just connected may not be there."""
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
        """One HTTP request to an actor, which wakes it; returns whatever it answers, errors too.

        ``path`` may carry a query and is sent as it is. An actor that does not get ready answers after 10 s
        with status 503. No token is sent: the gateway asks for none, and it would reach the actor.
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
        """A WebSocket to an actor, to be used as ``async with api.websocket(actor_id) as ws``, or awaited.

        The ``rivet`` subprotocol is offered before ``subprotocols``, messages may be of any size, and no
        keepalive pings are sent, because a test that keeps the event loop busy would lose its connection to
        them. ``options`` are those of ``websockets.asyncio.client.connect``.
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
        """Look at the actor until ``condition`` holds, and return it as it was then.

        Raises ``TimeoutError``, with the last state that was seen, after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        pause = _FIRST_POLL_SECONDS
        while not condition(actor := await self.get_actor(actor_id)):
            if time.monotonic() + pause > deadline:
                raise TimeoutError(f"the condition did not hold within {timeout} s; last seen: {actor}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL_SECONDS)
        return actor

    async def wait_connectable(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor runs and takes requests; as ``wait_for_actor``."""
        return await self.wait_for_actor(actor_id, lambda actor: actor.connectable_ts is not None, timeout)

    async def wait_sleeping(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor sleeps; as ``wait_for_actor``."""
        return await self.wait_for_actor(
            actor_id, lambda actor: actor.sleep_ts is not None and actor.connectable_ts is None, timeout
        )

    async def wait_destroyed(self, actor_id: str, timeout: float = 30.0) -> ActorInfo:
        """Wait until the actor is destroyed; as ``wait_for_actor``."""
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
