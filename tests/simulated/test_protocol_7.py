"""Protocol 7 in the simulated engine, where a test of both engines would take too long or see too little."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import ActorStateRunning, ActorStateStopped, StopCode, ToClientPing, ToServerStopping
from rivet_runner.protocol.v3 import ActorConfig, CommandStartActor, CommandStopActor
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing._simulated.runner_indexes import RunnerIndexesV7
from tests.conformance.bare_v7 import bare_runner_7
from tests.conformance.benches import SimulatedBench
from tests.simulated.bare_runner import look
from tests.simulated.rooms import virtual


def events(actor_id: str, first: int, count: int, generation: int = 0) -> v7.ToServerEvents:
    event = v7.EventActorSetAlarm(1)
    return v7.ToServerEvents(
        [v7.EventWrapper(v7.ActorCheckpoint(actor_id, generation, first + number), event) for number in range(count)]
    )


def test_events_are_acknowledged_for_each_actor_when_there_are_many() -> None:
    indexes = RunnerIndexesV7(ack_batch=250)
    assert len(indexes.accept(events("a", 0, 250))) == 250
    indexes.accept(events("b", 0, 10))
    assert indexes.acknowledgement() is None
    assert len(indexes.accept(events("a", 240, 11))) == 1
    answer = indexes.acknowledgement()
    assert answer == v7.ToClientAckEvents([v7.ActorCheckpoint("a", 0, 250)])
    assert indexes.acknowledgement() is None


def test_generation_is_forgotten_when_it_has_stopped_and_its_commands_are_acknowledged() -> None:
    indexes = RunnerIndexesV7()
    for generation in range(100):
        indexes.append(CommandStartActor("a", generation, ActorConfig("a", None, 0, None), []))
        indexes.append(CommandStopActor("a", generation))
        stopped = v7.EventActorStateUpdate(ActorStateStopped(StopCode.OK, None))
        place = v7.ActorCheckpoint("a", generation, 0)
        indexes.accept(v7.ToServerEvents([v7.EventWrapper(place, stopped)]))
        indexes.acknowledge(v7.ToServerAckCommands([v7.ActorCheckpoint("a", generation, 1)]))
    assert (len(indexes), indexes.commands) == (0, [])


@virtual
async def test_runner_that_answers_no_pings_is_closed() -> None:
    async with SimulatedEngine(clock="virtual") as engine, bare_runner_7(SimulatedBench(engine, "default")) as runner:
        await asyncio.sleep(60)
        assert runner.link.is_open
        runner.answers_pings = False
        began = asyncio.get_running_loop().time()
        code, reason = await runner.link.wait_ended()
        assert (code, reason.partition("#")[0]) == (1011, "core.internal_error")
        assert asyncio.get_running_loop().time() - began == pytest.approx(16.5, abs=2)
        assert len(runner.heard(ToClientPing)) > 20


@virtual
async def test_lost_runner_is_the_error_of_its_actors() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        async with bare_runner_7(SimulatedBench(engine, "default")) as runner:
            actor = engine.get(await runner.started())
            assert actor.status == "running"
        await asyncio.sleep(31)
        assert (actor.status, list(actor.error)) == ("sleeping", ["runner_connection_lost"])


@virtual
async def test_init_is_answered_at_once_after_a_crash() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        bench = SimulatedBench(engine, "default")
        async with bare_runner_7(bench) as runner:
            actor_id = await runner.started()
            await engine.restart()
            async with bare_runner_7(bench) as again:
                assert again.commands == [("start", actor_id, 0, 0)]
                again.report(actor_id, v7.EventActorStateUpdate(ActorStateRunning()), index=1)
                assert engine.get(actor_id).status == "running"


@virtual
async def test_only_stopping_keeps_a_drain_open() -> None:
    async with SimulatedEngine(clock="virtual") as engine, bare_runner_7(SimulatedBench(engine, "default")) as runner:
        actor_id = await runner.started()
        runner.say(ToServerStopping())
        for _ in range(5):
            await asyncio.sleep(5)
            runner.say(ToServerStopping())
        assert look(runner).link.is_open
        began = asyncio.get_running_loop().time()
        while runner.link.is_open:
            runner.say(v7.ToServerAckCommands([v7.ActorCheckpoint(actor_id, 0, 0)]))
            await asyncio.sleep(1)
        assert asyncio.get_running_loop().time() - began == pytest.approx(15, abs=2)
