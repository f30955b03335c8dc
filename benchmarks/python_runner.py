"""The echo runner on this SDK, as a process of its own that the benchmarks start.

The engine's address comes from ``RIVET_ENDPOINT``. The process ends with its standard input, so that it never outlives the
benchmark. With ``--profile FILE`` it samples itself from SIGUSR1 to SIGUSR2.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.process import standard_input_ended, uvloop_factory
from rivet_runner import Actor, Request, Response, Runner, WebSocket

BODY: Final = "x" * 64


class Echo(Runner):
    """Answers each request with the same body, and each WebSocket message with itself. After a POST its actor sleeps."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.method == "POST":
            actor.sleep()
        return Response(BODY)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)


class HibernatableEcho(Echo):
    """The same with sockets that outlive the actor's sleep, so that messages are stored as processed and acknowledged."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True


def main(plain: Callable[..., Runner], hibernatable: Callable[..., Runner]) -> None:
    """Serve one of the two until standard input ends, as the options of the process say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--hibernatable", action="store_true")
    parser.add_argument("--protocol", type=int, default=3)
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    if options.profile is not None:
        from benchmarks.profile import sample_between_signals

        sample_between_signals(options.profile)
    runner = (hibernatable if options.hibernatable else plain)(protocol=options.protocol)

    async def serve() -> None:
        await runner.start()
        await standard_input_ended()

    with asyncio.Runner(loop_factory=uvloop_factory() if options.uvloop else None) as loop_runner:
        loop_runner.run(serve())


if __name__ == "__main__":
    main(Echo, HibernatableEcho)
