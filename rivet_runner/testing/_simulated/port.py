"""The server behind `SimulatedEngine.listen`: uvicorn, on the event loop of the engine.

It is imported only by `listen`, because it requires uvicorn.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from rivet_runner._asgi_types import Scope
from rivet_runner.testing._simulated.port_api import PortApi
from rivet_runner.testing._simulated.port_app import ListeningEngine, PortApp
from rivet_runner.testing._simulated.socket_client import NOT_TEXT

__all__ = ["Port"]

LARGEST_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of a WebSocket message that the server reads. The engine's own limits are below it, and answer for themselves."""

UTF_8: Final = codecs.getincrementaldecoder("utf-8")

START_POLL_SECONDS: Final = 0.005


class _Server(uvicorn.Server):
    """Leaves the signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _WebSocket(WebSocketsSansIOProtocol):
    """Hands on `NOT_TEXT` for a text message that is not UTF-8. The server would close the connection by itself."""

    _text: codecs.IncrementalDecoder | None = None
    """Reads the text message under way."""

    def handle_text(self, event: Frame) -> None:
        self._text = UTF_8()
        if self._is_text(event, self._text):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        self._text = None
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        if self._text is None or self._is_text(event, self._text):
            super().handle_cont(event)

    def _is_text(self, event: Frame, decoder: codecs.IncrementalDecoder) -> bool:
        try:
            decoder.decode(event.data, final=event.fin)
        except UnicodeDecodeError:
            self.queue.put_nowait({"type": "websocket.receive", "text": NOT_TEXT})
            return False
        return True


class Port:
    """One listening socket and its server. Call `start` once, and `close` at the end."""

    def __init__(self, host: str, port: int) -> None:
        """Raises `OSError` if the port is taken."""
        self._socket = _bound(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.endpoint: str = f"http://{shown}:{self._socket.getsockname()[1]}"
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self, engine: ListeningEngine, api: PortApi) -> None:
        """Serve, and return once the port answers. Cancelling is safe if you call `close`."""
        app: Any = PortApp(engine, api, self._abort, self._hold)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            interface="asgi3",
            http="h11",
            ws=_WebSocket,
            ws_max_size=LARGEST_MESSAGE,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        server = self._server = _Server(config)
        self._serving = asyncio.create_task(server.serve(sockets=[self._socket]), name="simulated engine: port")
        while not server.started and not self._serving.done():  # noqa: ASYNC110
            await asyncio.sleep(START_POLL_SECONDS)

    async def close(self) -> None:
        """Stop listening. Break connections that are still open."""
        if self._server is None or self._serving is None:
            self._socket.close()
            return
        self._server.should_exit = True
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        await self._serving

    def _abort(self, scope: Scope) -> None:
        """Break the connection of a request or a WebSocket, whose client has no other."""
        for transport in self._transports_of(scope):
            transport.abort()

    def _hold(self, scope: Scope, held: bool) -> None:
        """Read nothing of a connection any more, or go on."""
        for transport in self._transports_of(scope):
            if held:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _transports_of(self, scope: Scope) -> list[Any]:
        connections = [] if self._server is None else list(self._server.server_state.connections)
        return [connection.transport for connection in connections if getattr(connection, "client", None) == scope["client"]]


def _bound(host: str, port: int) -> socket.socket:
    """A socket that is marked as TCP: asyncio lets small messages leave at once only if it knows that."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # a port that is taken is told here at the latest
    except OSError as error:
        bound.close()
        hint = "; another engine may run there, or choose another port" if error.errno == errno.EADDRINUSE else ""
        text = f"the simulated engine cannot listen on {host}, port {port} ({error.strerror or error}){hint}"
        raise OSError(error.errno, text) from None
    return bound
