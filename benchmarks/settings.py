"""How long and how often everything is measured."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["FULL", "IN_FLIGHT", "LOADS", "QUICK", "Settings"]

IN_FLIGHT: Final = 100
"""Messages or requests under way, where it is not one."""

LOADS: Final = {
    "echo": "messages on open WebSockets: one in flight, and 100 in flight over more and more of them; opening them",
    "memory": "memory of an idle open WebSocket",
    "http": "HTTP requests, 100 in flight",
    "actors": "starting actors",
    "hibernation": "hibernatable WebSockets beside plain ones",
    "engine": "the same echo through a real engine",
}


class Settings(NamedTuple):
    """One size of a run."""

    rounds: int
    """How often each contestant has its turn at each load."""

    seconds: float
    """Of one turn."""

    warm_up: float
    """Seconds of load that do not count, before a process is measured at all: V8 compiles meanwhile."""

    sockets: tuple[int, ...]
    actors: tuple[int, ...]
    with_engine: bool


FULL: Final = Settings(5, 1.0, 2.0, (100, 1_000, 10_000), (100, 1_000, 5_000, 10_000), True)
QUICK: Final = Settings(2, 0.3, 0.5, (100, 1_000), (100, 1_000), False)
