"""The process of typed actors is killed under load, again and again: what they have acknowledged is in their state."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import signal
from collections.abc import AsyncIterator
from typing import Final

import pytest

from rivet_runner.actors import ActorError, Client, ClientError
from rivet_runner.actors.client import ActorHandle
from rivet_runner.actors.live_connection import LiveConnection
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, OwnEngine, Program
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_time("the runner is a process of its own")]

LOST_SECONDS: Final = 5.0
"""After which this engine gives up a runner; 15 by default. In version 7 it hears of a runner every 3 s: less won't do."""

KILLS: Final = 2

RECORDED_SECONDS: Final = 3.0
"""After which the record of a new connection is stored, also on a busy machine: usually it takes 0.25 s. A client whose
runner is killed before that has to connect anew."""

PROGRAM: Final = """
import asyncio, json, sys
import msgspec
from rivet_runner.actors import App, DurableActor, action

class State(msgspec.Struct):
    done: dict[str, int] = {}

class Tally(DurableActor[State]):
    sleep_after = None
    save_interval = 0.3

    @action
    async def add(self, call: str, saved: bool) -> None:
        await asyncio.sleep(0.01)
        self.state.done[call] = self.state.done.get(call, 0) + 1
        if saved:
            await self.save()

    @action
    async def add_later(self, call: str, seconds: float) -> None:
        await self.schedule.after(seconds, self.add, call, False)

    @action
    async def report(self) -> list[str]:
        return list(self.state.done)

App(Tally, **json.loads(sys.argv[1])).run()
"""


class Load:
    """Calls of one actor. Each has an id of its own."""

    def __init__(self, actor: ActorHandle[object]) -> None:
        self._actor = actor
        self._numbers = itertools.count()
        self.answered: set[str] = set()
        """By HTTP, after the state was saved or the call scheduled."""
        self.heard: set[str] = set()
        """Answered over a connection."""
        self.over = False
        """Whether no further call begins."""

    def _new(self, kind: str) -> str:
        return f"{kind}-{next(self._numbers)}"

    async def by_http(self, action: str, option: object) -> None:
        while not self.over:
            call = self._new(action)
            try:
                async with asyncio.timeout(2):
                    await self._actor.call(action, call, option)
            except (ActorError, ClientError, TimeoutError):
                await asyncio.sleep(0.1)
                continue
            self.answered.add(call)

    async def over_connection(self, live: LiveConnection[object]) -> None:
        """Call, one call at a time, and await each answer. The connection outlives the kills."""
        while not self.over:
            call = self._new("live")
            await live.call("add", call, False)
            self.heard.add(call)


@pytest.fixture
async def hasty_engine(own_engine: OwnEngine) -> AsyncIterator[Engine]:
    """An engine of its own that gives a runner up soon."""
    milliseconds = int(LOST_SECONDS * 1000)
    async with own_engine(runner_lost_threshold=milliseconds, runner_eligible_threshold=milliseconds) as engine:
        yield engine


async def works(actor: ActorHandle[object]) -> bool:
    """Whether the actor answers."""
    try:
        async with asyncio.timeout(5):
            await actor.call("report")
    except (ActorError, ClientError, TimeoutError):
        return False
    return True


async def test_the_state_has_every_acknowledged_call_after_kills(hasty_engine: Engine, protocol: int) -> None:
    chance = random.Random(protocol)
    name = "killed"
    await EngineApi(hasty_engine.endpoint).upsert_runner_config(name)
    options = json.dumps({"endpoint": hasty_engine.endpoint, "runner_name": name, "protocol": protocol})
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(hasty_engine.endpoint, pool=name))
        actor = client.get_or_create("tally", "one")
        load = Load(actor)
        process = await stack.enter_async_context(Program("-c", PROGRAM, options, seconds=300))
        await eventually(lambda: works(actor), every=0.2, what="an answer of the first process")
        lives = [await stack.enter_async_context(actor.connect()) for _ in range(3)]
        ids = [live.id for live in lives]
        await asyncio.sleep(RECORDED_SECONDS)
        calls = [asyncio.create_task(load.over_connection(live)) for live in lives for _ in range(4)]
        calls += [asyncio.create_task(load.by_http("add", True)) for _ in range(2)]
        calls += [asyncio.create_task(load.by_http("add_later", 0.5))]
        for _ in range(KILLS):
            before = len(load.heard)
            await eventually(lambda before=before: len(load.heard) > before + 10, what="calls under way")
            await asyncio.sleep(chance.uniform(0, 0.5))
            process.signal(signal.SIGKILL)
            assert await process.exit_code() == -signal.SIGKILL
            process = await stack.enter_async_context(Program("-c", PROGRAM, options, seconds=300))
        await eventually(lambda: works(actor), every=0.2, what="an answer of the last process")
        load.over = True
        await asyncio.gather(*calls)
        assert [live.id for live in lives] == ids, "the connections have outlived the kills"
        done: set[str] = set()

        async def all_is_done() -> bool:
            """What was scheduled last runs a while after its call."""
            done.update(await actor.call("report"))
            return load.answered <= done

        with contextlib.suppress(AssertionError):  # the last lines tell which calls are missing
            await eventually(all_is_done)
        print(f"\n{len(load.answered)} calls answered by HTTP, {len(load.heard)} over connections, {len(done)} done")
        assert len(load.answered) > 5
        assert load.answered - done == set()
        assert load.heard - done == set()
