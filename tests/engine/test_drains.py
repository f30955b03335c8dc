"""A drain of one runner beside another one: no two generations of an actor are ever at work at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, Probe, answered, hosting

pytestmark = pytest.mark.both_protocols

LONG_SECONDS = 27.0
"""More than the 15 s after which the engine gives up a draining runner that says nothing."""


@dataclass
class Span:
    """The time for which one generation was at work: from its start until its last hook ended."""

    actor_id: str
    generation: int
    began: float
    ended: float


class Spans:
    """Notes when each generation was at work."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, int], Span] = {}

    def note(self, actor: Actor) -> None:
        now = asyncio.get_running_loop().time()
        span = self._spans.setdefault((actor.id, actor.generation), Span(actor.id, actor.generation, now, now))
        span.ended = now

    def of(self, actor_id: str) -> list[Span]:
        return sorted((span for span in self._spans.values() if span.actor_id == actor_id), key=lambda span: span.began)

    def overlaps(self, actor_id: str) -> list[tuple[Span, Span]]:
        return [(first, second) for first, second in pairwise(self.of(actor_id)) if second.began < first.ended]


class Slow:
    """Hooks that take longer in the first generation: a request of the one actor, and ``on_actor_stop`` of the other."""

    def __init__(self) -> None:
        self.spans = Spans()

    async def start(self, actor: Actor) -> None:
        self.spans.note(actor)

    async def stop(self, actor: Actor) -> None:
        if actor.name == "slow-stop" and actor.generation == 0:
            await asyncio.sleep(LONG_SECONDS)
        self.spans.note(actor)

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.path == "/long":
            await asyncio.sleep(LONG_SECONDS)
        self.spans.note(actor)
        return Response(str(actor.generation))

    def options(self) -> dict[str, Any]:
        return {"on_start": self.start, "on_stop": self.stop, "fetch": self.fetch, "actor_stop_timeout": 40}


async def test_generations_do_not_overlap_when_a_drain_takes_longer_than_the_engine_waits(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    slow = Slow()
    first = Probe(endpoint=engine.endpoint, runner_name=runner_name, **slow.options())
    await first.start()
    actors = [
        (await api.create_ready_actor(name, runner_name=runner_name, crash_policy="restart")).actor_id
        for name in ("slow-request", "slow-stop")
    ]
    for actor_id in actors:
        await answered(api, actor_id)
    request = asyncio.create_task(api.request(actors[0], "GET", "/long"))
    await asyncio.sleep(0.5)
    async with hosting(engine, runner_name, seconds=300, **slow.options()):
        began = asyncio.get_running_loop().time()
        await first.shutdown()
        assert asyncio.get_running_loop().time() - began > LONG_SECONDS - 1.5, "the engine did not cut it short"
        assert (await request).text() == "0", "it was answered by the generation that got it"
        for actor_id in actors:
            await answered(api, actor_id)
    for actor_id in actors:
        assert len(slow.spans.of(actor_id)) >= 2, "the actor goes on elsewhere"
        assert slow.spans.overlaps(actor_id) == []
