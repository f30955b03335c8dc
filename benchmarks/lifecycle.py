"""The life of actors as a client of a real engine sees it: made and asked, asleep, awake again.

One actor follows the other without a pause. A runner of protocol 3 spaces the events of its actors, and only the first one
after a pause leaves at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Final, Protocol

from benchmarks.measure import MICROSECONDS, Sample
from rivet_runner.testing import ActorInfo, HttpResponse

__all__ = ["STEPS", "Api", "lifecycle_sample"]

STEPS: Final = ("create", "sleep", "wake")
"""The figures of a sample."""

POLL_SECONDS: Final = 0.002
SLEEP_SECONDS: Final = 30.0
"""After which an actor counts as one that never falls asleep."""


class Api(Protocol):
    """What a turn needs of `EngineApi`."""

    async def create_actor(self, name: str, *, runner_name: str) -> ActorInfo: ...

    async def get_actor(self, actor_id: str) -> ActorInfo: ...

    async def request(self, actor_id: str, method: str, path: str) -> HttpResponse: ...


async def lifecycle_sample(api: Api, runner_name: str, count: int, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """The median time of each step for ``count`` actors, one after the other. They stay awake afterwards.

    An actor is asleep when the engine says so. It is awake when it has answered the request that wakes it. Raises
    `RuntimeError` for an answer other than 200, and `TimeoutError` if an actor does not fall asleep.
    """
    lives = [await _life(api, runner_name, clock) for _ in range(count)]
    return {step: MICROSECONDS * median(times) for step, times in zip(STEPS, zip(*lives, strict=True), strict=True)}


async def _life(api: Api, runner_name: str, clock: Callable[[], float]) -> tuple[float, float, float]:
    """Seconds of each step."""
    began = clock()
    actor_id = (await api.create_actor("lifecycle", runner_name=runner_name)).actor_id
    await _ask(api, actor_id, "GET")
    answered = clock()
    await _ask(api, actor_id, "POST")
    async with asyncio.timeout(SLEEP_SECONDS):
        while not _asleep(await api.get_actor(actor_id)):
            await asyncio.sleep(POLL_SECONDS)
    asleep = clock()
    await _ask(api, actor_id, "GET")
    return answered - began, asleep - answered, clock() - asleep


async def _ask(api: Api, actor_id: str, method: str) -> None:
    response = await api.request(actor_id, method, "/")
    if response.status != 200:
        raise RuntimeError(f"actor {actor_id} answered {method} with status {response.status}: {response.body[:200]!r}")


def _asleep(actor: ActorInfo) -> bool:
    return actor.sleep_ts is not None and actor.connectable_ts is None
