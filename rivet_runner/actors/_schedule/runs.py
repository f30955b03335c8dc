"""The runs that are under way: one task each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from rivet_runner.actor import Actor
from rivet_runner.actors._schedule.entry import Entry

__all__ = ["MAX_RUNS", "STOP_SECONDS", "Runs"]

MAX_RUNS: Final = 256
"""Runs of one actor side by side. What is due beyond waits for the end of one."""

STOP_SECONDS: Final = 5.0
"""For runs that are cancelled to end. The actor cancels their tasks again later in its stop."""


class Runs:
    """Runs by the id of their entry, at most one each. ``call`` runs an entry, and ``ended`` is called after each run."""

    __slots__ = ("_actor", "_call", "_cancelled", "_ended", "_ending", "_tasks")

    def __init__(self, actor: Actor, call: Callable[[Entry], Coroutine[Any, Any, None]], ended: Callable[[], None]) -> None:
        self._actor = actor
        self._call = call
        self._ended = ended
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._cancelled: set[str] = set()
        self._ending: set[str] = set()
        """Runs whose method has returned or raised, and that store what follows."""

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    @property
    def full(self) -> bool:
        """Whether no further one may start."""
        return len(self._tasks) >= MAX_RUNS

    def start(self, entry: Entry) -> None:
        """Run ``entry``. Raises `RunnerShutDown` once the actor has stopped."""
        key = entry.id
        task = self._tasks[key] = self._actor.spawn(self._call(entry))
        task.add_done_callback(lambda _: self._end(key))

    def _end(self, key: str) -> None:
        del self._tasks[key]
        self._cancelled.discard(key)
        self._ending.discard(key)
        self._ended()

    def ending(self, key: str) -> None:
        """The method of this run is over, so the run is not cancelled any more."""
        self._ending.add(key)

    def cancel(self, key: str) -> None:
        """Cancel the method of this run, without waiting for it. A run that cancels itself goes on."""
        task = self._tasks.get(key)
        if task is not None and key not in self._ending and task is not asyncio.current_task():
            self._cancelled.add(key)
            task.cancel()

    def was_cancelled(self, key: str) -> bool:
        """Whether this run was cancelled from outside: by `cancel`, or because the actor stops."""
        return key in self._cancelled or self._actor.stop_reason is not None

    async def cancel_all(self) -> None:
        """Cancel the methods of all runs, and wait for the ends of the runs, at most `STOP_SECONDS`."""
        for key in self._tasks:
            self.cancel(key)
        if self._tasks:
            _, pending = await asyncio.wait([*self._tasks.values()], timeout=STOP_SECONDS)
            if pending:
                self._actor.log.warning("%d scheduled runs did not end when they were cancelled", len(pending))
