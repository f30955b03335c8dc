"""Serves an ASGI application with uvicorn, in the event loop of the caller."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from rivet_runner.serverless import ServerlessApp
from tests.support.waiting import eventually

__all__ = ["served"]


class _Server(uvicorn.Server):
    """Leaves the signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: Any, *, drained: Sequence[ServerlessApp] = (), **options: Any) -> AsyncIterator[str]:
    """Serve ``app`` on a free port and yield its URL. ``options`` are those of ``uvicorn.Config``.

    At the end the applications in ``drained``, and ``app`` if it is one, drain at once.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, **options))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started, what="the server has started")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for one in (app, *drained):
                if isinstance(one, ServerlessApp):
                    await one.drain(immediate=True)
            server.should_exit = True
            await serving
