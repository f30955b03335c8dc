"""HTTP for probes, in a thread with an event loop of its own: it answers while every other loop is blocked.

The ``websockets`` library parses the requests. None of them becomes a WebSocket, and each connection serves one request.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from rivet_runner._health.pages import Answer

__all__ = ["HealthServer"]

log = logging.getLogger("rivet_runner.health")

MAX_CONNECTIONS: Final = 64
"""Connections at a time. Further ones are dropped, so that no flood takes the file descriptors of the runner."""

REQUEST_SECONDS: Final = 5.0
"""For a request to come, and for its answer to be read."""

END_SECONDS: Final = 1.0
"""For the thread to end. A collector of metrics that never returns can keep it."""


class _OnlyDebug(logging.Filter):
    """The library logs each request as INFO, and each port scan as an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        return log.isEnabledFor(logging.DEBUG)


_library_log = logging.getLogger("rivet_runner.health.websockets")
_library_log.addFilter(_OnlyDebug())


class _Connection(ServerConnection):
    """One of at most `MAX_CONNECTIONS`."""

    def __init__(self, *args: Any, among: set[ServerConnection], **options: Any) -> None:
        super().__init__(*args, **options)
        self._among = among

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._among.add(self)
        if len(self._among) > MAX_CONNECTIONS:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.discard(self)
        super().connection_lost(exc)


class HealthServer:
    """Serves ``answer`` from `start` to `close`. ``answer`` gets a path and an Accept header, in the server's thread.

    ``host`` is the address to listen on, or ``None`` for all. ``port`` 0 is any free one.
    """

    def __init__(self, host: str | None, port: int, answer: Callable[[str, str], Answer]) -> None:
        self._answer = answer
        self._listener = _listener(host, port)
        self.port: int = self._listener.getsockname()[1]
        """The port that it listens on."""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._connections: set[ServerConnection] = set()
        self._thread: threading.Thread | None = None
        self._ended: Callable[[], None] = _nothing

    def start(self) -> None:
        """Serve from now on. Call it once."""
        self._thread = threading.Thread(target=self._run, name="rivet-runner health", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Stop serving, and return when the port is free. Connections are dropped. Also for a server that never started."""
        thread, self._thread = self._thread, None
        if thread is None:
            if not self._loop.is_running():
                self._listener.close()
                self._loop.close()
            return
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def tell() -> None:
            loop.call_soon_threadsafe(_set, ended)

        self._ended = tell
        self._loop.call_soon_threadsafe(self._stop.set)
        _, unfinished = await asyncio.wait([ended], timeout=END_SECONDS)
        if unfinished:
            log.warning("the health server did not end within %g s; a collector of metrics may hang", END_SECONDS)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
        except Exception:
            log.exception("the health server failed")
        finally:
            self._listener.close()
            with contextlib.suppress(RuntimeError):  # the loop that waited is closed
                self._ended()

    async def _serve(self) -> None:
        server = await serve(
            _no_handler,
            sock=self._listener,
            process_request=self._process_request,
            compression=None,
            open_timeout=REQUEST_SECONDS,
            close_timeout=REQUEST_SECONDS,
            server_header=None,
            logger=_library_log,
            create_connection=functools.partial(_Connection, among=self._connections),  # type: ignore[arg-type]
        )
        await self._stop.wait()
        server.close()
        for connection in [*self._connections]:
            connection.transport.abort()
        await server.wait_closed()

    def _process_request(self, connection: ServerConnection, request: Request) -> Response:
        # Older versions of the library know GET alone.
        method = getattr(request, "method", "GET")
        if method not in ("GET", "HEAD"):
            response = connection.respond(HTTPStatus.METHOD_NOT_ALLOWED, "allowed: GET, HEAD\n")
            response.headers["Allow"] = "GET, HEAD"
            return response
        answer = self._answer(request.path.partition("?")[0], ", ".join(request.headers.get_all("Accept")))
        response = connection.respond(HTTPStatus(answer.status), "")
        for name, value in (("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))):
            del response.headers[name]
            response.headers[name] = value
        response.headers["Cache-Control"] = "no-store"
        response.body = b"" if method == "HEAD" else answer.body
        return response


async def _no_handler(_: ServerConnection) -> None:
    """No request becomes a WebSocket."""


def _nothing() -> None:
    pass


def _set(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def _listener(host: str | None, port: int) -> socket.socket:
    """Listen, or raise one `OSError` that says what to do."""
    try:
        if host is not None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family)
        if socket.has_dualstack_ipv6():
            try:
                return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                    raise
        return socket.create_server(("", port))
    except OSError as error:
        raise OSError(error.errno, _why(host, port, error)) from None


def _why(host: str | None, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"health_port {port} is taken by another program; choose another port, or 0 for any free one"
    where = f"{host or 'all addresses'}, port {port}"
    return f"the health server cannot listen on {where} ({error.strerror or error}); see health_port and health_host"
