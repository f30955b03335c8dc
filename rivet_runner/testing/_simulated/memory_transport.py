"""The way of clients to the engine in memory: no port, so that it also works on virtual time."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Mapping, Sequence

from rivet_runner._connection.client_transport import Reply
from rivet_runner._tasks import TaskGroup
from rivet_runner.testing._simulated.answers import request_headers
from rivet_runner.testing._simulated.client_routes import ClientRoutes
from rivet_runner.testing._simulated.client_socket import SimulatedWebSocket
from rivet_runner.testing._simulated.port_api import PortApi
from rivet_runner.testing._simulated.port_app import ListeningEngine
from rivet_runner.testing.http_client import HttpExchangeFailed, HttpResponse

__all__ = ["MemoryTransport"]

log = logging.getLogger("rivet_runner.testing")


class MemoryTransport:
    """A `rivet_runner._connection.client_transport.ClientTransport`, for any number of clients.

    A client may be an actor. No context variable of its task reaches the engine, and from there another actor: the work of
    the engine begins in the context in which the transport was made.
    """

    def __init__(self, engine: ListeningEngine, api: PortApi) -> None:
        self._engine = engine
        self._routes = ClientRoutes(engine.cluster, api)
        self._tasks = TaskGroup("clients in memory", log)
        self._context = contextvars.copy_context()

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        await self._dial()
        length = {"content-length": str(len(body))} if body else {}
        sent = request_headers(headers, self._engine.cluster.ids.new(), **length)
        answering = self._context.copy().run(self._begin, method, target, sent, body)
        try:
            await asyncio.wait([answering])
        except asyncio.CancelledError:
            answering.cancel()
            raise
        try:
            answer = answering.result()
        except (HttpExchangeFailed, asyncio.CancelledError) as error:
            raise ConnectionResetError(str(error)) from None
        return Reply(answer.status, answer.headers, answer.body)

    def _begin(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> asyncio.Task[HttpResponse]:
        answering = self._routes.answer(method, target, headers, body)
        return self._tasks.spawn(answering, name=f"{method} {target}", on_error=_ignore)

    async def connect(self, target: str, subprotocols: Sequence[str], headers: Mapping[str, str]) -> SimulatedWebSocket:
        await self._dial()
        offered = ", ".join(subprotocols)
        sent = request_headers(headers, self._engine.cluster.ids.new(), sec_websocket_protocol=offered)
        socket = SimulatedWebSocket()
        self._context.copy().run(self._routes.open, target, subprotocols, sent, socket.port)
        return socket

    async def _dial(self) -> None:
        await asyncio.sleep(0)
        if self._engine.is_down:
            raise ConnectionRefusedError("the simulated engine is down")

    async def aclose(self) -> None:
        """It keeps no connections."""


def _ignore(error: BaseException) -> None:
    """The task that asked gets it."""
