"""Serverless hosting: the engine starts runners by requests to your web server.

::

    app = serverless_app(Counter)      # uvicorn module:app
    fastapi_app.mount("/rivet", app)   # or inside another application

See `serverless_app`. The module ``app`` answers requests, ``start_headers`` and ``endpoints`` check them, ``hosted``
is one ``/start`` request with its runner, and ``stop_signals`` notices early that the server is about to stop.
"""

from __future__ import annotations

from rivet_runner.serverless.app import ServerlessApp, serverless_app

__all__ = ["ServerlessApp", "serverless_app"]
