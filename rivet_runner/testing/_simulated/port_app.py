"""The engine's one port as an ASGI application: runners, the gateway for clients, and the management API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec
from multidict import CIMultiDict

from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner.testing._simulated.answers import error_answer, forwarded_headers
from rivet_runner.testing._simulated.asgi import headers_of, target_of
from rivet_runner.testing._simulated.client_calls import call_actor, open_websocket
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError, close_reason
from rivet_runner.testing._simulated.ids import is_id
from rivet_runner.testing._simulated.port_api import PortApi, status_of
from rivet_runner.testing._simulated.socket_client import SocketClient
from rivet_runner.testing._simulated.socket_link import SocketLink
from rivet_runner.testing.http_client import HttpExchangeFailed, HttpResponse

__all__ = ["ListeningEngine", "PortApp"]

SUBPROTOCOL: Final = "rivet"
RUNNERS: Final = re.compile(r"/runners/connect/?")
GATEWAY: Final = re.compile(r"/gateway/(?P<id>[^/@]+)(?:@[^/]*)?(?P<rest>/.*)?")
WITHOUT_BODY: Final = frozenset({204, 304})
LAST_STATUS: Final = 599
"""The server knows no status above. The real engine passes them up to 999."""
REQUEST: Final = re.compile(r"/request(?:[/?].*)?")
"""The only paths of requests that name their actor in headers."""
TARGET_ACTOR: Final = "rivet_target.actor"
ACTOR_PREFIX: Final = "rivet_actor."
NO_ROUTE_CODE: Final = 1011


class ListeningEngine(Protocol):
    """The engine, as its port sees it."""

    cluster: Cluster

    @property
    def is_down(self) -> bool: ...

    async def serve_runner(self, target: str, subprotocols: list[str], link: SocketLink) -> None:
        """Serve a runner's connection until it ends."""


class _Target(NamedTuple):
    """An actor's id, and path and query as the actor gets them."""

    actor_id: str
    path: str


class PortApp:
    """``abort`` breaks the connection of a scope, without an answer or a close frame. ``hold`` stops the server from reading
    it, or has it go on.
    """

    def __init__(
        self,
        engine: ListeningEngine,
        api: PortApi,
        abort: Callable[[Scope], None],
        hold: Callable[[Scope, bool], None],
    ) -> None:
        self._engine = engine
        self._api = api
        self._abort = abort
        self._hold = hold

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._engine.is_down:
            await self._break_off(scope, receive)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _break_off(self, scope: Scope, receive: Receive) -> None:
        """Break the connection. The server logs an error about an application that returns before it has noticed."""
        self._abort(scope)
        while not (await receive())["type"].endswith(".disconnect"):
            pass

    # HTTP

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except HttpExchangeFailed:
            await self._break_off(scope, receive)
            return
        body = b"" if answer.status in WITHOUT_BODY else answer.body
        # The server breaks the connection over a length that is wrong. The real engine passes it on, with the same effect.
        answer.headers["content-length"] = str(len(body))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> HttpResponse:
        cluster = self._engine.cluster
        headers = forwarded_headers(headers_of(scope), cluster.ids.new())
        try:
            body = await self._body(receive)
            target = _gateway_target(target_of(scope)) or _header_target(target_of(scope), headers)
            if target is not None:
                if not is_id(target.actor_id):
                    raise EngineError("core.internal_error")
                answer = await call_actor(cluster, target.actor_id, scope["method"], target.path, headers, body)
                if answer.status > LAST_STATUS:
                    raise EngineError("core.internal_error")
                return answer
        except EngineError as error:
            return error_answer(error, headers)
        return self._api_answer(scope, headers, body)

    def _api_answer(self, scope: Scope, headers: dict[str, str], body: bytes) -> HttpResponse:
        ray_id, authorization = headers["x-rivet-ray-id"], headers.get("authorization")
        path, _, query = target_of(scope).partition("?")
        if path == "/":
            return _plain(308, b"", ray_id, ("location", "/ui/"))
        if RUNNERS.fullmatch(path) and scope["method"] == "GET":
            if self._engine.cluster.settings.admin_token is not None:
                return error_answer(EngineError("guard.missing_header"), headers)
            return _plain(200, b"pegboard-runner WebSocket endpoint", ray_id)
        try:
            status, text = 200, msgspec.json.encode(self._api.answer(scope["method"], path, query, body, authorization))
        except EngineError as error:
            status, text = status_of(error), error.body()
        return _plain(status, text, ray_id, ("content-type", "application/json"))

    async def _body(self, receive: Receive) -> bytes:
        """The whole body. Raises `EngineError` if it is too large, without reading the rest."""
        pieces: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise HttpExchangeFailed("the client left before its request had come")
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > self._engine.cluster.settings.http_max_request_body_size:
                raise EngineError("guard.invalid_request_body")
            more = message.get("more_body", False)
        return b"".join(pieces)

    # WebSockets. The engine accepts each of them, and refuses with a close frame.

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        ray_id = self._engine.cluster.ids.new()
        await send(
            {
                "type": "websocket.accept",
                "subprotocol": SUBPROTOCOL,
                "headers": [(b"x-rivet-ray-id", ray_id.encode())],
            }
        )
        target = target_of(scope)
        if RUNNERS.fullmatch(target.partition("?")[0]):
            link = SocketLink(receive, send, partial(self._abort, scope), partial(self._hold, scope))
            await self._engine.serve_runner(target, scope["subprotocols"], link)
            return
        try:
            found = _websocket_target(target, scope["subprotocols"])
        except EngineError as error:
            await send({"type": "websocket.close", "code": NO_ROUTE_CODE, "reason": close_reason(error.name, ray_id)})
        else:
            await self._client(scope, receive, send, ray_id, found)

    async def _client(self, scope: Scope, receive: Receive, send: Send, ray_id: str, target: _Target) -> None:
        client = SocketClient(receive, send, lambda: self._abort(scope))
        headers = forwarded_headers(headers_of(scope), ray_id)
        open_websocket(self._engine.cluster, target.actor_id, target.path, headers, client.port)
        await client.serve()


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
