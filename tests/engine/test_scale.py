"""Many actors on one runner."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Iterable

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, EngineApiError
from tests.engine.support import OwnEngine, hosting

# Fewer for a quick look, or on a machine that is busy otherwise.
ACTORS = int(os.environ.get("RIVET_SCALE_ACTORS", "1000"))
# Calls under way at a time: the engine is the bottleneck, and more of them only make each one slower.
AT_ONCE = 8
SECONDS = 480.0
RUNNER = "many"
GIVEN_UP = {"actor_ready_timeout", "route_dispatch_timeout", "route_subscribe_timeout"}
"""What the gateway answers for an actor that was not ready, or not found, in time."""


async def create(api: EngineApi) -> str:
    while True:
        try:
            return (await api.create_actor("many", runner_name=RUNNER)).actor_id
        except EngineApiError as error:
            # What an engine says that has no time left; the actor may have been created.
            if error.code != "internal_error":
                raise


async def ask(api: EngineApi, actor_id: str) -> str:
    """On a busy machine the gateway gives up now and then, though the actor is there: see `GIVEN_UP`."""
    while (response := await api.request(actor_id, "GET", "/")).status != 200:
        assert response.json()["code"] in GIVEN_UP
    assert response.text() == actor_id
    return actor_id


async def created_and_asked(api: EngineApi) -> str:
    """The engine takes creations faster than starts, and an actor whose start has waited for 30 s is taken for lost."""
    return await ask(api, await create(api))


async def few_at_once(calls: Iterable[Callable[[], Awaitable[str]]]) -> list[str]:
    room = asyncio.Semaphore(AT_ONCE)

    async def call(one: Callable[[], Awaitable[str]]) -> str:
        async with room:
            return await one()

    return await asyncio.gather(*map(call, calls))


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
async def test_all_answer_when_one_runner_has_1000_actors(own_engine: OwnEngine) -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(actor.id)

    # An engine that has lost a runner with so many actors is busy with them for a while: it serves no other test.
    async with asyncio.timeout(SECONDS), own_engine() as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(RUNNER)
        async with hosting(engine, RUNNER, fetch=fetch, seconds=SECONDS) as runner:
            began = asyncio.get_running_loop().time()
            ids = {*await few_at_once([functools.partial(created_and_asked, api)] * ACTORS)}
            print(f"\n{ACTORS} actors: each has answered after {asyncio.get_running_loop().time() - began:.1f} s")
            assert len(ids) == ACTORS
            assert ids <= set(runner.actors), "all are there at once"
            assert {*await few_at_once([functools.partial(ask, api, actor_id) for actor_id in ids])} == ids
            print(f"and once more after {asyncio.get_running_loop().time() - began:.1f} s")
            began = asyncio.get_running_loop().time()
            await runner.shutdown(immediate=True)
            assert asyncio.get_running_loop().time() - began < 60
        for actor_id in ids:
            calls = [call[0] for call in runner.calls if call[1] == actor_id]
            assert calls == ["start", "stop"] * (len(calls) // 2)
