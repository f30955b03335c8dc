"""The way to an engine over the network: httpx for requests, ``websockets`` for WebSockets.

Errors of both libraries become those of `rivet_runner._connection.client_transport.ClientTransport` here.
"""

from __future__ import annotations

import logging
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

MAX_CONNECTIONS: Final = 1000
"""Connections of one client for requests. Further requests wait, within the client's timeout."""

KEPT_CONNECTIONS: Final = 100
"""Idle connections that are kept for the next request."""

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
        self._http: httpx.AsyncClient | None = None

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self._http is None:
            self._http = _new_http_client()
        # httpx would change some paths. They leave as they are, because an actor may tell them apart.
        sent = {"target": f"{self._base_path}{target}".encode("ascii")}
        request = self._http.build_request(method, self._endpoint, headers=headers, content=body, extensions=sent)
        try:
            response = await self._http.send(request, stream=True)
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
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()


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


def _new_http_client() -> httpx.AsyncClient:
    # One actor's cookies are nothing for another one.
    return httpx.AsyncClient(
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"accept-encoding": "identity", "user-agent": "rivet-runner"},
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=KEPT_CONNECTIONS),
        timeout=None,
    )


def _closed(error: ConnectionClosed) -> WebSocketClosed:
    frame = error.rcvd or error.sent
    return WebSocketClosed(NO_CLOSE_FRAME, "") if frame is None else WebSocketClosed(frame.code, frame.reason)


def _text_of(error: BaseException) -> str:
    """The text of an error of a library, which may be empty or have several lines."""
    return " ".join(str(error).split()) or type(error).__name__
