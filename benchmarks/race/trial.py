"""One restart: an engine, an application, an actor; then the kill, the restart, and looking until all is well again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from benchmarks.race.heart import HEART, HELD, Heart, Journal, Life
from benchmarks.race.probes import OLD_SOCKET, OldSocket, Probe, probes_for
from benchmarks.race.samples import Outcome, Sample, outcome_of
from benchmarks.race.server import StartRequest, StartRequests
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.engine_api import CrashPolicy
from tests.support.uvicorn_server import served

__all__ = ["HEARTBEAT", "Plan", "Trial", "run_trial"]

HEARTBEAT: Final = "heartbeat in KV"
POOL: Final = "race"
BEATS_BEFORE: Final = 4
LONGEST_BEAT: Final = 0.6
"""Seconds between two beats from which on the heart has missed one."""


class Plan(msgspec.Struct, frozen=True):
    """What is done to the engine: the signal, and how many seconds after a beat."""

    signal: str
    offset: float
    crash_policy: CrashPolicy
    longest: float
    """Seconds of looking, at most."""
    lost_threshold: int | None = None
    """The engine's ``runner_lost_threshold`` in milliseconds; none leaves its own."""


class Trial(msgspec.Struct):
    """What was seen. Times are seconds after the kill."""

    plan: Plan
    exited: float
    ready: float
    """When the engine had ended, and when it answered again."""
    samples: dict[str, list[Sample]]
    outcomes: dict[str, Outcome]
    lives: list[Life]
    starts: list[StartRequest]
    overlap: float
    """Seconds for which two generations of the actor were alive at once."""
    backwards: int
    skipped: int

    @property
    def runners_after(self) -> int:
        """How many runners ``/start`` made after the kill."""
        return sum(start.status == 200 and start.began > 0 for start in self.starts)


async def run_trial(plan: Plan) -> Trial:
    """Carry ``plan`` out on an engine with fresh data."""
    journal = Journal()
    app = serverless_app(Heart, journal=journal)
    starts = StartRequests(app)
    config = {} if plan.lost_threshold is None else {"pegboard": {"runner_lost_threshold": plan.lost_threshold}}
    async with LocalEngine(config) as engine, served(starts, drained=[app]) as url:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(POOL, serverless_url=url)
        actor = await api.create_actor(HEART, runner_name=POOL, crash_policy=plan.crash_policy)
        async with _held_socket(api, actor.actor_id) as old_socket:
            for _ in range(BEATS_BEFORE):
                await asyncio.wait_for(journal.beat.wait(), 30)
            await asyncio.wait_for(old_socket.beat.wait(), 30)
            await asyncio.sleep(plan.offset)
            kill_time = time.monotonic()
            probes = probes_for(api, POOL, actor.actor_id, kill_time)
            looking = [asyncio.create_task(probe.run()) for probe in probes]
            try:
                exited, ready = await _restart(engine, plan.signal, kill_time)
                await _until_stable(probes, journal, kill_time, plan.longest)
            finally:
                for task in looking:
                    task.cancel()
                await asyncio.gather(*looking, return_exceptions=True)
            overlap = journal.overlap()
            samples = _all_samples(probes, old_socket, journal, kill_time)
            lives = [_life_after(life, kill_time) for life in journal.lives]
            requests = [_request_after(request, kill_time) for request in starts.requests]
    outcomes = {name: outcome_of(seen) for name, seen in samples.items()}
    return Trial(plan, exited, ready, samples, outcomes, lives, requests, overlap, journal.backwards, journal.skipped)


@contextlib.asynccontextmanager
async def _held_socket(api: EngineApi, actor_id: str) -> AsyncIterator[OldSocket]:
    await api.wait_connectable(actor_id)
    connection = await api.websocket(actor_id, HELD, close_timeout=1)
    socket = OldSocket(connection)
    reading = asyncio.create_task(socket.run())
    try:
        yield socket
    finally:
        connection.transport.abort()
        await reading


async def _restart(engine: LocalEngine, name: str, kill_time: float) -> tuple[float, float]:
    if name == "SIGKILL":
        await engine.kill()
    else:
        engine.process.send_signal(signal.Signals[name])
        await engine.stop()
    exited = time.monotonic() - kill_time
    await engine.start()
    return exited, time.monotonic() - kill_time


async def _until_stable(probes: Sequence[Probe], journal: Journal, kill_time: float, longest: float) -> None:
    while time.monotonic() - kill_time < longest:
        await asyncio.sleep(0.5)
        looks = [probe.samples for probe in probes] + [_heartbeat(journal, kill_time)]
        if all(outcome_of(look).stable_success is not None for look in looks):
            return


def _heartbeat(journal: Journal, kill_time: float) -> list[Sample]:
    """A beat is a success; a gap before the next one, or before now, is a failure that began with the gap."""
    samples = []
    times = [beat - kill_time for beat in journal.beats] + [time.monotonic() - kill_time]
    for before, beat in itertools.pairwise(times):
        if before >= 0:
            samples.append(Sample(before, 0.0))
        if beat >= 0 and beat - before > LONGEST_BEAT:
            samples.append(Sample(max(before, 0.0) + 1e-6, beat - max(before, 0.0), "missed"))
    return samples


def _all_samples(
    probes: Sequence[Probe], old_socket: OldSocket, journal: Journal, kill_time: float
) -> dict[str, list[Sample]]:
    samples = {probe.name: probe.samples for probe in probes}
    samples[OLD_SOCKET] = old_socket.samples(kill_time)
    samples[HEARTBEAT] = _heartbeat(journal, kill_time)
    return samples


def _life_after(life: Life, kill_time: float) -> Life:
    ended = None if life.ended is None else life.ended - kill_time
    return Life(life.generation, life.began - kill_time, life.found, ended)


def _request_after(request: StartRequest, kill_time: float) -> StartRequest:
    ended = None if request.ended is None else request.ended - kill_time
    return StartRequest(request.began - kill_time, request.status, ended)
