"""Faults by chance and by hand, each with a runner on the simulated engine, on virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response, Runner
from rivet_runner.protocol.v3 import ToClientInit, ToServerInit
from rivet_runner.testing import Faults, SimulatedEngine
from tests.simulated.rooms import Room, virtual


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, "rivet_runner")


def struck(engine: SimulatedEngine) -> list[str]:
    return [entry.what for entry in engine.trace if entry.part == "fault"]


def only(kind: str, **others: Any) -> Faults:
    """Faults of one kind that strike by themselves, and ``others``."""
    none = dict.fromkeys(("cuts", "stalls", "crashes", "clock_steps"), 0.0)
    none |= dict.fromkeys(("late_events", "lost_inits", "failed_calls", "slow_calls"), 0.0)
    return Faults(**{"every": 10.0, **none, kind: 1.0, **others})


@virtual
async def test_nothing_strikes_when_no_faults_are_given() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
        actor = await engine.create("room")
        await engine.advance(hours=1)
        assert (await actor.request("GET", "/")).status == 200
        assert struck(engine) == []


@virtual
@pytest.mark.parametrize("kind", ["cuts", "stalls", "crashes", "clock_steps"])
async def test_actor_answers_after_the_last_of_many_faults(kind: str) -> None:
    faults = only(kind, until=600)
    async with SimulatedEngine(seed=1, clock="virtual", faults=faults) as engine, engine.host(Room):
        actor = await engine.create("room", crash_policy="restart")
        await engine.advance(minutes=10)
        assert struck(engine).count(kind) > 20
        assert set(struck(engine)) <= {kind, "restart", "stall is over"}
        await engine.advance(minutes=3)
        before = len(struck(engine))
        assert (await actor.request("GET", "/")).status == 200
        await engine.advance(minutes=30)
        assert len(struck(engine)) == before


@virtual
async def test_faults_end_when_the_limit_is_reached() -> None:
    async with SimulatedEngine(clock="virtual", faults=only("cuts", limit=3)) as engine, engine.host(Room):
        await engine.advance(hours=1)
        assert struck(engine) == ["cuts"] * 3


@pytest.mark.only_protocol(3)
@virtual
async def test_runner_repeats_its_init_when_the_engine_loses_it() -> None:
    faults = only("cuts", lost_inits=1, limit=1)
    async with SimulatedEngine(clock="virtual", faults=faults) as engine, engine.host(Room):
        messages = [entry.message for entry in engine.trace]
        assert sum(isinstance(message, ToServerInit) for message in messages) == 2
        assert sum(isinstance(message, ToClientInit) for message in messages) == 1


class Store(Runner):
    """Makes no key-value call of its own."""

    async def fetch(self, actor: Actor, request: Request) -> Response:
        began = asyncio.get_running_loop().time()
        await actor.kv.put(b"k", b"v")
        return Response(str(asyncio.get_running_loop().time() - began))


@virtual
async def test_call_fails_without_effect_when_the_engine_fails_it() -> None:
    faults = only("cuts", failed_calls=1, limit=1)
    async with SimulatedEngine(clock="virtual", faults=faults) as engine, engine.host(Store):
        actor = await engine.create("store")
        assert (await actor.request("GET", "/")).status == 500
        assert await actor.kv() == {}
        assert (await actor.request("GET", "/")).status == 200
        assert await actor.kv() == {b"k": b"v"}


@virtual
async def test_call_takes_time_when_the_engine_is_slow() -> None:
    faults = only("cuts", slow_calls=1, longest_call=3)
    async with SimulatedEngine(clock="virtual", faults=faults) as engine, engine.host(Store):
        actor = await engine.create("store")
        assert 0.01 <= float((await actor.request("GET", "/")).text()) <= 3.1


@virtual
async def test_messages_keep_their_order_when_each_takes_its_time() -> None:
    async with SimulatedEngine(clock="virtual", faults=only("cuts", every=0, delay=0.5)) as engine, engine.host(Room):
        actor = await engine.create("room")
        async with actor.websocket("/room") as ws:
            for number in range(200):
                await ws.send(str(number))
                await asyncio.sleep(0.01)
            assert [await ws.recv() for _ in range(200)] == [str(number) for number in range(200)]


@pytest.mark.slow
@virtual
async def test_burst_is_repaired_when_it_is_longer_than_the_ring() -> None:
    async with SimulatedEngine(clock="virtual", faults=only("cuts", every=0)) as engine, engine.host(Room):
        actor = await engine.create("room")
        async with actor.websocket("/room") as ws:
            await ws.send("first")
            assert await ws.recv() == "first"
            for number in range(3_000):
                await ws.send(str(number))
            assert [await ws.recv() for _ in range(3_000)] == [str(number) for number in range(3_000)]


@virtual
async def test_killed_runner_says_nothing_more_and_its_key_is_free() -> None:
    async def write(actor: Actor) -> None:
        await actor.kv.put(b"last words", b"")

    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Room, runner_key="one", on_stop=write) as first:
            actor = await engine.create("room", crash_policy="restart")
            await actor.wake()
            said = engine.trace.added
            await engine.kill(first)
            later = engine.trace.since(said)
            assert [entry for entry in later if entry.part == "link"] == []
            assert await actor.kv() == {}
        async with engine.host(Room, runner_key="one") as second:
            assert second.connected
            await engine.advance(minutes=2)
            assert actor.status == "running"


@pytest.mark.parametrize("bad", [{"every": -1}, {"limit": -1}, {"lost_inits": 1.5}, {"delay": float("nan")}])
def test_faults_that_make_no_sense_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        Faults(**bad)
