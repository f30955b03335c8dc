"""Calls that are scheduled, while connections break, calls fail, clocks jump, runners die and actors sleep.

Each seed is a history of its own. Whatever happens, each call that was acknowledged is made at least once, none is made
before its time, no two ticks of a recurring one overlap on a runner, and the ticks go on once the faults are over.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest

from rivet_runner import Actor, Request, Response, RivetRunnerError
from rivet_runner.testing import Faults, SimulatedActorHandle, SimulatedEngine
from tests.actors.schedule.planner import Notes, Planner, Program
from tests.simulated.rooms import virtual

pytestmark = pytest.mark.both_protocols

FAULTY_SECONDS = 240.0
QUIET_SECONDS = 400.0
EARLY_SECONDS = 0.05


class Jobs(Program):
    """Does jobs that clients ask for, and ticks."""

    ticking = False

    async def on_start(self) -> None:
        await self.schedule.every("tick", 7, self.tick)

    async def tick(self) -> None:
        assert not self.ticking, "two ticks overlap"
        self.ticking = True
        self.note("tick")
        await asyncio.sleep(3)
        self.ticking = False

    async def job(self, number: int, due: float) -> None:
        early = due - self.actor.now().timestamp()
        assert early <= EARLY_SECONDS, f"job {number} is {early} s early"
        await asyncio.sleep(number % 5)
        self.note(f"job {number}")


class JobRunner(Planner):
    """``PUT /{number}/{seconds}`` asks for a job."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        number, seconds = request.path.strip("/").split("/")
        program = self.program_of(actor)
        assert isinstance(program, Jobs)
        due = actor.now() + timedelta(seconds=float(seconds))
        await program.schedule.at(due, program.job, int(number), due.timestamp(), retries=20)
        return Response("scheduled", status=201)


async def ask(actor: SimulatedActorHandle, chance: random.Random) -> set[int]:
    """Ask for jobs, and put the actor to sleep now and then. Return the jobs that were acknowledged."""
    acknowledged: set[int] = set()
    loop = asyncio.get_running_loop()
    end = loop.time() + FAULTY_SECONDS
    number = 0
    while loop.time() < end:
        await asyncio.sleep(chance.expovariate(0.3))
        number += 1
        with suppress(RivetRunnerError, OSError, TimeoutError):
            async with asyncio.timeout(20):
                answer = await actor.request("PUT", f"/{number}/{chance.uniform(0, 60):.3f}")
                if answer.status == 201:
                    acknowledged.add(number)
                if chance.random() < 0.1:
                    await actor.sleep()
    return acknowledged


async def host(engine: SimulatedEngine, notes: Notes, failures: list[tuple[str, Exception]], chance: random.Random) -> None:
    """Host the actor on one runner after the other. Some are killed, and the others shut down."""
    end = asyncio.get_running_loop().time() + FAULTY_SECONDS
    while True:
        runner = JobRunner(Jobs, actor_stop_timeout=10)
        runner.notes, runner.failures = notes, failures
        async with engine.host(runner):
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                await asyncio.Event().wait()
            await asyncio.sleep(min(chance.uniform(10, 120), left))
            if chance.random() < 0.5:
                await engine.kill(runner)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize("crashes", [0.0, 1.0])
@virtual
async def test_each_acknowledged_job_is_done_whatever_happens(crashes: float, seed: int) -> None:
    # With protocol 3, the engine waits half an hour for an actor whose stop it dropped, as it may with a late event.
    faults = Faults(until=FAULTY_SECONDS, crashes=crashes, clock_steps=0.0, late_events=0.0)
    notes: Notes = []
    failures: list[tuple[str, Exception]] = []
    async with SimulatedEngine(seed=seed, clock="virtual", faults=faults) as engine:
        hosting = asyncio.ensure_future(host(engine, notes, failures, random.Random(seed + 1)))
        actor = await engine.create("jobs")
        asking = asyncio.ensure_future(ask(actor, random.Random(seed)))
        await engine.advance(FAULTY_SECONDS + QUIET_SECONDS)
        if crashes:  # an alarm that was due while a crashed engine had not given the runner up wakes nothing
            await actor.wake()
            await engine.advance(QUIET_SECONDS)
        assert len(acknowledged := asking.result()) > 3
        done = Counter(what for what, _, _ in notes)
        assert [number for number in sorted(acknowledged) if not done[f"job {number}"]] == []
        assert failures == []
        last_tick = max(at for what, _, at in notes if what == "tick")
        assert (engine.now() - last_tick).total_seconds() < 15
        assert not hosting.done(), hosting
        hosting.cancel()
        await asyncio.wait([hosting])
