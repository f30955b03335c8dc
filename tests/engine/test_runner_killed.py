"""A runner's process is killed while it hosts: its actors come back on a second runner, with what they had stored."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from rivet_runner import Actor
from rivet_runner.testing import EngineApi
from rivet_runner.testing.engine_api import CrashPolicy
from tests.engine.support import Engine, OwnEngine, Program, answered, hosting

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("the runner is a process of its own")]

LOST_SECONDS: Final = 5.0
"""After which this engine gives up a runner; 15 by default. In version 7 it hears of a runner every 3 s: less won't do."""

PROGRAM: Final = """
import asyncio, itertools, json, sys
from rivet_runner import Response, Runner

class Counting(Runner):
    async def on_connected(self):
        print("connected")

    async def on_actor_start(self, actor):
        actor.spawn(self.count(actor))

    async def count(self, actor):
        for number in itertools.count():
            await actor.kv.put(b"%06d" % number, b"")
            print(f"stored {actor.id} {number}\\n", end="")  # one write: the kill must not tear the line
            await asyncio.sleep(0.005)

    async def fetch(self, actor, request):
        return Response("here")

Counting(**json.loads(sys.argv[1])).run()
"""


@pytest.fixture
async def hasty_engine(own_engine: OwnEngine) -> AsyncIterator[Engine]:
    """An engine of its own that gives a runner up soon."""
    milliseconds = int(LOST_SECONDS * 1000)
    async with own_engine(runner_lost_threshold=milliseconds, runner_eligible_threshold=milliseconds) as engine:
        yield engine


def stored_by(process: Program, actor_id: str) -> set[bytes]:
    """The keys whose put had returned, as the process itself said before it died."""
    words = [line.split() for line in process.out]
    return {b"%06d" % int(line[2]) for line in words if line[:2] == ["stored", actor_id]}


@pytest.mark.parametrize("policy", ["sleep", "restart"])
@pytest.mark.parametrize("second_is_there", [True, False], ids=["second runner waits", "second runner comes later"])
async def test_actors_come_back_on_a_second_runner_when_the_first_is_killed(
    hasty_engine: Engine, protocol: int, policy: CrashPolicy, second_is_there: bool
) -> None:
    engine, name = hasty_engine, "killed"
    api = EngineApi(engine.endpoint)
    await api.upsert_runner_config(name)
    async with contextlib.AsyncExitStack() as stack:
        options = json.dumps({"endpoint": engine.endpoint, "runner_name": name, "protocol": protocol})
        first = await stack.enter_async_context(Program("-c", PROGRAM, options, seconds=300))
        await first.printed("connected")
        actor_ids = [(await api.create_actor("a", runner_name=name, crash_policy=policy)).actor_id for _ in range(3)]
        for actor_id in actor_ids:
            await answered(api, actor_id)
            await first.printed(f"stored {actor_id} 20")
        if second_is_there:
            second = await stack.enter_async_context(hosting(engine, name, seconds=300))
        first.signal(signal.SIGKILL)
        began = time.monotonic()
        assert await first.exit_code() == -signal.SIGKILL
        if not second_is_there:
            second = await stack.enter_async_context(hosting(engine, name, seconds=300))
        await asyncio.gather(*(answered(api, actor_id) for actor_id in actor_ids))
        print(f"\n{policy}: all actors answered {time.monotonic() - began:.1f} s after the kill")
        for actor_id in actor_ids:
            await check_what_was_stored(second.actors[actor_id], stored_by(first, actor_id))


async def check_what_was_stored(actor: Actor, stored: set[bytes]) -> None:
    """Everything that was confirmed is there; of what was under way, the next one at most."""
    found = set(await actor.kv.list())
    assert len(stored) > 20
    assert stored <= found
    assert len(found) <= len(stored) + 1, "a put that has returned was not reported"
    assert actor.generation >= 1
