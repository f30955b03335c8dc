"""The typed actors under test. They note in the trace what they do, and what their state is when they start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import msgspec

from reliability.simulation.world import World
from rivet_runner import Runner
from rivet_runner.actors import App, DurableActor, Event, UserError, action

__all__ = ["State", "Tally", "typed_runner"]

LONGEST_ACTION: Final = 3.0

RETRIES: Final = 6
"""Of a scheduled call. One in ten raises, so that none is given up."""


class State(msgspec.Struct):
    """``done`` has the id of each call and schedule that ran, and how often it did."""

    done: dict[str, int] = {}


class Place(NamedTuple):
    """The process in which an actor runs, as its resources."""

    world: World
    process: str


class Tally(DurableActor[State]):
    """Counts what was asked of it, each by an id of its own."""

    sleep_after = 5.0
    changed = Event[int]()

    def note(self, what: str, *details: Any) -> None:
        world, process = self._place
        if process not in world.killed:
            world.note("app", self.id, what, process, self.generation, *details)

    @property
    def _place(self) -> Place:
        place = self.resources
        assert isinstance(place, Place)
        return place

    async def _trouble(self, what: str, chance: float) -> None:
        """Take long now and then, or raise."""
        world = self._place.world
        if world.happens(0.2):
            await asyncio.sleep(world.random.uniform(0, LONGEST_ACTION))
        if world.happens(chance):
            raise RuntimeError(f"bad luck in {what}")

    # Hooks

    async def on_start(self) -> None:
        self.note("start")
        self.note("holds", *self.state.done)
        await self._trouble("on_start", 0.05)

    async def on_sleep(self) -> None:
        self.note("stop")
        await self._trouble("on_sleep", 0.1)

    async def on_destroy(self) -> None:
        self.note("stop")

    async def on_error(self, error: Exception, where: str) -> None:
        self.note("failed", where, type(error).__name__)

    # Actions

    @action
    async def add(self, call: str, number: int, saved: bool) -> int:
        """Note ``call`` in the state. ``number`` is that of a request, or 0 for a call over a connection."""
        caller = self.caller
        assert caller is not None
        if number:
            self.note("request", call, number)
        else:
            self.note("runs", call, caller.id, caller.state.get("last", 0))
        try:
            await self._trouble("add", 0.02)
            if self._place.world.happens(0.05):
                raise UserError("refused by chance", code="refused")
        except Exception:
            self.note("raises", call)
            raise
        self.state.done[call] = self.state.done.get(call, 0) + 1
        caller.state["last"] = max(caller.state.get("last", 0), int(call.rsplit(".", 1)[-1]))
        self.note("changed", call)
        if saved:
            await self.save()
            self.note("saved", call)
        await self.changed.emit(len(self.state.done))
        return len(self.state.done)

    @action
    async def later(self, entry: str, number: int, seconds: float) -> None:
        """Schedule the addition of ``entry``."""
        self.note("request", entry, number)
        await self.schedule.after(seconds, self.add_later, entry, retries=RETRIES)
        self.note("scheduled", entry)

    async def add_later(self, entry: str) -> None:
        """Called by the schedule."""
        self.note("runs later", entry)
        await self._trouble("add_later", 0.1)
        self.state.done[entry] = self.state.done.get(entry, 0) + 1
        self.note("ran later", entry)

    @action
    async def nap(self) -> None:
        """Fall asleep."""
        self.sleep()

    @action
    async def report(self) -> None:
        """Note the state at the end."""
        self.note("reports", *self.state.done)


def typed_runner(world: World, process: str, options: dict[str, Any]) -> Runner:
    """The runner of one process."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Runner) -> AsyncIterator[Place]:
        yield Place(world, process)

    return App(Tally, lifespan=lifespan).runner(**options)
