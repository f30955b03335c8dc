"""Idle actors fall asleep after ``sleep_after``, and nothing that works is put to sleep."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from rivet_runner import Actor, Alarm, Request, Response, WebSocket
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import Room, virtual

pytestmark = pytest.mark.both_protocols

IDLE = 10.0


async def slowly(actor: Actor, request: Request) -> Response:
    await asyncio.sleep(float(request.path.strip("/") or 0))
    return Response("done")


@virtual
async def test_an_actor_falls_asleep_when_nothing_was_asked_of_it_for_so_long() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE) as runner:
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(IDLE - 1)
        assert actor.status == "running"
        await engine.advance(2)
        assert (actor.status, runner.calls) == ("sleeping", [("start", 0), ("stop", 0)])


@virtual
async def test_it_stays_awake_by_default() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(minutes=20)
        assert actor.status == "running"


@virtual
async def test_requests_begin_the_time_anew_and_keep_it_awake_while_they_run() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE, fetch=slowly):
        actor = await engine.create("a")
        for _ in range(5):
            await actor.request("GET", "/")
            await engine.advance(IDLE - 1)
            assert actor.status == "running"
        asking = asyncio.create_task(actor.request("GET", "/60"))
        await engine.advance(59)
        assert actor.status == "running"
        await engine.advance(2)
        assert (await asking).text() == "done"
        await engine.advance(IDLE - 2)
        assert actor.status == "running"
        await engine.advance(2)
        assert actor.status == "sleeping"


@virtual
async def test_a_plain_websocket_keeps_it_awake_and_a_silent_hibernating_one_does_not() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE):
        plain, hibernating = await engine.create("a"), await engine.create("a")
        async with plain.websocket("/plain") as client, hibernating.websocket("/room") as guest:
            await engine.advance(5 * IDLE)
            assert (plain.status, hibernating.status) == ("running", "sleeping")
            await guest.send("wake up")
            assert await guest.recv() == "wake up"
            await client.close()
            await engine.advance(IDLE + 1)
            assert plain.status == "sleeping"


@virtual
async def test_messages_of_a_hibernating_client_begin_the_time_anew() -> None:
    async def serve(actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            await asyncio.sleep(float(message))
            await ws.send(message)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE, serve=serve) as runner:
        actor = await engine.create("a")
        async with actor.websocket("/room") as client:
            for _ in range(5):
                await client.send("0")
                await engine.advance(IDLE - 1)
            assert runner.calls == [("start", 0), ("websocket", 0)]
            await client.send("28")  # the gateway gives a client up whose message waits for 30 s
            await engine.advance(27)
            assert actor.status == "running", "it is still at work on the message"
            await engine.advance(2 * IDLE + 2)
            assert actor.status == "sleeping"


@virtual
async def test_background_tasks_and_blocks_keep_it_awake() -> None:
    async def start(actor: Actor) -> None:
        actor.spawn(asyncio.sleep(60))
        actor.spawn(asyncio.sleep(1000), keep_awake=False)

    async def stay(actor: Actor, request: Request) -> Response:
        async def hold() -> None:
            async with actor.keep_awake():
                async with actor.keep_awake():
                    await asyncio.sleep(30)
                await asyncio.sleep(30)

        actor.spawn(hold(), keep_awake=False)
        return Response("done")

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE, on_start=start, fetch=stay):
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(59)
        await actor.request("GET", "/")
        await engine.advance(59)
        assert actor.status == "running"
        await engine.advance(IDLE + 2)
        assert actor.status == "sleeping"


@virtual
async def test_keeping_awake_is_possible_without_the_option() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
        actor = await engine.create("a")
        await actor.wake()
        async with runner.actors[actor.id].keep_awake():
            await actor.sleep()
        assert actor.status == "sleeping", "an actor that asks to sleep sleeps"


@virtual
async def test_a_call_of_an_alarm_keeps_it_awake_and_a_waiting_alarm_does_not() -> None:
    class Alarmed(Room):
        async def on_alarm(self, actor: Actor, alarm: Alarm) -> None:
            await asyncio.sleep(60)
            self.calls.append(("alarm", actor.generation))

    async def start(actor: Actor) -> None:
        if actor.generation == 0:
            await actor.set_alarm(actor.now() + timedelta(minutes=5))

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Alarmed, sleep_after=IDLE, on_start=start) as runner:
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(minutes=4)
        assert actor.status == "sleeping"
        await engine.advance(minutes=3)
        assert (actor.status, runner.calls[-2:]) == ("sleeping", [("alarm", 1), ("stop", 1)])


@virtual
async def test_a_slow_start_is_not_idle() -> None:
    async def slow(actor: Actor) -> None:
        await asyncio.sleep(3 * IDLE)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=IDLE, on_start=slow):
        actor = await engine.create("a")
        await engine.advance(3 * IDLE + 5)
        assert actor.status == "running"
        await engine.advance(IDLE)
        assert actor.status == "sleeping"


@pytest.mark.parametrize("value", [0, -1, "5", True])
def test_only_a_time_is_taken(value: Any) -> None:
    with pytest.raises(ValueError, match="sleep_after must be a finite number of seconds above 0, or None to stay awake"):
        Room(sleep_after=value)


@pytest.mark.parametrize("option", [None, 1000.0])
@virtual
async def test_an_actor_may_have_a_time_of_its_own(option: float | None) -> None:
    async def start(actor: Actor) -> None:
        assert actor.sleep_after == option
        actor.sleep_after = IDLE

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=option, on_start=start):
        actor = await engine.create("a")
        await actor.wake()
        await engine.advance(IDLE - 1)
        assert actor.status == "running"
        await engine.advance(2)
        assert actor.status == "sleeping"


@pytest.mark.parametrize("option", [None, IDLE])
@virtual
async def test_the_time_begins_anew_when_it_is_set_while_the_actor_runs(option: float | None) -> None:
    async def change(actor: Actor, request: Request) -> Response:
        await asyncio.sleep(1)
        actor.sleep_after = 3 * IDLE
        await asyncio.sleep(2 * IDLE)
        return Response("done")

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, sleep_after=option, fetch=change) as runner:
        actor = await engine.create("a")
        await actor.request("GET", "/")
        await engine.advance(3 * IDLE - 1)
        assert actor.status == "running"
        await engine.advance(2)
        assert actor.status == "sleeping"
        await actor.wake()
        runner.actors[actor.id].sleep_after = None
        await engine.advance(100 * IDLE)
        assert actor.status == "running"
        runner.actors[actor.id].sleep_after = 1
        await engine.advance(2)
        assert actor.status == "sleeping"


@virtual
async def test_setting_the_time_of_an_actor_that_has_stopped_changes_nothing() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
        actor = await engine.create("a")
        await actor.wake()
        stopped = runner.actors[actor.id]
        await actor.sleep()
        stopped.sleep_after = 1
        await actor.wake()
        await engine.advance(IDLE)
        assert actor.status == "running"


@pytest.mark.parametrize("value", [0, -1, float("inf"), "5", True])
@virtual
async def test_only_a_time_can_be_set(value: Any) -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
        actor = await engine.create("a")
        await actor.wake()
        match = r"actor\.sleep_after must be a finite number of seconds above 0, or None to stay awake"
        with pytest.raises(ValueError, match=match):
            runner.actors[actor.id].sleep_after = value
        assert runner.actors[actor.id].sleep_after is None
