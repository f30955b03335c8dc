"""The routes of the engine's port for clients: the gateway to an actor, or the management API. It knows no transport."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec
from multidict import CIMultiDict

from rivet_runner.testing._simulated.answers import error_answer
from rivet_runner.testing._simulated.client_calls import call_actor, open_websocket
from rivet_runner.testing._simulated.client_port import ClientPort
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError, close_reason
from rivet_runner.testing._simulated.ids import is_id
from rivet_runner.testing._simulated.port_api import PortApi, status_of
from rivet_runner.testing.http_client import HttpResponse

__all__ = ["RUNNERS", "ClientRoutes"]

RUNNERS: Final = re.compile(r"/runners/connect/?")
GATEWAY: Final = re.compile(r"/gateway/(?P<id>[^/@]+)(?:@[^/]*)?(?P<rest>/.*)?")
LAST_STATUS: Final = 599
"""The server knows no status above. The real engine passes them up to 999."""
REQUEST: Final = re.compile(r"/request(?:[/?].*)?")
"""The only paths of requests that name their actor in headers."""
TARGET_ACTOR: Final = "rivet_target.actor"
ACTOR_PREFIX: Final = "rivet_actor."
REFUSED_CODE: Final = 1011


class _Target(NamedTuple):
    """An actor's id, and path and query as the actor gets them."""

    actor_id: str
    path: str


class ClientRoutes:
    """Answers requests and serves WebSockets. ``target`` is path and query, and ``headers`` are as an actor gets them."""

    def __init__(self, cluster: Cluster, api: PortApi) -> None:
        self._cluster = cluster
        self._api = api

    async def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Answer a request. Raises `HttpExchangeFailed` if the engine goes down first. Cancelling: the client leaves."""
        try:
            found = _gateway_target(target) or _header_target(target, headers)
            if found is not None:
                return await self._ask_actor(found, method, headers, body)
        except EngineError as error:
            return error_answer(error, headers)
        return self._api_answer(method, target, headers, body)

    async def _ask_actor(self, target: _Target, method: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        if not is_id(target.actor_id):
            raise EngineError("core.internal_error")
        answer = await call_actor(self._cluster, target.actor_id, method, target.path, headers, body)
        if answer.status > LAST_STATUS:
            raise EngineError("core.internal_error")
        return answer

    def _api_answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        ray_id = headers["x-rivet-ray-id"]
        path, _, query = target.partition("?")
        if path == "/":
            return _plain(308, b"", ray_id, ("location", "/ui/"))
        if RUNNERS.fullmatch(path) and method == "GET":
            if self._cluster.settings.admin_token is not None:
                return error_answer(EngineError("guard.missing_header"), headers)
            return _plain(200, b"pegboard-runner WebSocket endpoint", ray_id)
        try:
            status, text = (
                200,
                msgspec.json.encode(self._api.answer(method, path, query, body, headers.get("authorization"))),
            )
        except EngineError as error:
            status, text = status_of(error), error.body()
        return _plain(status, text, ray_id, ("content-type", "application/json"))

    def open(self, target: str, subprotocols: Iterable[str], headers: Mapping[str, str], client: ClientPort) -> None:
        """Serve a client's WebSocket, in a task of the guard, or close it with the reason for which it is refused."""
        try:
            found = _websocket_target(target, subprotocols)
        except EngineError as error:
            client.close(REFUSED_CODE, close_reason(error.name, headers["x-rivet-ray-id"]))
        else:
            open_websocket(self._cluster, found.actor_id, found.path, headers, client)


def _gateway_target(target: str) -> _Target | None:
    """The actor of a gateway path, or `None` for any other path."""
    path, mark, query = target.partition("#")[0].partition("?")
    match = None if "//" in path else GATEWAY.fullmatch(path)
    if match is None:
        return None
    return _Target(unquote(match["id"]), f"{match['rest'] or '/'}{mark}{query}")


def _header_target(target: str, headers: Mapping[str, str]) -> _Target | None:
    """The actor that the headers name, or `None` if they name no target. Raises `EngineError`."""
    named = headers.get("x-rivet-target")
    if named is None or named == "api-public":
        return None
    if named != "actor" or not REQUEST.fullmatch(target):
        raise EngineError("guard.no_route")
    if "x-rivet-actor" not in headers:
        raise EngineError("guard.missing_header")
    return _Target(headers["x-rivet-actor"], target)


def _websocket_target(target: str, subprotocols: Iterable[str]) -> _Target:
    """The actor of a client's WebSocket. Raises `EngineError` if it is refused."""
    offered = list(subprotocols)
    found = _gateway_target(target)
    if found is None:
        if TARGET_ACTOR not in offered:
            raise EngineError("guard.no_route")
        ids = [name.removeprefix(ACTOR_PREFIX) for name in offered if name.startswith(ACTOR_PREFIX)]
        if not ids:
            raise EngineError("guard.missing_header")
        found = _Target(unquote(ids[0]), target)
    elif not offered:
        raise EngineError("guard.missing_header")
    if not is_id(found.actor_id):
        raise EngineError("core.internal_error")
    return found


def _plain(status: int, body: bytes, ray_id: str, *headers: tuple[str, str]) -> HttpResponse:
    all_headers = [*headers, ("content-length", str(len(body))), ("x-rivet-ray-id", ray_id)]
    return HttpResponse(status, CIMultiDict(all_headers), body)
