"""The echo as an action of typed actors, as a process of its own that the benchmarks start; see `python_runner`."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

from benchmarks.profile import sample_between_signals
from benchmarks.python_runner import serve
from rivet_runner.actors import App, DurableActor, action

__all__ = ["Echo", "HibernatableEcho"]


class Echo(DurableActor[None], name="benchmark"):
    """Connections end with the actor's sleep."""

    hibernate = False

    @action
    async def echo(self, text: str) -> str:
        return text


class HibernatableEcho(Echo, name="benchmark"):
    """Connections outlive it, so that messages are stored as processed and acknowledged."""

    hibernate = True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hibernatable", action="store_true")
    parser.add_argument("--profile", type=Path)
    options = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    if options.profile is not None:
        sample_between_signals(options.profile)
    asyncio.run(serve(App(HibernatableEcho if options.hibernatable else Echo).runner()))


if __name__ == "__main__":
    main()
