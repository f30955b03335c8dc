"""The counter behind FastAPI. The engine starts the runner when an actor needs one.

In production, run this command, and tell the engine the URL of the mount (see docs/serverless.md)::

    RIVET_ENDPOINT=https://your-engine.example uvicorn examples.serverless_fastapi:web

``make dev-serverless`` runs the site on your machine, with an engine and an actor.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib

import uvicorn
from fastapi import FastAPI

from examples.console import fail
from examples.counter import Counter
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

web = FastAPI(title="A site with a counter")
web.mount("/rivet", serverless_app(Counter, prepopulate_actor_names={"counter": {}}))


@web.get("/")
async def index() -> dict[str, str]:
    return {"hello": "This is the site. The actors are behind /rivet."}


RUNNER_NAME = "counter"
LIFESPAN_SECONDS = 60

TRY = """
The engine is at {engine}. The site is at {site}. The engine has started a runner there for one actor.
Try these commands:

  curl -X POST {engine}/gateway/{actor_id}/increment
  curl {site}/rivet/health                                  # the number of runners
  curl {site}/rivet/metadata
  curl {engine}/runners?namespace=default

Each runner lives for {lifespan} s. Shortly before its end, the engine starts another one, and the actor moves there.

Press Ctrl-C to stop the runner, the site and the engine. The runner drains first.
"""


async def serve(port: int, engine_port: int | None) -> None:
    """Run the engine, the site and one actor until uvicorn stops."""
    async with LocalEngine(port=engine_port) as engine:
        server = uvicorn.Server(uvicorn.Config(web, port=port, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.05)
        if not serving.done():
            site = "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
            await _introduce(engine, site)
        await serving


async def _introduce(engine: LocalEngine, site: str) -> None:
    api = EngineApi(engine.endpoint)
    await api.upsert_runner_config(RUNNER_NAME, serverless_url=f"{site}/rivet", request_lifespan=LIFESPAN_SECONDS)
    actor = await api.create_actor("counter", runner_name=RUNNER_NAME)
    await api.wait_connectable(actor.actor_id)
    print(TRY.format(engine=engine.endpoint, site=site, actor_id=actor.actor_id, lifespan=LIFESPAN_SECONDS), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.serverless_fastapi", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the site's port (default: a free one)")
    parser.add_argument("--engine-port", type=int, default=None, help="the engine's port (default: a free one)")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again after it has stopped
        try:
            asyncio.run(serve(arguments.port, arguments.engine_port))
        except EngineNotFound as error:
            fail(str(error))
    print("\nThe runner, the site and the engine have stopped.", flush=True)


if __name__ == "__main__":
    main()
