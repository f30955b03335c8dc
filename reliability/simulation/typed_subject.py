"""The typed actors under test. They note in the trace what they do, and what their state is when they start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final, NamedTuple

import msgspec

from reliability.simulation.world import World
from rivet_runner import Request, Response, Runner, WebSocket
from rivet_runner.actors import App, Connection, DurableActor, Event, UserError, action

__all__ = ["SHORTEST_INTERVAL", "Fleeting", "State", "Tally", "typed_runner"]

LONGEST_ACTION: Final = 3.0

RETRIES: Final = 6
"""Of a scheduled call. One in ten raises, so that none is given up."""

TICK: Final = "tick"
"""The name of the recurring schedule."""

SHORTEST_INTERVAL: Final = 4.0
CRON: Final = "*/5 * * * * *"


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
    run_keeps_awake = False
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
        self.note("has started")

    async def run(self) -> None:
        self.note("loop begins")
        try:
            while True:
                await asyncio.sleep(LONGEST_ACTION)
                if self._place.world.happens(0.05):
                    raise RuntimeError("bad luck in run")
        finally:
            self.note("loop ends")

    async def on_sleep(self) -> None:
        self.note("stop")
        await self._trouble("on_sleep", 0.1)

    async def on_destroy(self) -> None:
        self.note("stop")

    async def on_error(self, error: Exception, where: str) -> None:
        self.note("failed", where, type(error).__name__)

    async def on_connect(self, connection: Connection) -> None:
        self.note("joins", connection.id)

    async def on_disconnect(self, connection: Connection) -> None:
        self.note("leaves", connection.id)

    async def on_request(self, request: Request) -> Response:
        """Note the id in the path in the state, as `add` does. With PUT the state is saved before the answer."""
        call = request.path.removeprefix("/")
        self.note("request", call, int(call.rpartition(".")[2]))
        await self._trouble("on_request", 0.02)
        self._count(call)
        if request.method == "PUT":
            await self.save()
            self.note("saved", call)
        return Response(call)

    async def on_websocket(self, ws: WebSocket) -> None:
        """Send back what comes."""
        async for message in ws:
            await ws.send(message)

    def _count(self, call: str) -> None:
        self.state.done[call] = self.state.done.get(call, 0) + 1
        self.note("changed", call)

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
        caller.state["last"] = max(caller.state.get("last", 0), int(call.rsplit(".", 1)[-1]))
        self._count(call)
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
    async def repeat(self, _: str, number: int, seconds: float | None) -> None:
        """Tick every so many seconds, or by a cron expression. What ticked before is replaced."""
        self.note("request", "repeat", number)
        self.note("asks to repeat")
        if seconds is None:
            await self.schedule.cron(TICK, CRON, self.tick, retries=RETRIES)
        else:
            await self.schedule.every(TICK, seconds, self.tick, retries=RETRIES)
        self.note("repeats")

    @action
    async def rest(self, _: str, number: int) -> None:
        """Tick no more."""
        self.note("request", "rest", number)
        self.note("asks to rest")
        await self.schedule.cancel(TICK)
        self.note("rests")

    async def tick(self) -> None:
        """Called by the schedule."""
        self.note("tick begins")
        ended = False
        try:
            await self._trouble("tick", 0.1)
            ended = True
        finally:
            self.note("tick ends", ended)

    @action
    async def nap(self) -> None:
        """Fall asleep."""
        self.sleep()

    @action
    async def report(self) -> None:
        """Note the state at the end."""
        self.note("reports", *self.state.done)


class Fleeting(Tally):
    """One whose connections keep it awake."""

    hibernate = False


def typed_runner(world: World, process: str, options: dict[str, Any]) -> Runner:
    """The runner of one process."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Runner) -> AsyncIterator[Place]:
        yield Place(world, process)

    return App(Tally, Fleeting, lifespan=lifespan).runner(**options)
