"""SIGINT and SIGTERM: the first ends the work in order, the second hurries it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from rivet_runner._runtime.signals import SIGNAL_STATUS, SIGNALS
from rivet_runner.cli.console import note

__all__ = ["until_interrupted"]


async def until_interrupted(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]], ending: str) -> int:
    """Do ``work`` until it returns a status, or a signal cancels it, and return the exit status.

    ``ending`` is said at the first signal, whose status is 0. A second one sets the event that ``work`` was given.
    """
    loop = asyncio.get_running_loop()
    hurried = asyncio.Event()
    task = asyncio.create_task(work(hurried), name="work")
    seen: list[int] = []

    def arrived(number: int) -> None:
        seen.append(number)
        if len(seen) == 1:
            note(ending)
            task.cancel()
        else:
            hurried.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, arrived, number)
    try:
        status = await task
    except asyncio.CancelledError:
        if not seen:
            raise
        status = 0
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
    return status if len(seen) < 2 else SIGNAL_STATUS + seen[-1]
