"""Many actors on one runner."""

from __future__ import annotations

import asyncio
import itertools
import os
import time

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, EngineApiError, LocalEngine
from tests.engine.support import eventually, hosting

# Fewer for a quick look, or on a machine that is busy otherwise.
ACTORS = int(os.environ.get("RIVET_SCALE_ACTORS", "1000"))
# Calls under way at a time: the engine is the bottleneck, and more of them only make each one slower.
AT_ONCE = 8
SECONDS = 240.0


async def test_all_answer_when_one_runner_has_1000_actors(engine: LocalEngine, api: EngineApi, runner_name: str) -> None:
    started: set[str] = set()

    async def on_start(actor: Actor) -> None:
        started.add(actor.id)

    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(actor.id)

    room = asyncio.Semaphore(AT_ONCE)

    async def create() -> str:
        async with room:
            while True:
                try:
                    return (await api.create_actor("many", runner_name=runner_name)).actor_id
                except EngineApiError as error:
                    # What an engine says that has no time left; the actor may have been created.
                    if error.code != "internal_error":
                        raise

    async def ask(actor_id: str) -> None:
        """The gateway gives up on an actor that is not ready within 10 s, which on a busy machine may be too short."""
        async with room:
            while (response := await api.request(actor_id, "GET", "/")).status != 200:
                assert response.json()["code"] == "actor_ready_timeout"
            assert response.text() == actor_id

    async with (
        asyncio.timeout(SECONDS),
        hosting(engine, runner_name, on_start=on_start, fetch=fetch, seconds=SECONDS) as runner,
    ):
        times = [time.monotonic()]
        ids = await asyncio.gather(*(create() for _ in range(ACTORS)))
        times.append(time.monotonic())
        await eventually(lambda: all(actor_id in started for actor_id in ids), SECONDS)
        times.append(time.monotonic())
        await asyncio.gather(*map(ask, ids))
        times.append(time.monotonic())
        assert set(ids) <= set(runner.actors)
        await runner.shutdown(immediate=True)
        times.append(time.monotonic())
        creating, starting, answering, stopping = (after - before for before, after in itertools.pairwise(times))
        print(
            f"\n{ACTORS} actors: created in {creating:.1f} s, the last started {starting:.1f} s later, "
            f"all answered in {answering:.1f} s, stopped at once in {stopping:.1f} s"
        )
        for actor_id in ids:
            calls = [call[0] for call in runner.calls if call[1] == actor_id]
            assert calls == ["start", "stop"] * (len(calls) // 2)
        assert stopping < 10
