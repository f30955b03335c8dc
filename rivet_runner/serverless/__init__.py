"""Serverless hosting: the engine starts the runners, by a request to a web server of yours.

::

    app = serverless_app(Counter)            # uvicorn module:app
    fastapi_app.mount("/rivet", app)         # or inside another application

See `serverless_app`. In here: ``app`` answers requests, ``start_headers`` and ``endpoints`` decide what is answered,
``hosted`` is one ``/start`` request with its runner, and ``stop_signals`` tells early that the server is going to stop.
"""

from __future__ import annotations

from rivet_runner.serverless.app import ServerlessApp, serverless_app

__all__ = ["ServerlessApp", "serverless_app"]
