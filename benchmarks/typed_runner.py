"""The echo as an action of typed actors, as a process of its own that the benchmarks start; see `python_runner`."""

from __future__ import annotations

from benchmarks.python_runner import main
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


if __name__ == "__main__":
    main(App(Echo).runner, App(HibernatableEcho).runner)
