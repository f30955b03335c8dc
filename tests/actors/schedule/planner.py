"""Actors with a schedule and nothing else, on the simulated engine."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

from rivet_runner import KV, Actor, Alarm, Request, Response, Runner
from rivet_runner._connection.environment import environment
from rivet_runner.actors._schedule.scheduler import Scheduler
from rivet_runner.actors._types.signature import Signature
from rivet_runner.actors.schedule import Schedule
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["Planner", "Program", "planned"]


class Program:
    """What a test's actor does. A test derives from it, and adds the methods that it schedules."""

    def __init__(self, actor: Actor, schedule: Schedule, notes: Notes) -> None:
        self.actor = actor
        self.schedule = schedule
        self.notes = notes

    async def on_start(self) -> None:
        """Runs before anything that is scheduled."""

    async def on_stop(self) -> None:
        """Runs after the scheduler was stopped."""

    def note(self, what: str) -> None:
        """Note ``what``, with the generation and the time."""
        self.notes.append((what, self.actor.generation, self.actor.now()))

    async def ping(self, text: str = "ping") -> None:
        self.note(text)

    async def hang(self) -> None:
        self.note("begin")
        try:
            await asyncio.sleep(3600)
        finally:
            self.note("end")

    async def fail(self) -> None:
        self.note("fail")
        raise ValueError("no")


_signature = functools.cache(Signature)
Notes = list[tuple[str, int, datetime]]
ProgramT = TypeVar("ProgramT", bound=Program)


class _Host:
    """The scheduler's view of one generation."""

    def __init__(self, runner: Planner, actor: Actor) -> None:
        self._runner = runner
        self.actor = actor
        self.kv: KV = actor.kv.area("schedule")
        self.scheduler = Scheduler(self)
        self.program = runner.program(actor, Schedule(self.scheduler), runner.notes)

    def method(self, name: str) -> Callable[..., Awaitable[Any]] | None:
        return getattr(self.program, name, None) if name not in self._runner.gone else None

    def bind(self, method: str, args: list[Any]) -> list[Any]:
        return _signature(getattr(type(self.program), method)).bind(args)

    async def ran(self) -> None:
        await self._runner.on_ran(self.actor)

    async def failed(self, error: Exception, method: str) -> None:
        self._runner.failures.append((method, error))


async def _nothing(_: Actor) -> None:
    pass


class Planner(Runner):
    """``notes`` has what the programs of all generations noted, and ``failures`` what was given up."""

    def __init__(self, program: type[Program] = Program, **options: Any) -> None:
        super().__init__(**options)
        self.program = program
        self.notes: Notes = []
        self.failures: list[tuple[str, Exception]] = []
        self.gone: set[str] = set()
        """Methods that a newer version of the program does not have."""
        self.on_ran: Callable[[Actor], Awaitable[None]] = _nothing
        self.clock_error_ms = 0
        """By how much the clock of this machine is ahead of the engine's."""
        self._hosts: dict[str, _Host] = {}

    async def start(self) -> None:
        usual = environment.get()
        environment.set(dataclasses.replace(usual, now_ms=lambda: usual.now_ms() + self.clock_error_ms))
        await super().start()

    @property
    def noted(self) -> list[str]:
        return [what for what, _, _ in self.notes]

    async def on_actor_start(self, actor: Actor) -> None:
        host = self._hosts[actor.id] = _Host(self, actor)
        await host.scheduler.load()
        await host.program.on_start()
        host.scheduler.start()

    async def on_actor_stop(self, actor: Actor) -> None:
        host = self._hosts[actor.id]
        await host.scheduler.stop()
        await host.program.on_stop()

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
        await self._hosts[actor.id].scheduler.on_alarm(alarm)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return Response("awake")

    async def stored(self, actor: SimulatedActorHandle) -> list[bytes]:
        """The keys that are stored for the schedule of an actor that is awake."""
        return [*await self._hosts[actor.id].kv.list()]

    def program_of(self, actor: Actor) -> Program:
        return self._hosts[actor.id].program

    def of(self, actor: SimulatedActorHandle, kind: type[ProgramT]) -> ProgramT:
        """The program of the actor's present generation, or of the last one."""
        program = self._hosts[actor.id].program
        assert isinstance(program, kind)
        return program


@asynccontextmanager
async def planned(
    kind: type[ProgramT], **options: Any
) -> AsyncIterator[tuple[SimulatedEngine, Planner, SimulatedActorHandle, ProgramT]]:
    """An engine on virtual time, a runner, and an awake actor with its program."""
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Planner(kind, **options)) as runner:
        actor = await engine.create("planned")
        await actor.request("GET", "/")
        yield engine, runner, actor, runner.of(actor, kind)
