"""A real engine and the counter, up until Ctrl-C, with the commands to try. ``make dev`` runs it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal

from examples.console import fail
from examples.counter import Counter
from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

COMMANDS = """
The engine is at {endpoint}, and a runner named "counter" hosts one actor on it. Try:

  curl -X POST {endpoint}/gateway/{actor_id}/increment
  curl -X POST {endpoint}/gateway/{actor_id}/sleep        # it leaves memory; the next request wakes it
  curl {endpoint}/actors?namespace=default\\&actor_ids={actor_id}
  curl -X DELETE {endpoint}/actors/{actor_id}?namespace=default

Create another one:

  curl -X POST {endpoint}/actors?namespace=default -H 'content-type: application/json' \\
    -d '{{"name":"counter","key":null,"runner_name_selector":"counter","crash_policy":"sleep"}}'

Ctrl-C stops everything.
"""


class SleepyCounter(Counter):
    """The counter of the README, which can be told to sleep."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/sleep":
            actor.sleep()
            return Response("good night\n")
        return await super().fetch(actor, request)


async def serve(port: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with LocalEngine(port=port) as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("counter")
        async with SleepyCounter(endpoint=engine.endpoint, runner_name="counter"):
            actor = await api.create_actor("counter", runner_name="counter")
            print(COMMANDS.format(endpoint=engine.endpoint, actor_id=actor.actor_id), flush=True)
            await stop.wait()
            print("\nStopping the runner and the engine.", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make dev", description=__doc__)
    parser.add_argument("--port", type=int, default=None, help="the engine's port (default: a free one)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(arguments.port))
        except EngineNotFound as error:
            fail(str(error))


if __name__ == "__main__":
    main()
