"""The routes of the engine's port for clients: the gateway to an actor, or the management API. It knows no transport."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from multidict import CIMultiDict

from rivet_runner.testing._simulated.actor_query import ActorQuery
from rivet_runner.testing._simulated.answers import error_answer, preflight_answer
from rivet_runner.testing._simulated.client_calls import call_actor, open_websocket
from rivet_runner.testing._simulated.client_port import ClientPort
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError, close_reason
from rivet_runner.testing._simulated.port_api import PortApi, status_of
from rivet_runner.testing._simulated.targets import Target, request_target, websocket_target
from rivet_runner.testing.http_client import HttpResponse

__all__ = ["RUNNERS", "ClientRoutes"]

RUNNERS: Final = re.compile(r"/runners/connect/?")
LAST_STATUS: Final = 599
"""The server knows no status above. The real engine passes them up to 999."""
REFUSED_CODE: Final = 1011


class ClientRoutes:
    """Answers requests and serves WebSockets. ``target`` is path and query, and ``headers`` are as an actor gets them."""

    def __init__(self, cluster: Cluster, api: PortApi) -> None:
        self._cluster = cluster
        self._api = api

    async def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        """Answer a request. Raises `HttpExchangeFailed` if the engine goes down first. Cancelling: the client leaves."""
        try:
            found = request_target(target, headers)
            if found is not None:
                return await self._ask_actor(found, method, headers, body)
        except EngineError as error:
            return error_answer(error, headers)
        return self._api_answer(method, target, headers, body)

    async def _ask_actor(self, target: Target, method: str, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        if method.upper() == "OPTIONS" and isinstance(target.actor, ActorQuery):
            return preflight_answer(headers)  # no actor is looked for or made
        actor_id = target.actor_id(self._api.management)
        answer = await call_actor(self._cluster, actor_id, method, target.path, headers, body, waits=target.waits)
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
            found = websocket_target(target, subprotocols)
            actor_id = found.actor_id(self._api.management)
        except EngineError as error:
            client.close(REFUSED_CODE, close_reason(error.name, headers["x-rivet-ray-id"]))
        else:
            open_websocket(self._cluster, actor_id, found.path, headers, client, waits=found.waits)


def _plain(status: int, body: bytes, ray_id: str, *headers: tuple[str, str]) -> HttpResponse:
    all_headers = [*headers, ("content-length", str(len(body))), ("x-rivet-ray-id", ray_id)]
    return HttpResponse(status, CIMultiDict(all_headers), body)
