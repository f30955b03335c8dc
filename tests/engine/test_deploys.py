"""The table of crash policies in the guide about deploys."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi
from rivet_runner.testing.engine_api import CrashPolicy
from tests.engine.support import Engine, answered, hosting
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


async def _count(actor: Actor, request: Request) -> Response:
    count = int(await actor.kv.get(b"count") or 0) + 1
    await actor.kv.put(b"count", str(count).encode())
    return Response(str(count))


@pytest.mark.parametrize("policy", ["sleep", "restart", "destroy"])
async def test_actor_fares_as_its_policy_says_when_its_runner_shuts_down(
    engine: Engine, api: EngineApi, runner_name: str, policy: CrashPolicy
) -> None:
    async with hosting(engine, runner_name, version=1, fetch=_count) as old:
        actor = await old.new_actor(api, crash_policy=policy)
        assert (await answered(api, actor.id)).text() == "1"
        async with hosting(engine, runner_name, version=2, fetch=_count) as new:
            await old.shutdown()
            if policy == "destroy":
                await api.wait_destroyed(actor.id)
                return
            if policy == "sleep":
                await api.wait_sleeping(actor.id)
                await asyncio.sleep(0.5)
                assert actor.id not in new.actors
            else:
                await eventually(lambda: actor.id in new.actors)
            assert (await answered(api, actor.id)).text() == "2"
            assert actor.id in new.actors


@pytest.mark.parametrize("policy", ["sleep", "restart", "destroy"])
async def test_actor_sleeps_with_every_policy_when_it_asks_to(
    engine: Engine, api: EngineApi, runner_name: str, policy: CrashPolicy
) -> None:
    async with hosting(engine, runner_name, fetch=_count) as runner:
        actor = await runner.new_actor(api, crash_policy=policy)
        assert (await answered(api, actor.id)).text() == "1"
        await runner.put_to_sleep(api, actor)
        assert (await answered(api, actor.id)).text() == "2"
