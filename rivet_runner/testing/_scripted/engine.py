"""The server, which accepts and refuses the connections of runners."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from http import HTTPStatus
from types import TracebackType
from typing import Final, NamedTuple, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from rivet_runner.testing._scripted.connection import RunnerConnection
from rivet_runner.testing._scripted.kv_store import ScriptedKv
from rivet_runner.testing._scripted.mailbox import TIMEOUT, Mailbox
from rivet_runner.testing._scripted.memory import EngineMemory

__all__ = ["Dial", "ScriptedEngine"]

HOST: Final = "127.0.0.1"
CONNECT_PATH: Final = "/runners/connect"

_silent = logging.getLogger(f"{__name__}.websockets")
"""Drops the library's log records. They report broken connections, which a script breaks on purpose, and would show
tokens."""
_silent.addFilter(lambda _: False)


class Dial(NamedTuple):
    """An upgrade request and the time of its arrival, on the event loop's clock."""

    time: float
    target: str
    refused_with: int | None


class ScriptedEngine:
    """The engine's side of the runner protocol: a real WebSocket server on loopback that follows your script.

    ::

        async with ScriptedEngine() as engine:
            runner = Counter(endpoint=engine.endpoint)
            starting = asyncio.create_task(runner.start())
            connection = await engine.accept()
            await connection.init()
            await starting
            connection.start_actor("a1")
            await connection.running("a1")
            response = await connection.request("a1", "GET", "/count").response()

    The engine answers key-value requests from memory (``kv``) and WebSocket pings by itself. Your script does the
    rest. ``connections`` has all accepted connections, oldest first. ``dials`` has all upgrade requests, including
    refused ones. Waits use the event loop's clock, which may be virtual.
    """

    def __init__(self) -> None:
        self._memory = EngineMemory()
        self.kv: ScriptedKv = self._memory.kv
        self.connections: list[RunnerConnection] = []
        self.dials: list[Dial] = []
        self._refusals: list[int] = []
        self._refuse_all: int | None = None
        self._moving = asyncio.Event()
        self._moving.set()
        self._arrivals: Mailbox[RunnerConnection] = Mailbox("scripted engine")
        self._server: Server | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    # Start and stop

    @property
    def endpoint(self) -> str:
        """The URL for a runner's ``endpoint``. It stays the same after `stop` and `start`."""
        return f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        """Listen. After `stop`, the port is the same as before."""
        self._server = await serve(
            self._handle,
            HOST,
            self._port,
            subprotocols=[Subprotocol("rivet")],
            process_request=self._judge,
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            logger=_silent,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Stop like a killed engine: drop all connections without a close frame and refuse dials."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self._moving.set()
        for connection in self.connections:
            connection.abort()
        server.close()
        await server.wait_closed()

    # Connections

    async def accept(self, timeout: float = TIMEOUT) -> RunnerConnection:
        """Wait for the next connection of a runner, which has sent no init yet. Raises `TimeoutError`."""
        return await self._arrivals.take(lambda _: True, timeout, "connection")

    def refuse(self, status: int = 503, *, times: int | None = None) -> None:
        """Answer upgrade requests with this HTTP status, either the next ``times`` or all until `allow`."""
        if times is None:
            self._refuse_all = status
        else:
            self._refusals += [status] * times

    def allow(self) -> None:
        """Accept upgrades again."""
        self._refuse_all = None
        self._refusals.clear()

    def stall(self) -> None:
        """Stop reading on all connections, and leave upgrade requests unanswered, until `resume`."""
        self._moving.clear()
        for connection in self.connections:
            if connection.is_open:
                connection.stall()

    def resume(self) -> None:
        """Undo `stall`."""
        self._moving.set()
        for connection in self.connections:
            if connection.is_open:
                connection.resume()

    async def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        now = asyncio.get_running_loop().time()
        status = self._refusals.pop(0) if self._refusals else self._refuse_all
        if status is None and not request.path.split("?")[0].endswith(CONNECT_PATH):
            status = HTTPStatus.NOT_FOUND
        self.dials.append(Dial(now, request.path, status))
        await self._moving.wait()
        if status is None:
            return None
        return connection.respond(status, "refused by the script\n")

    async def _handle(self, ws: ServerConnection) -> None:
        connection = RunnerConnection(ws, self._memory)
        self.connections.append(connection)
        self._arrivals.put(connection)
        with contextlib.suppress(ConnectionClosed):  # `RunnerConnection.closed` tells the script
            await connection.read()
