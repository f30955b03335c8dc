"""The simulated engine with a real runner on it, as in a user's tests, on virtual time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from rivet_runner import Actor, EngineRejected, Request, Response
from rivet_runner.testing import EngineApiError, HttpExchangeFailed, SimulatedEngine
from tests.simulated.bare_runner import look
from tests.simulated.rooms import Room, virtual


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_actor_answers_and_sleeps_on_a_real_clock() -> None:
    async with SimulatedEngine() as engine, engine.host(Room) as runner:
        actor = await engine.create("room", key="a", input=b"in")
        assert (await actor.request("GET", "/path?q=1")).text() == "GET /path 0"
        assert actor.status == "running"
        await actor.sleep()
        assert actor.status == "sleeping"
        assert runner.calls == [("start", 0), ("stop", 0)]
        assert abs(engine.now().timestamp() - time.time()) < 60


@virtual
async def test_runner_is_given_the_token_of_the_engine_and_refused_with_another() -> None:
    async with SimulatedEngine(clock="virtual", settings={"admin_token": "secret"}) as engine:
        async with engine.host(Room):
            assert (await (await engine.create("room")).request("GET", "/")).status == 200
        with pytest.raises(EngineRejected, match="token"):
            async with engine.host(Room, token="another"):
                pass


@virtual
async def test_runner_cannot_connect_before_the_outage_is_over() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
        restarting = asyncio.create_task(engine.restart(outage=60))
        await engine.advance(59)
        assert (engine.connected_runners, restarting.done()) == (0, False)
        await engine.advance(30)
        assert (engine.connected_runners, restarting.done()) == (1, True)


@virtual
async def test_each_status_is_seen_in_turn() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        actor = await engine.create("room", crash_policy="restart")
        assert actor.status == "pending"
        await engine.advance(1)
        assert (actor.status, actor.error) == ("pending", "no_capacity")
        release = asyncio.Event()

        async def slow(_: Actor) -> None:
            await release.wait()

        async with engine.host(Room, on_start=slow):
            await engine.advance(0)
            assert actor.status == "starting"
            release.set()
            assert (await actor.request("GET", "/")).status == 200
            await actor.sleep()
            assert actor.status == "sleeping"
            await actor.wake()
            assert (actor.status, actor.generation) == ("running", 1)
            await actor.destroy()
            assert actor.status == "destroyed"
            assert (await actor.request("GET", "/")).status == 404


@virtual
async def test_crash_is_the_last_word_until_the_actor_runs_again() -> None:
    async def fail_once(actor: Actor) -> None:
        if actor.generation == 0:
            raise RuntimeError("no luck")

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, on_start=fail_once):
        actor = await engine.create("room")
        await engine.advance(1)
        assert actor.status == "crashed"
        assert actor.error == {"crashed": {"message": "RuntimeError: no luck"}}
        assert (await actor.request("GET", "/")).status == 200
        assert (actor.status, actor.error) == ("running", None)


@pytest.mark.only_protocol(3)
@virtual
async def test_alarm_fires_at_its_time_when_it_is_a_month_away() -> None:
    woken: list[float] = []

    async def on_start(actor: Actor) -> None:
        if actor.generation == 0:
            await actor.set_alarm(engine.now() + timedelta(days=30))
        else:
            woken.append(now())

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, on_start=on_start):
        actor = await engine.create("room")
        await actor.wake()
        await actor.sleep()
        began = now()
        await engine.advance(days=29, hours=23)
        assert woken == []
        await engine.advance(hours=1)
        assert woken == [pytest.approx(began + 30 * 86_400, abs=1)]
        assert now() == pytest.approx(began + 30 * 86_400)


async def test_advance_is_refused_when_the_clock_is_real() -> None:
    async with SimulatedEngine() as engine:
        with pytest.raises(RuntimeError, match="virtual"):
            await engine.advance(1)
    with pytest.raises(RuntimeError, match="virtual_loop"):
        async with SimulatedEngine(clock="virtual"):
            pass
    with pytest.raises(RuntimeError, match="does not run"):
        await engine.create("a")


class TestManagement:
    @virtual
    async def test_key_is_taken_until_its_actor_is_destroyed(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine:
            first = await engine.create("room", key="k")
            assert (await engine.get_or_create("room", key="k")).id == first.id
            with pytest.raises(EngineApiError) as caught:
                await engine.create("room", key="k")
            assert (caught.value.code, caught.value.status) == ("duplicate_key", 400)
            assert caught.value.metadata["existing_actor_id"] == first.id
            await first.destroy()
            assert (await engine.get_or_create("room", key="k")).id != first.id
            assert engine.get(first.id).status == "destroyed"

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"key": ""}, "empty_key"),
            ({"key": "k" * 1025}, "key_too_large"),
            ({"input": bytes(3 * 1024 * 1024 + 1)}, "input_too_large"),
        ],
    )
    def test_create_is_refused_when_it_is_over_a_limit(self, options: dict[str, Any], code: str) -> None:
        @virtual
        async def run() -> None:
            async with SimulatedEngine(clock="virtual") as engine:
                with pytest.raises(EngineApiError) as caught:
                    await engine.create("room", **options)
                assert caught.value.code == code

        run()

    async def test_unknown_actor_is_not_found(self) -> None:
        async with SimulatedEngine() as engine:
            with pytest.raises(EngineApiError, match=r"actor\.not_found"):
                engine.get("nobody")

    @virtual
    async def test_kv_shows_what_the_actor_has_stored_without_the_sdks_own_entries(self) -> None:
        async def on_start(actor: Actor) -> None:
            await actor.kv.put_many({b"b": b"2", b"a": b"1"})

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, on_start=on_start):
            actor = await engine.create("room")
            async with actor.websocket("/room") as ws:
                await ws.send("one")
                assert await ws.recv() == "one"
                await engine.advance(1)
                await actor.sleep()
                assert await actor.kv() == {b"a": b"1", b"b": b"2"}
            await actor.destroy()
            assert await actor.kv() == {}


class TestFaultsByHand:
    @virtual
    async def test_actors_go_on_when_a_partition_heals_soon(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
            actor = await engine.create("room")
            await actor.wake()
            engine.partition(runner)
            asking = asyncio.create_task(actor.request("GET", "/"))
            await engine.advance(10)
            assert not asking.done()
            assert look(runner).connected
            engine.heal()
            assert (await asking).status == 200
            assert actor.generation == 0

    @virtual
    async def test_runner_connects_anew_when_a_partition_lasts(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room) as runner:
            actor = await engine.create("room")
            await actor.wake()
            engine.partition(runner)
            await engine.advance(40)
            assert not look(runner).connected
            engine.heal()
            await engine.advance(40)
            assert look(runner).connected
            assert (await actor.request("GET", "/")).status == 200

    @pytest.mark.only_protocol(3)
    @virtual
    async def test_engine_has_its_actors_and_data_when_it_was_killed_and_started_again(self) -> None:
        async def fetch(actor: Actor, request: Request) -> Response:
            count = int(await actor.kv.get(b"n") or 0) + 1
            await actor.kv.put(b"n", b"%d" % count)
            return Response(str(count))

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, fetch=fetch) as runner:
            actor = await engine.create("room")
            assert (await actor.request("GET", "/")).text() == "1"
            ws = await actor.websocket("/room")
            await engine.advance(1)
            await engine.restart()
            assert ws.close_code == 1006
            await engine.advance(20)
            assert not look(runner).connected, "its first init waits for the lease of the dead worker"
            await engine.advance(20)
            assert look(runner).connected
            assert (await actor.request("GET", "/")).text() == "2"

    @virtual
    async def test_open_sockets_are_waited_for_when_the_engine_restarts_gracefully(self) -> None:
        async def fetch(actor: Actor, request: Request) -> Response:
            await asyncio.sleep(3)
            return Response("done")

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, fetch=fetch) as runner:
            actor = await engine.create("room")
            await actor.wake()
            asking = asyncio.create_task(actor.request("GET", "/"))
            hanging = await actor.websocket("/room")
            await engine.advance(1)
            began = now()
            await engine.restart(graceful=True)
            assert now() - began == pytest.approx(600, abs=1), "the WebSocket stays until it is cut"
            assert hanging.close_code == 1006
            assert (await asking).status == 503, "its runner was lost, and no other came"
            await engine.advance(60)
            assert look(runner).connected

    @virtual
    async def test_open_requests_break_when_the_engine_is_killed(self) -> None:
        async def fetch(actor: Actor, request: Request) -> Response:
            await asyncio.sleep(3)
            return Response("done")

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, fetch=fetch):
            actor = await engine.create("room")
            asking = asyncio.create_task(actor.request("GET", "/"))
            await engine.advance(1)
            await engine.restart()
            with pytest.raises(HttpExchangeFailed):
                await asking

    @virtual
    async def test_clients_are_refused_while_the_engine_is_down_and_leave_no_task_behind(self) -> None:
        async with SimulatedEngine(clock="virtual") as engine, engine.host(Room):
            actor = await engine.create("room", crash_policy="restart")
            await actor.wake()
            restarting = asyncio.create_task(engine.restart(outage=5))
            await engine.advance(1)
            with pytest.raises(HttpExchangeFailed, match="the engine is down"):
                await actor.request("GET", "/")
            ws = await actor.websocket("/room")
            assert await ws.wait_closed() == (1006, "")
            await engine.advance(5)
            await restarting
            assert engine.open_requests == 0
            await engine.advance(60)
            assert (await actor.request("GET", "/")).status == 200
        assert not [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]

    @virtual
    async def test_runner_is_told_that_the_engine_goes_away(self) -> None:
        closes: list[tuple[int, str]] = []

        class Noting(Room):
            async def on_disconnected(self, code: int, reason: str) -> None:
                closes.append((code, reason.partition("#")[0]))

        async with SimulatedEngine(clock="virtual") as engine, engine.host(Noting) as runner:
            await engine.restart(graceful=True)
            await engine.advance(5)
            assert look(runner).connected
            await engine.restart()
            await engine.advance(60)
        assert closes == [(1011, "ws.going_away"), (1006, ""), (1000, "pegboard.runner_shutdown")]


@virtual
async def test_second_runner_with_the_same_key_takes_the_place_of_the_first() -> None:
    async with SimulatedEngine(clock="virtual") as engine:
        first = Room(runner_key="same", endpoint="http://localhost:1")
        async with engine.host(first), engine.host(Room, runner_key="same") as second:
            with pytest.raises(Exception, match="another runner"):
                await first.wait_closed()
            assert second.connected


@virtual
async def test_nothing_is_left_when_the_engine_and_its_runners_are_down() -> None:
    before = asyncio.all_tasks()
    async with SimulatedEngine(clock="virtual") as engine:
        async with engine.host(Room):
            actors = [await engine.create("room") for _ in range(20)]
            sockets = [await actor.websocket("/room") for actor in actors]
            await engine.advance(1)
        await engine.advance(120)
        assert engine.connected_runners == 0
        assert engine.open_requests == len(sockets), "hibernating"
        for ws in sockets:
            ws.abort()
        await engine.advance(120)
        assert engine.open_requests == 0
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


class Program:
    """Makes runners that have a name of their own."""

    def runner(self, **options: Any) -> Room:
        return Room(**{"runner_name": "program", "version": 3, **options})


@virtual
async def test_an_object_that_makes_runners_is_hosted_with_its_own_options() -> None:
    async with (
        SimulatedEngine(clock="virtual") as engine,
        engine.host(Program()) as first,
        engine.host(Program(), version=4) as second,
    ):
        assert [one.config.runner_name for one in (first, second)] == ["program", "program"]
        assert [one.config.version for one in (first, second)] == [3, 4]
        actor = await engine.create("room", runner_name="program")
        assert (await actor.request("GET", "/path")).text() == "GET /path 0"
        assert [actor.id in one.actors for one in (first, second)] == [False, True]
