"""One restart: an engine, an application and an actor; then the kill, the restart, and looks until all is well again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from reliability.background import in_background
from reliability.race.heart import HEART, HELD, Heart, Journal
from reliability.race.probes import OldSocket, Outcome, Sample, look, outcome_of, probes_for
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import EngineApi, LocalEngine
from tests.support.uvicorn_server import served

__all__ = ["Trial", "run_trial"]

POOL: Final = "race"
BEATS_BEFORE: Final = 4
LONGEST_BEAT: Final = 0.6
"""Seconds between two beats from which on the heart has missed one."""

LONGEST_LOOK: Final = 90.0
"""Seconds after the kill."""


class Trial(NamedTuple):
    """The outcome of one restart, and figures of it by their titles."""

    signal: str
    outcomes: dict[str, Outcome]
    facts: dict[str, float]


async def run_trial(signal: str, offset: float, lost_threshold: int | None) -> Trial:
    """Restart an engine with fresh data, ``offset`` seconds after a beat of the heart.

    ``lost_threshold`` is the engine's ``runner_lost_threshold`` in milliseconds; `None` leaves its own.
    """
    journal = Journal()
    config = {} if lost_threshold is None else {"pegboard": {"runner_lost_threshold": lost_threshold}}
    async with LocalEngine(config) as engine, served(serverless_app(Heart, journal=journal)) as url:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(POOL, serverless_url=url)
        actor = await api.create_actor(HEART, runner_name=POOL, crash_policy="restart")
        await api.wait_connectable(actor.actor_id)
        old_socket = OldSocket(await api.websocket(actor.actor_id, HELD, close_timeout=1))
        async with in_background(old_socket.run()):
            for _ in range(BEATS_BEFORE):
                await asyncio.wait_for(journal.beat.wait(), 30)
            await asyncio.wait_for(old_socket.beat.wait(), 30)
            await asyncio.sleep(offset)
            kill_time = time.monotonic()
            probes = probes_for(api, POOL, actor.actor_id)
            looks: dict[str, list[Sample]] = {name: [] for name in probes}
            async with in_background(*(look(attempt, looks[name], kill_time) for name, attempt in probes.items())):
                exited, ready = await _restart(engine, signal, kill_time)
                await _until_stable([*looks.values()], journal, kill_time)
            outcomes = {name: outcome_of(samples) for name, samples in looks.items()}
            outcomes["old WebSocket"] = outcome_of(old_socket.samples(kill_time))
            outcomes["heartbeat in KV"] = outcome_of(_heartbeat(journal, kill_time))
            facts = {
                "engine had ended, s": exited,
                "engine answered again, s": ready,
                "runners that `/start` made after the signal": sum(made > kill_time for made in journal.runners),
                "generations of the actor": len(journal.lives),
                "two generations alive at once, s": journal.overlap(),
                "times the counter went backwards": journal.backwards,
                "times the counter skipped": journal.skipped,
            }
    return Trial(signal, outcomes, facts)


async def _restart(engine: LocalEngine, name: str, kill_time: float) -> tuple[float, float]:
    await (engine.kill() if name == "SIGKILL" else engine.stop())
    exited = time.monotonic() - kill_time
    await engine.start()
    return exited, time.monotonic() - kill_time


async def _until_stable(looks: Sequence[Sequence[Sample]], journal: Journal, kill_time: float) -> None:
    while time.monotonic() - kill_time < LONGEST_LOOK:
        await asyncio.sleep(0.5)
        outcomes = map(outcome_of, [*looks, _heartbeat(journal, kill_time)])
        if all(outcome.stable_success is not None for outcome in outcomes):
            return


def _heartbeat(journal: Journal, kill_time: float) -> list[Sample]:
    """A beat is a success. A gap before the next one, or before now, is a failure that began with the gap."""
    samples = []
    times = [beat - kill_time for beat in journal.beats] + [time.monotonic() - kill_time]
    for before, beat in itertools.pairwise(times):
        if before >= 0:
            samples.append(Sample(before, 0.0))
        if beat >= 0 and beat - before > LONGEST_BEAT:
            samples.append(Sample(max(before, 0.0) + 1e-6, beat - max(before, 0.0), "missed"))
    return samples
