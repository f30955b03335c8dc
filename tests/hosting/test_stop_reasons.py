"""The reason of a stop, as the hook and later code see it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor, StopReason
from rivet_runner._hosting.stop_causes import StopCause
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room, virtual

pytestmark = pytest.mark.both_protocols


class Told(Room):
    """Notes the reason of each stop. ``kept`` has the actors."""

    def __init__(self, **options: Any) -> None:
        super().__init__(on_stop=self.note, **options)
        self.reasons: list[StopReason | None] = []
        self.kept: list[Actor] = []

    async def note(self, actor: Actor) -> None:
        self.reasons.append(actor.stop_reason)
        self.kept.append(actor)


@virtual
async def test_sleep_and_destruction_are_told_apart() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Told) as runner:
        actor = await engine.create("a")
        await actor.wake()
        assert runner.actors[actor.id].stop_reason is None
        await actor.sleep()
        await actor.wake()
        await actor.destroy()
        await engine.advance(5)
        assert runner.reasons == [StopReason.SLEEP, StopReason.DESTROY]
        assert [actor.stop_reason for actor in runner.kept] == runner.reasons, "it stays known"
        own = await engine.create("a")
        await own.wake()
        runner.actors[own.id].destroy()
        await engine.advance(5)
        assert runner.reasons[2:] == [StopReason.DESTROY]


@pytest.mark.parametrize("immediate", [False, True])
@virtual
async def test_a_shutdown_is_no_destruction(immediate: bool) -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Told) as runner:
        actor = await engine.create("a", crash_policy="sleep")
        await actor.wake()
        await runner.shutdown(immediate=immediate)
        assert runner.reasons == [StopReason.SHUTDOWN]


@virtual
async def test_a_drain_for_a_newer_version_is_no_destruction() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Told, version=1, runner_key="old") as old:
        actor = await engine.create("a", crash_policy="sleep")
        await actor.wake()
        async with engine.host(Told, version=2, runner_key="new"):
            await engine.advance(60)
            assert set(old.reasons) <= {StopReason.SHUTDOWN}


@virtual
async def test_a_lost_engine_is_a_reason() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Told) as runner:
        actor = await engine.create("a", crash_policy="sleep")
        await actor.wake()
        engine.partition(runner)
        await engine.advance(120)
        assert runner.reasons == [StopReason.LOST]


@virtual
async def test_a_failed_start_is_a_reason_that_no_hook_is_told() -> None:
    failed: list[Actor] = []

    async def fail(actor: Actor) -> None:
        failed.append(actor)
        raise ZeroDivisionError

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Told, on_start=fail) as runner:
        await engine.create("a", crash_policy="restart")
        await engine.advance(5)
        assert {actor.stop_reason for actor in failed} == {StopReason.CRASHED}
        assert runner.reasons == []


def test_each_cause_has_a_reason() -> None:
    assert {cause.reason for cause in StopCause} == {*StopReason}


@virtual
async def test_the_clients_that_the_gateway_holds_are_counted_from_the_start_on() -> None:
    counts: list[int] = []

    async def count(actor: Actor) -> None:
        counts.append(actor.hibernating)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, on_start=count) as runner:
        actor = await engine.create("a")
        async with actor.websocket("/room/1"), actor.websocket("/room/2") as second, actor.websocket("/plain"):
            await engine.advance(1)
            assert (counts, runner.actors[actor.id].hibernating) == ([0], 2)
            await actor.sleep()
            await actor.wake()
            await engine.advance(1)
            assert (counts, runner.actors[actor.id].hibernating) == ([0, 2], 2)
            await second.close()
            await engine.advance(1)
            assert runner.actors[actor.id].hibernating == 1
        await asyncio.sleep(1)
        assert runner.actors[actor.id].hibernating == 0


@virtual
async def test_the_actor_s_clock_is_that_of_the_engine() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(minutes=5)
        now = runner.actors[actor.id].now()
        assert abs((now - engine.now()).total_seconds()) < 0.01
        assert now.tzinfo is not None
