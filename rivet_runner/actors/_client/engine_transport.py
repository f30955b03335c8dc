"""The way to an engine over the network: httpx for requests, ``websockets`` for WebSockets.

Errors of both libraries become those of `rivet_runner._connection.client_transport.ClientTransport` here.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import urlsplit

import httpx
from multidict import CIMultiDict
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from rivet_runner._connection.client_transport import Reply
from rivet_runner.errors import WebSocketClosed

__all__ = ["EngineSocket", "EngineTransport"]

POOL_SIZE: Final = 4
"""Connections of one pool. httpx looks at each of them for every request, so 100 in one pool cost 8 ms of CPU a request."""

MAX_POOLS: Final = 256
"""Of one client. When all connections are busy, further requests wait, within the client's timeout."""

KEPT_POOLS: Final = 24
"""Pools that keep idle connections for the next request."""

MAX_MESSAGE: Final = 32 * 1024 * 1024
"""Bytes of a WebSocket message, as in the engine."""

PING_INTERVAL: Final = 30.0
"""Seconds between pings, which a gateway answers also while the actor sleeps. Without an answer for as long, it breaks."""

CLOSE_TIMEOUT: Final = 5.0
"""Seconds for the close handshake."""

NO_CLOSE_FRAME: Final = 1006

SECRETS: Final = ("x-rivet-token", "rivet_token.", "rivet_conn_params.", "authorization")


class _RedactingFilter(logging.Filter):
    """Keeps tokens and parameters of connections out of the library's debug log of the handshake."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = str(record.args).lower()
        if any(secret in text for secret in SECRETS):
            record.msg, record.args = "> (a header is hidden, because it carries a token or parameters)", ()
        return True


_library_log = logging.getLogger("rivet_runner.actors.websockets")
_library_log.addFilter(_RedactingFilter())


class EngineTransport:
    """A `rivet_runner._connection.client_transport.ClientTransport` to ``endpoint``, an http or https URL.

    It belongs to the event loop of its first request. Proxies are those of the environment.
    """

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._base_path = urlsplit(endpoint).path
        self._websocket_url = f"ws{endpoint.removeprefix('http')}"
        self._pools: list[_Pool] = []
        self._places = asyncio.Semaphore(POOL_SIZE * MAX_POOLS)

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        async with self._places:
            pool = self._free_pool()
            pool.busy += 1
            try:
                return await self._exchange(pool.http, method, target, headers, body)
            finally:
                pool.busy -= 1

    def _free_pool(self) -> _Pool:
        for pool in self._pools:
            if pool.busy < POOL_SIZE:
                return pool
        self._pools.append(_Pool(POOL_SIZE if len(self._pools) < KEPT_POOLS else 0))
        return self._pools[-1]

    async def _exchange(
        self, http: httpx.AsyncClient, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        # httpx would change some paths. They leave as they are, because an actor may tell them apart.
        sent = {"target": f"{self._base_path}{target}".encode("ascii")}
        request = http.build_request(method, self._endpoint, headers=headers, content=body, extensions=sent)
        try:
            response = await http.send(request, stream=True)
            try:
                content = b"".join([piece async for piece in response.aiter_raw()])
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            raise ConnectionRefusedError(_text_of(error)) from None
        except httpx.TransportError as error:
            raise ConnectionResetError(_text_of(error)) from None
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]
        return Reply(response.status_code, CIMultiDict(pairs), content)

    async def connect(self, target: str, subprotocols: Sequence[str], headers: Mapping[str, str]) -> EngineSocket:
        try:
            connection = await connect(
                f"{self._websocket_url}{target}",
                subprotocols=[Subprotocol(name) for name in subprotocols],
                additional_headers=headers,
                compression=None,
                max_size=MAX_MESSAGE,
                open_timeout=None,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_INTERVAL,
                close_timeout=CLOSE_TIMEOUT,
                logger=_library_log,
            )
        except InvalidStatus as error:
            raise ConnectionRefusedError(f"HTTP {error.response.status_code} instead of a WebSocket") from None
        except (OSError, EOFError, InvalidHandshake) as error:
            raise ConnectionRefusedError(_text_of(error)) from None
        return EngineSocket(connection)

    async def aclose(self) -> None:
        pools, self._pools = self._pools, []
        for pool in pools:
            await pool.http.aclose()


class _Pool:
    """A few connections, of which up to ``kept`` wait for the next request. ``busy`` is the number of requests under way."""

    def __init__(self, kept: int) -> None:
        self.busy = 0
        # One actor's cookies are nothing for another one.
        self.http = httpx.AsyncClient(
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"accept-encoding": "identity", "user-agent": "rivet-runner"},
            limits=httpx.Limits(max_connections=POOL_SIZE, max_keepalive_connections=kept),
            timeout=None,
            verify=_tls(),
        )


@functools.cache
def _tls() -> ssl.SSLContext:
    """The context of all pools, which takes some time to make."""
    return httpx.create_ssl_context()


class EngineSocket:
    """A `rivet_runner._connection.client_transport.TransportSocket` over the network."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: str | bytes, /) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def recv(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._connection.close(code, reason)

    def abort(self) -> None:
        self._connection.transport.abort()


def _closed(error: ConnectionClosed) -> WebSocketClosed:
    frame = error.rcvd or error.sent
    return WebSocketClosed(NO_CLOSE_FRAME, "") if frame is None else WebSocketClosed(frame.code, frame.reason)


def _text_of(error: BaseException) -> str:
    """The text of an error of a library, which may be empty or have several lines."""
    return " ".join(str(error).split()) or type(error).__name__
