"""Serve an ASGI application inside your actors: FastAPI, Starlette, Django, Litestar, or any other.

::

    app = FastAPI()
    AsgiRunner(app, runner_name="site").run()

`AsgiRunner` is the runner, and `respond` answers a single request in a ``fetch`` of your own. Of the modules, ``exchange``
is one HTTP request, ``conversation`` one WebSocket, ``lifespan`` the time from an application's first request to its last,
``actor_apps`` the applications that belong to one actor each, and ``scopes`` tells an application about its actor.

``rivet_runner.serverless`` is the other direction: an ASGI application through which the engine starts runners.
"""

from __future__ import annotations

from rivet_runner._asgi_types import AsgiApp
from rivet_runner.asgi.errors import ClientDisconnected, LifespanFailed
from rivet_runner.asgi.runner import AsgiRunner, respond
from rivet_runner.asgi.scopes import RootPath

__all__ = ["AsgiApp", "AsgiRunner", "ClientDisconnected", "LifespanFailed", "RootPath", "respond"]
