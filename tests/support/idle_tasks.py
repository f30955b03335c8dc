"""The tasks that there are when nothing is under way, and which of them have come to stay."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from rivet_runner import Runner

__all__ = ["SETTLE_SECONDS", "running_tasks", "tasks_that_stay"]

SETTLE_SECONDS: Final = 30.0
"""For the bounded work that a runner does on its own. After an actor has woken, the runner looks for 5 s whether the engine
dropped messages. If so, it has them replayed and looks again, up to four times for 5 s."""

LOOK_SECONDS: Final = 0.2


def running_tasks() -> Counter[str]:
    """How many unfinished tasks there are of each name. A task without a name is called by its coroutine's."""
    return Counter(_name(task) for task in asyncio.all_tasks())


async def tasks_that_stay(before: Counter[str], runner: Runner) -> Counter[str]:
    """The tasks that were not there ``before``, once there are none, or after `SETTLE_SECONDS`.

    Call it when no client is connected. The handlers of open WebSockets do not count: if a client leaves while the runner is
    away, the engine does not tell, and the handler ends when the actor has slept and the engine has forgotten the client.
    """
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while (more := _more(before, runner)) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    return more


def _more(before: Counter[str], runner: Runner) -> Counter[str]:
    handlers = Counter({f"actor {actor.id}: websocket": len(actor.websockets) for actor in runner.actors.values()})
    return running_tasks() - before - handlers


def _name(task: asyncio.Task[object]) -> str:
    name = task.get_name()
    return getattr(task.get_coro(), "__qualname__", name) if name.startswith("Task-") else name
