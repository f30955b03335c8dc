"""Alarms that call a hook, idle sleep and the reasons of stops, through an engine: also over a kill of the process."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import pytest

from rivet_runner import Actor, Alarm, StopReason
from rivet_runner.testing import EngineApi
from rivet_runner.testing.engine_api import CrashPolicy
from tests.engine.support import Engine, OwnEngine, Probe, Program, answered, hosting
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols

PROGRAM: Final = """
import json, sys
from datetime import timedelta
from rivet_runner import Response, Runner

class Alarmed(Runner):
    async def on_connected(self):
        print("connected")

    async def on_alarm(self, actor, alarm):
        print("called")

    async def fetch(self, actor, request):
        await actor.set_alarm(actor.now() + timedelta(seconds=2))
        return Response("set")

Alarmed(**json.loads(sys.argv[1])).run()
"""


class Alarmed(Probe):
    """Notes each call of an alarm and each reason of a stop. The first call raises if ``fails``."""

    def __init__(self, *, fails: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.fails = fails
        self.alarms: list[tuple[int, int, float]] = []
        self.reasons: list[StopReason | None] = []

    async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
        late = (actor.now() - alarm.scheduled_at).total_seconds()
        self.alarms.append((actor.generation, alarm.attempt, late))
        if self.fails and alarm.attempt == 1:
            actor.sleep()
            raise ZeroDivisionError

    async def on_actor_stop(self, actor: Actor) -> None:
        await super().on_actor_stop(actor)
        self.reasons.append(actor.stop_reason)


def alarmed(probe: Probe) -> Alarmed:
    assert isinstance(probe, Alarmed)
    return probe


@pytest.mark.real_time("alarms go by the wall clock")
async def test_it_is_called_awake_and_asleep_and_again_after_a_sleep_when_it_raised(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name, hooks=Alarmed, fails=True) as probe:
        awake, asleep = await probe.new_actor(api), await probe.new_actor(api)
        for actor in (awake, asleep):
            await actor.set_alarm(actor.now() + timedelta(seconds=1))
        await probe.put_to_sleep(api, asleep)
        await eventually(lambda: len(alarmed(probe).alarms) == 4, what="two calls of each")
        calls = sorted((generation, attempt) for generation, attempt, _ in alarmed(probe).alarms)
        assert calls == [(0, 1), (1, 1), (1, 2), (2, 2)]
        assert all(late > -0.05 for _, _, late in alarmed(probe).alarms)
        await asyncio.sleep(3)
        assert len(alarmed(probe).alarms) == 4, "they are over"


async def test_an_idle_actor_sleeps_and_its_reasons_to_stop_are_told(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name, hooks=Alarmed, sleep_after=1.0) as probe:
        actor = await probe.new_actor(api)
        await api.wait_sleeping(actor.id)
        await eventually(lambda: alarmed(probe).reasons == [StopReason.SLEEP])
        await answered(api, actor.id)
        await api.destroy_actor(actor.id)
        await eventually(lambda: alarmed(probe).reasons[1:] == [StopReason.DESTROY])
        kept = await probe.new_actor(api)
        async with kept.keep_awake():
            await probe.shutdown()
    assert alarmed(probe).reasons[2:] == [StopReason.SHUTDOWN]


@pytest.fixture
async def hasty_engine(own_engine: OwnEngine) -> AsyncIterator[Engine]:
    """An engine of its own that gives a runner up after 5 s."""
    async with own_engine(runner_lost_threshold=5000, runner_eligible_threshold=5000) as engine:
        yield engine


@pytest.mark.real_time("the runner is a process of its own")
@pytest.mark.parametrize("policy", ["sleep", "restart"])
async def test_it_is_called_on_another_runner_when_its_own_was_killed(
    hasty_engine: Engine, protocol: int, policy: CrashPolicy
) -> None:
    engine, name = hasty_engine, "killed"
    api = EngineApi(engine.endpoint)
    await api.upsert_runner_config(name)
    options = json.dumps({"endpoint": engine.endpoint, "runner_name": name, "protocol": protocol})
    async with Program("-c", PROGRAM, options, seconds=300) as first:
        await first.printed("connected")
        actor = await api.create_ready_actor("a", runner_name=name, crash_policy=policy)
        assert (await answered(api, actor.actor_id)).text() == "set"
        first.signal(signal.SIGKILL)
        assert await first.exit_code() == -signal.SIGKILL
        assert "called" not in first.out
        async with hosting(engine, name, hooks=Alarmed, seconds=300) as probe:
            await eventually(lambda: alarmed(probe).alarms, seconds=80, what="the call on the second runner")
            [(generation, attempt, _)] = alarmed(probe).alarms
            assert generation >= 1
            assert attempt == 1
