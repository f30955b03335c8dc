"""Run a real engine and one of the examples until Ctrl-C. ``make dev`` and ``make dev-chat`` run this program."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass

from examples import chat
from examples.console import fail
from examples.counter import Counter
from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.testing import EngineApi, EngineNotFound, LocalEngine

TRY_COUNTER = """
The engine is at {endpoint}. A runner named "counter" hosts one actor on it. Try these commands:

  curl -X POST {endpoint}/gateway/{actor_id}/increment
  curl -X POST {endpoint}/gateway/{actor_id}/sleep        # the next request wakes it
  curl {endpoint}/actors?namespace=default\\&actor_ids={actor_id}
  curl -X DELETE {endpoint}/actors/{actor_id}?namespace=default

Create another actor:

  curl -X POST {endpoint}/actors?namespace=default -H 'content-type: application/json' \\
    -d '{{"name":"counter","key":null,"runner_name_selector":"counter","crash_policy":"sleep"}}'

Press Ctrl-C to stop the runner and the engine.
"""

TRY_CHAT = """
The engine is at {endpoint}. A runner named "chat" hosts one room on it. Open the room in two browser tabs:

  {endpoint}/gateway/{actor_id}/request/

After 20 s of silence, or 40 s, the room goes to sleep. Write a message then. The room wakes as its next generation, and the
tabs stay connected. Create another room:

  curl -X POST {endpoint}/actors?namespace=default -H 'content-type: application/json' \\
    -d '{{"name":"chatRoom","key":null,"runner_name_selector":"chat","crash_policy":"sleep"}}'

Press Ctrl-C to stop the runner and the engine.
"""


class SleepyCounter(Counter):
    """The counter of ``examples/counter.py``, with a path that puts it to sleep."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/sleep":
            actor.sleep()
            return Response("falling asleep\n")
        return await super().fetch(actor, request)


@dataclass(frozen=True)
class Example:
    """What makes a runner, the name of its actors, and the instructions to print."""

    runner: Callable[..., Runner]
    actor_name: str
    instructions: str


EXAMPLES = {
    "counter": Example(SleepyCounter, "counter", TRY_COUNTER),
    "chat": Example(chat.app.runner, "chatRoom", TRY_CHAT),
}


async def serve(name: str, port: int | None) -> None:
    example = EXAMPLES[name]
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with LocalEngine(port=port) as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(name)
        async with example.runner(endpoint=engine.endpoint, runner_name=name):
            actor = await api.create_ready_actor(example.actor_name, runner_name=name)
            print(example.instructions.format(endpoint=engine.endpoint, actor_id=actor.actor_id), flush=True)
            await stop.wait()
            print("\nStopping the runner and the engine.", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.dev", description=__doc__)
    parser.add_argument("example", nargs="?", choices=EXAMPLES, default="counter", help="default: counter")
    parser.add_argument("--port", type=int, default=None, help="the engine's port (default: a free one)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(serve(arguments.example, arguments.port))
        except EngineNotFound as error:
            fail(str(error))


if __name__ == "__main__":
    main()
