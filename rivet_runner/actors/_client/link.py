"""One engine, as a client sees it: the way there, who the client is, and how long an answer may take."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Protocol

from rivet_runner._connection.client_transport import ClientTransport, Reply, TransportSocket
from rivet_runner.actors.errors import CallTimeout, ConnectionLost, EngineUnreachable

__all__ = ["Link"]

TOKEN_HEADER: Final = "x-rivet-token"
"""Of requests to actors. The engine's API has the usual ``authorization``, which may mean something else to an actor."""


class Closable(Protocol):
    async def close(self) -> None: ...


class Link:
    """Sends requests, and turns failures of the way into `ClientError`. ``timeout`` is in seconds."""

    def __init__(
        self,
        transport: ClientTransport,
        *,
        endpoint: str,
        namespace: str,
        token: str | None,
        pool: str,
        timeout: float,
        random: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._token = token
        self._closed = False
        self._connections: dict[Closable, None] = {}
        self.random = random
        self.endpoint = endpoint
        self.namespace = namespace
        self.pool = pool
        self.timeout = timeout

    async def call_api(self, method: str, target: str, body: bytes = b"") -> Reply:
        """Call the engine's HTTP API. ``body`` is JSON."""
        headers = {"content-type": "application/json"} if body else {}
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token}"
        return await self._request(method, target, headers, body)

    async def ask_actor(self, actor_id: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request to an actor through the gateway, which wakes it."""
        return await self._request(method, f"/gateway/{actor_id}{path}", self._to_actor(headers), body)

    async def connect(self, actor_id: str, path: str, subprotocols: Sequence[str]) -> TransportSocket:
        """Open a WebSocket to an actor. The gateway opens it at once, and closes it later if the actor refuses."""
        self._check_open()
        try:
            return await self._transport.connect(f"/gateway/{actor_id}{path}", subprotocols, self._to_actor({}))
        except ConnectionError as error:
            raise self._unreachable(error) from None

    @contextlib.asynccontextmanager
    async def time_limit(self, what: str) -> AsyncIterator[None]:
        """Raise `CallTimeout` if the block takes longer than ``timeout``. ``what`` is for its message."""
        try:
            async with asyncio.timeout(self.timeout) as limit:
                yield
        except TimeoutError as error:
            if not limit.expired() or isinstance(error, CallTimeout):
                raise
            raise CallTimeout(f"no answer to {what} within {self.timeout:g} s; it may have been carried out") from None

    def opened(self, connection: Closable) -> None:
        """A live connection has begun, which ends with this link."""
        self._connections[connection] = None

    def ended(self, connection: Closable) -> None:
        self._connections.pop(connection, None)

    async def aclose(self) -> None:
        """Close all connections. Later requests raise `RuntimeError`."""
        self._closed = True
        try:
            await asyncio.gather(*(connection.close() for connection in self._connections))
        finally:
            await self._transport.aclose()

    async def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        self._check_open()
        try:
            return await self._transport.request(method, target, headers, body)
        except ConnectionRefusedError as error:
            raise self._unreachable(error) from None
        except ConnectionError as error:
            raise ConnectionLost(
                f"the connection to {self.endpoint} broke before the answer to {method} {target} came; "
                f"it may have been carried out ({error})"
            ) from None

    def _to_actor(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return headers if self._token is None else {**headers, TOKEN_HEADER: self._token}

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the client is closed")

    def _unreachable(self, error: ConnectionError) -> EngineUnreachable:
        return EngineUnreachable(
            f"there is no engine at {self.endpoint}: start it, or correct the endpoint (RIVET_ENDPOINT) ({error})"
        )
