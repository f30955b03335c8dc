"""The life of an actor on the real engine: hooks, generations, sleep, crashes, and the ends it can come to."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from rivet_runner import Actor, KvError, Request, Response, RunnerShutDown
from rivet_runner.protocol.messages import KvErrorResponse, KvGetRequest
from rivet_runner.testing import EngineApi
from tests.engine.support import Engine, hosting
from tests.support.bare_runner import BareRunner
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


async def test_hooks_run_once_a_generation_when_the_actor_sleeps_and_wakes(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async def on_start(actor: Actor) -> None:
        assert actor.state is None
        actor.state = int(await actor.kv.get(b"count") or 0)

    async def on_stop(actor: Actor) -> None:
        await actor.kv.put(b"count", str(actor.state + 1).encode())

    async with hosting(engine, runner_name, on_start=on_start, on_stop=on_stop) as runner:
        first = actor = await runner.new_actor(api)
        for generation in range(3):
            assert (actor.generation, actor.state) == (generation, generation)
            assert runner.actors[actor.id] is actor
            await runner.put_to_sleep(api, actor)
            assert actor.id not in runner.actors
            actor = await runner.wake(api, actor)
            assert actor is not first
        hooks = [("start", 0), ("stop", 0), ("start", 1), ("stop", 1), ("start", 2), ("stop", 2), ("start", 3)]
        assert runner.calls_of(actor) == hooks


async def test_actor_knows_what_it_was_created_with(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with hosting(engine, runner_name) as runner:
        key = f"a/é key {runner_name}"
        keyed = await runner.new_actor(api, key=key, input=b"\0\xff input")
        plain = await runner.new_actor(api)
        assert (keyed.name, keyed.key, keyed.input, keyed.generation) == ("probe", key, b"\0\xff input", 0)
        assert (plain.key, plain.input, plain.state) == (None, None, None)
        # The engine's two notions of it differ by some 0.1 s.
        assert abs(keyed.create_ts - (await api.get_actor(keyed.id)).create_ts) < 5000
        assert abs(keyed.create_ts / 1000 - time.time()) < 60
        await runner.put_to_sleep(api, keyed)
        woken = await runner.wake(api, keyed)
        assert (woken.name, woken.key, woken.input) == (keyed.name, keyed.key, keyed.input)
        assert woken.generation == 1
        # The engine gives each generation the time at which it was started, whatever the name says.
        assert 0 <= woken.create_ts - keyed.create_ts < 60_000


async def test_actors_are_found_by_id_and_generation_when_they_are_here(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with hosting(engine, runner_name) as runner:
        assert dict(runner.actors) == {}
        first, second = await asyncio.gather(runner.new_actor(api), runner.new_actor(api))
        assert dict(runner.actors) == {first.id: first, second.id: second}
        assert runner.get_actor(first.id) is runner.get_actor(first.id, 0) is first
        assert runner.get_actor(first.id, 1) is runner.get_actor("unknown") is None
        with pytest.raises(TypeError):
            runner.actors["x"] = first  # type: ignore[index]
    assert dict(runner.actors) == {}
    assert runner.get_actor(first.id) is None


@pytest.mark.parametrize("who", ["the actor", "the engine"])
async def test_actor_ends_with_its_data_when_it_is_destroyed(
    engine: Engine, api: EngineApi, runner_name: str, who: str
) -> None:
    async def on_stop(actor: Actor) -> None:
        await actor.kv.put(b"last", b"words")

    async with hosting(engine, runner_name, on_stop=on_stop) as runner:
        actor = await runner.new_actor(api, key=runner_name)
        await actor.kv.put(b"a", b"1")
        if who == "the actor":
            actor.destroy()
            actor.destroy()
        else:
            await api.destroy_actor(actor.id)
        assert (await api.wait_destroyed(actor.id)).error is None
        await eventually(lambda: actor.id not in runner.actors)
        assert runner.calls_of(actor) == [("start", 0), ("stop", 0)]
        assert (await api.request(actor.id, "GET", "/")).status == 404
        with pytest.raises(KvError):
            await actor.kv.get(b"a")
        async with BareRunner(engine.endpoint, f"{runner_name}-bare") as bare:
            async with asyncio.timeout(10):  # in version 7, the data may still be there for a moment
                while not isinstance(refusal := await bare.kv(actor.id, KvGetRequest([b"a"])), KvErrorResponse):
                    await asyncio.sleep(0.01)
        assert "does not exist" in refusal.message
        successor = await runner.new_actor(api, key=runner_name)
        assert successor.id != actor.id
        assert await successor.kv.list() == {}


class BadStart(Exception):
    pass


async def _fail(actor: Actor) -> None:
    raise BadStart("no luck")


@pytest.mark.parametrize("policy", ["sleep", "destroy"])
async def test_error_is_shown_by_the_engine_when_the_start_hook_raises(
    engine: Engine, api: EngineApi, runner_name: str, policy: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(engine, runner_name, on_start=_fail) as runner:
        created = await api.create_actor("probe", runner_name=runner_name, crash_policy=policy)
        seen = await api.wait_for_actor(created.actor_id, lambda actor: actor.error is not None)
        assert seen.error == {"crashed": {"message": "BadStart: no luck"}}
        wait = api.wait_sleeping if policy == "sleep" else api.wait_destroyed
        await wait(created.actor_id)
        await eventually(lambda: not runner.actors)
        assert runner.calls == [("start", created.actor_id, 0)]
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert created.actor_id in record.getMessage()
        assert record.exc_info is not None

        async def succeed(_: Actor) -> None:
            pass

        runner.do_start = succeed
        if policy == "sleep":
            response = await api.request(created.actor_id, "GET", "/")
            assert response.status == 200
            assert [call[::2] for call in runner.calls] == [("start", 0), ("start", 1)]


async def test_actor_is_started_again_when_its_start_hook_raises_and_the_policy_is_restart(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async def on_start(actor: Actor) -> None:
        if actor.generation == 0:
            raise BadStart

    async with hosting(engine, runner_name, on_start=on_start) as runner:
        created = await api.create_actor("probe", runner_name=runner_name, crash_policy="restart")
        assert (await api.request(created.actor_id, "GET", "/")).status == 200
        assert runner.calls == [("start", created.actor_id, 0), ("start", created.actor_id, 1)]


async def test_actor_sleeps_all_the_same_when_its_stop_hook_raises(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def on_stop(actor: Actor) -> None:
        raise LookupError("in the stop hook")

    async with hosting(engine, runner_name, on_stop=on_stop) as runner:
        actor = await runner.new_actor(api)
        await runner.put_to_sleep(api, actor)
        assert (await runner.wake(api, actor)).generation == 1
    assert "LookupError: in the stop hook" in caplog.text
    assert f"[actor {actor.id}] on_actor_stop raised" in caplog.text


@pytest.mark.parametrize("swallowed", [0, 1, 5])
async def test_actor_sleeps_all_the_same_when_its_stop_hook_never_returns(
    engine: Engine, api: EngineApi, runner_name: str, swallowed: int, caplog: pytest.LogCaptureFixture
) -> None:
    give_up = asyncio.Event()

    async def on_stop(actor: Actor) -> None:
        for _ in range(swallowed):
            try:
                await give_up.wait()
            except asyncio.CancelledError:
                continue
        await give_up.wait()

    async with hosting(engine, runner_name, on_stop=on_stop, actor_stop_timeout=0.3) as runner:
        try:
            actor, other = await asyncio.gather(runner.new_actor(api), runner.new_actor(api))
            began = asyncio.get_running_loop().time()
            sleeping = asyncio.create_task(runner.put_to_sleep(api, actor))
            await eventually(lambda: ("stop", actor.id, 0) in runner.calls)
            assert (await api.request(other.id, "GET", "/")).status == 200
            await sleeping
            assert 0.3 < asyncio.get_running_loop().time() - began < 5
            assert (await runner.wake(api, actor)).generation == 1
        finally:
            give_up.set()
    assert "on_actor_stop did not return in time" in caplog.text
    assert actor.id in caplog.text


async def test_spawned_tasks_are_cancelled_when_the_stop_hook_has_returned(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    at_stop: list[bool] = []

    async def background() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise BadStart("in the background")

    async def on_stop(actor: Actor) -> None:
        await actor.kv.put(b"a", b"1")
        at_stop.append(task.done())

    async with hosting(engine, runner_name, on_stop=on_stop) as runner:
        actor = await runner.new_actor(api)
        task = actor.spawn(background())
        failed = actor.spawn(fail())
        await eventually(failed.done)
        assert "BadStart: in the background" in caplog.text
        assert f"[actor {actor.id}]" in caplog.text
        assert (await api.request(actor.id, "GET", "/")).status == 200
        await runner.put_to_sleep(api, actor)
        assert at_stop == [False]
        assert task.cancelled()
        with pytest.raises(RunnerShutDown, match=actor.id):
            actor.spawn(background())
        with pytest.raises(RunnerShutDown, match=actor.id):
            await actor.set_alarm(None)


async def test_log_carries_the_id_when_an_actor_logs(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rivet_runner")
    async with hosting(engine, runner_name) as runner:
        actor = await runner.new_actor(api)
        actor.log.info("hello %s", "there", extra={"mine": 1})
    (record,) = [record for record in caplog.records if "hello there" in record.getMessage()]
    assert record.getMessage() == f"[actor {actor.id}] hello there"
    assert record.name == "rivet_runner.actor"
    assert (record.__dict__["actor_id"], record.__dict__["generation"], record.__dict__["mine"]) == (actor.id, 0, 1)


async def test_sleep_happens_once_when_it_is_asked_for_again(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with hosting(engine, runner_name) as runner:
        actor = await runner.new_actor(api)
        actor.sleep()
        await runner.put_to_sleep(api, actor)
        actor.sleep()
        actor.destroy()
        woken = await runner.wake(api, actor)
        assert (await api.request(actor.id, "GET", "/")).status == 200
        assert runner.calls_of(woken) == [("start", 0), ("stop", 0), ("start", 1)]
        assert (await api.get_actor(actor.id)).destroy_ts is None


async def test_actor_sleeps_or_ends_when_its_start_hook_says_so(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async def on_start(actor: Actor) -> None:
        if actor.input == b"sleep" and actor.generation == 0:
            actor.sleep()
        elif actor.input == b"destroy":
            actor.destroy()
        await actor.kv.put(b"a", b"1")

    async with hosting(engine, runner_name, on_start=on_start) as runner:
        sleeper = await api.create_actor("probe", runner_name=runner_name, input=b"sleep")
        ended = await api.create_actor("probe", runner_name=runner_name, input=b"destroy")
        await api.wait_sleeping(sleeper.actor_id)
        assert (await api.request(sleeper.actor_id, "GET", "/")).status == 200
        assert [call[::2] for call in runner.calls if call[1] == sleeper.actor_id] == [
            ("start", 0),
            ("stop", 0),
            ("start", 1),
        ]
        assert (await api.wait_destroyed(ended.actor_id)).error is None
        await eventually(lambda: ended.actor_id not in runner.actors)
        assert [call[::2] for call in runner.calls if call[1] == ended.actor_id] == [("start", 0), ("stop", 0)]


@pytest.mark.parametrize("end", ["sleep", "destroy"])
async def test_response_arrives_when_its_own_fetch_has_ended_the_actor(
    engine: Engine, api: EngineApi, runner_name: str, end: str
) -> None:
    stopping = asyncio.Event()

    async def fetch(actor: Actor, request: Request) -> Response:
        getattr(actor, end)()
        if request.path == "/late":
            # The stop is under way by now, and still the answer counts.
            await stopping.wait()
            await actor.kv.put(b"a", b"1")
        return Response(f"{actor.generation}")

    async def on_stop(actor: Actor) -> None:
        stopping.set()

    async with hosting(engine, runner_name, fetch=fetch, on_stop=on_stop) as runner:
        for path in ("/soon", "/late"):
            stopping.clear()
            actor = await runner.new_actor(api)
            response = await api.request(actor.id, "POST", path)
            assert (response.status, response.text()) == (200, "0")
            wait = api.wait_sleeping if end == "sleep" else api.wait_destroyed
            await wait(actor.id)
        assert runner.requests == 2


async def test_requests_in_flight_are_answered_once_when_the_actor_is_put_to_sleep(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    go_on = asyncio.Event()

    async def fetch(actor: Actor, request: Request) -> Response:
        await go_on.wait()
        return Response(f"{request.path} {actor.generation}")

    async with hosting(engine, runner_name, fetch=fetch) as runner:
        actor = await runner.new_actor(api)
        requests = [asyncio.create_task(api.request(actor.id, "POST", f"/{number}")) for number in range(20)]
        await eventually(lambda: runner.requests == 20)
        actor.sleep()
        await eventually(lambda: ("stop", actor.id, 0) in runner.calls)
        assert (await api.get_actor(actor.id)).sleep_ts is None or actor.id in runner.actors
        go_on.set()
        responses = await asyncio.gather(*requests)
        assert [response.text() for response in responses] == [f"/{number} 0" for number in range(20)]
        await api.wait_sleeping(actor.id)
        assert runner.requests == 20, "what was answered before Stopped is not run again"


async def test_actors_stop_and_move_with_their_data_when_the_runner_is_shut_down(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async def on_stop(actor: Actor) -> None:
        await actor.kv.put(b"stopped", b"%d" % actor.generation)

    async with hosting(engine, runner_name, on_stop=on_stop) as first:
        actors = await asyncio.gather(*(first.new_actor(api) for _ in range(5)))
        await first.shutdown()
        for actor in actors:
            assert first.calls_of(actor) == [("start", 0), ("stop", 0)]
        assert dict(first.actors) == {}
    async with hosting(engine, runner_name) as second:
        for actor in actors:
            woken = await second.wake(api, actor)
            assert await woken.kv.list() == {b"stopped": b"0"}
