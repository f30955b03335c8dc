"""The engine's one port as an ASGI application: runners, and clients of the gateway and the management API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner.testing._simulated.answers import error_answer, forwarded_headers
from rivet_runner.testing._simulated.asgi import headers_of, target_of
from rivet_runner.testing._simulated.client_routes import RUNNERS, ClientRoutes
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.port_api import PortApi
from rivet_runner.testing._simulated.socket_client import SocketClient
from rivet_runner.testing._simulated.socket_link import SocketLink
from rivet_runner.testing.http_client import HttpExchangeFailed, HttpResponse

__all__ = ["ListeningEngine", "PortApp"]

SUBPROTOCOL: Final = "rivet"
WITHOUT_BODY: Final = frozenset({204, 304})


class ListeningEngine(Protocol):
    """The engine, as its port sees it."""

    cluster: Cluster

    @property
    def is_down(self) -> bool: ...

    async def serve_runner(self, target: str, subprotocols: list[str], link: SocketLink) -> None:
        """Serve a runner's connection until it ends."""


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
        self._routes = ClientRoutes(engine.cluster, api)
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
        headers = forwarded_headers(headers_of(scope), self._engine.cluster.ids.new())
        try:
            body = await self._body(receive)
        except EngineError as error:
            return error_answer(error, headers)
        return await self._routes.answer(scope["method"], target_of(scope), headers, body)

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
        client = SocketClient(receive, send, lambda: self._abort(scope))
        headers = forwarded_headers(headers_of(scope), ray_id)
        self._routes.open(target, scope["subprotocols"], headers, client.port)
        await client.serve()
