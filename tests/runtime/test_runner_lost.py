"""The engine gives this runner up: because it was away for too long, or under another id."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from rivet_runner import Actor, KvError, KvTimeout, WebSocket
from rivet_runner.protocol import v3
from rivet_runner.protocol.messages import ActorStateStopped, StopCode, ToServerKvRequest
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


def sleeping(seconds: float) -> Callable[..., Coroutine[Any, Any, None]]:
    async def hook(*_: Any) -> None:
        await asyncio.sleep(seconds)

    return hook


@virtual_time
async def test_actors_are_stopped_once_when_the_engine_is_away_for_too_long() -> None:
    async with started() as (current, connection):
        for number in range(3):
            await current.actor(connection, f"a{number}")
        current.engine.refuse(503)
        connection.abort()
        await asyncio.sleep(14.9)
        assert current.runner.called("on_actor_stop") == []
        await asyncio.sleep(0.2)
        assert sorted(current.runner.called("on_actor_stop")) == [("a0", 1), ("a1", 1), ("a2", 1)]
        assert dict(current.runner.actors) == {}
        current.expect_error("3 actors as lost")
        await asyncio.sleep(100)
        assert len(current.runner.called("on_actor_stop")) == 3


@virtual_time
async def test_no_message_of_a_stopped_actor_leaves_when_the_engine_was_away_for_too_long_and_knows_the_runner() -> None:
    """Another runner may serve the actor's clients by then, under the same request ids."""

    async def speak(actor: Actor, ws: WebSocket) -> None:
        await asyncio.sleep(1)
        await ws.send("stale")

    async with started({"websocket": speak}) as (current, connection):
        await current.actor(connection)
        client = connection.open_websocket("a1", "/")
        await client.opened()
        current.engine.refuse(503, times=5)
        connection.abort()
        await asyncio.sleep(16)
        assert dict(current.runner.actors) == {}
        current.expect_error("1 actors as lost")
        client.connection = await current.reconnected()
        assert client.replies[1:] == [], "nothing but the open that had left before"


@virtual_time
async def test_the_engines_threshold_counts_when_it_names_another() -> None:
    async with started() as (current, connection):
        connection.abort()
        second = await current.reconnected(lost_threshold_ms=4000)
        await current.actor(second)
        current.engine.refuse(503)
        second.abort()
        await asyncio.sleep(3.9)
        assert current.runner.called("on_actor_stop") == []
        await asyncio.sleep(0.2)
        assert current.runner.called("on_actor_stop") == [("a1", 1)]
        current.expect_error("lost")


@virtual_time
async def test_actors_stay_when_init_is_answered_in_time() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        connection.abort()
        second = await current.engine.accept()
        await asyncio.sleep(13)
        await second.init(last_event_idx=0)
        await asyncio.sleep(100)
        assert current.runner.get_actor("a1") is actor
        assert current.runner.called("on_actor_stop") == []


@virtual_time
async def test_actors_are_stopped_when_the_runner_is_connected_and_not_initialised() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        before = current.loop.time()
        connection.abort()
        second = await current.engine.accept()
        await asyncio.sleep(7)
        second.abort()
        await current.engine.accept()
        await asyncio.sleep(60)
        (stopped,) = current.runner.times("on_actor_stop")
        assert stopped - before == pytest.approx(15, abs=0.01)
        current.expect_error("lost")


@virtual_time
async def test_the_time_starts_anew_when_the_runner_was_back_in_between() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        for _ in range(4):
            await asyncio.sleep(5)
            connection.abort()
            connection = await current.engine.accept()
            await asyncio.sleep(8)
            await connection.init(last_event_idx=0)
        await asyncio.sleep(30)
        assert current.runner.called("on_actor_stop") == []


@virtual_time
async def test_kv_calls_fail_when_the_runner_is_lost() -> None:
    outcomes: list[str] = []

    async def stop(actor: Actor) -> None:
        try:
            await actor.kv.put(b"last", b"words")
        except KvError as error:
            outcomes.append(type(error).__name__)

    async with started({"on_actor_stop": stop}, kv_timeout=300) as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        calls: list[asyncio.Task[Any]] = [asyncio.create_task(actor.kv.put(b"k", b"v")) for _ in range(3)]
        await settle()
        current.engine.refuse(503)
        connection.abort()
        calls.append(asyncio.create_task(actor.kv.get(b"k")))
        await asyncio.sleep(15.1)
        for call in calls:
            assert call.done()
            assert isinstance(call.exception(), KvError)
            assert not isinstance(call.exception(), KvTimeout)
        assert outcomes == ["KvError"]
        with pytest.raises(KvError):
            await actor.kv.get(b"k")
        current.expect_error("lost")
        current.engine.allow()
        second = await current.reconnected(last_event_idx=0)
        assert second.messages(ToServerKvRequest) == []


@virtual_time
async def test_kv_calls_fail_when_they_waited_for_their_turn_as_the_runner_was_lost() -> None:
    async with started({"on_actor_stop": sleeping(20)}, kv_timeout=300) as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        calls = [asyncio.create_task(actor.kv.put(b"k", b"v")) for _ in range(1100)]
        await settle()
        current.engine.refuse(503)
        connection.abort()
        await asyncio.sleep(15.1)
        current.expect_error("lost")
        current.engine.allow()
        second = await current.reconnected(last_event_idx=0)
        sent = len(second.messages(ToServerKvRequest))
        waiting = sum(not call.done() for call in calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (sent, waiting) == (0, 0)


@virtual_time
async def test_kv_calls_are_not_sent_when_they_waited_for_their_turn_as_the_generation_ended() -> None:
    async with started(kv_timeout=300) as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        calls = [asyncio.create_task(actor.kv.put(b"k", b"v")) for _ in range(1100)]
        await settle()
        sent = len(connection.messages(ToServerKvRequest))
        connection.stop_actor()
        await connection.stopped("a1")
        await settle()
        sent_after = len(connection.messages(ToServerKvRequest)) - sent
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert sent_after == 0


@virtual_time
async def test_the_engine_is_told_that_they_stopped_when_the_runner_comes_back_as_itself() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        current.engine.refuse(503)
        connection.abort()
        await asyncio.sleep(16)
        current.expect_error("lost")
        current.engine.allow()
        second = await current.reconnected(last_event_idx=0)
        assert (await second.stopped("a1")).code is StopCode.ERROR
        assert second.events[-1].index == 1


@virtual_time
async def test_the_next_generation_starts_when_the_lost_one_still_stops() -> None:
    order: list[str] = []

    async def start(actor: Actor) -> None:
        order.append(f"start {actor.generation}")

    async def stop(actor: Actor) -> None:
        await asyncio.sleep(20)
        order.append(f"stop {actor.generation}")

    async with started({"on_actor_start": start, "on_actor_stop": stop}) as (current, connection):
        await current.actor(connection)
        current.engine.refuse(503)
        connection.abort()
        await asyncio.sleep(15.1)
        current.expect_error("lost")
        current.engine.allow()
        second = await current.reconnected(runner_id="r2")
        second.start_actor(generation=2, index=0)
        await second.running("a1", timeout=30)
        assert order == ["start 1", "stop 1", "start 2"]


# Another runner id


@virtual_time
async def test_every_actor_is_stopped_and_nothing_said_when_the_runner_gets_another_id() -> None:
    async with started() as (current, connection):
        for number in range(3):
            await current.actor(connection, f"a{number}")
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(5)
        assert current.runner.runner_id == "r2"
        assert sorted(current.runner.called("on_actor_stop")) == [("a0", 1), ("a1", 1), ("a2", 1)]
        assert dict(current.runner.actors) == {}
        assert second.events == []


@virtual_time
async def test_indexes_start_over_when_the_runner_gets_another_id() -> None:
    async with started() as (current, connection):
        for number in range(3):
            await current.actor(connection, f"a{number}")
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        second.start_actor("b", index=0)
        await second.running("b")
        assert [event.index for event in second.events] == [0]
        assert "b" in current.runner.actors
        second.abort()
        third = await current.engine.accept()
        hello = await third.init("r2", last_event_idx=0)
        assert hello.last_command_idx == 0 if third.codec is v3 else not hasattr(hello, "last_command_idx")


@virtual_time
async def test_kv_calls_fail_and_are_not_sent_again_when_the_runner_gets_another_id() -> None:
    async with started(kv_timeout=300) as (current, connection):
        current.engine.kv.answering = False
        actor = await current.actor(connection)
        call = asyncio.create_task(actor.kv.put(b"k", b"v"))
        await settle()
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        assert call.done()
        assert isinstance(call.exception(), KvError)
        assert second.messages(ToServerKvRequest) == []


@virtual_time
async def test_what_was_reported_while_away_is_dropped_when_the_runner_gets_another_id() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        connection.abort()
        await settle()
        await actor.set_alarm(datetime(2030, 1, 1, tzinfo=UTC))
        actor.sleep()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(5)
        assert second.events == []


@virtual_time
async def test_nothing_is_said_when_an_actor_was_stopping_as_the_runner_got_another_id() -> None:
    async with started({"on_actor_stop": sleeping(10)}) as (current, connection):
        await current.actor(connection)
        connection.stop_actor()
        await settle()
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(20)
        assert dict(current.runner.actors) == {}
        assert second.events == []


@virtual_time
async def test_nothing_is_said_when_a_hook_sets_an_alarm_as_the_runner_got_another_id() -> None:
    async def stop(actor: Actor) -> None:
        await actor.set_alarm(datetime(2030, 1, 1, tzinfo=UTC))
        actor.sleep()
        actor.destroy()

    async with started({"on_actor_stop": stop}) as (current, connection):
        await current.actor(connection)
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(5)
        assert second.events == []


@virtual_time
async def test_nothing_is_said_when_an_actor_was_starting_as_the_runner_got_another_id() -> None:
    async with started({"on_actor_start": sleeping(8)}) as (current, connection):
        connection.start_actor()
        await settle()
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(20)
        assert second.events == []
        assert dict(current.runner.actors) == {}
        assert current.runner.called("on_actor_stop") == [("a1", 1)]


@virtual_time
async def test_the_failure_is_not_reported_when_the_start_fails_after_the_runner_got_another_id() -> None:
    async def fail(actor: Actor) -> None:
        await asyncio.sleep(8)
        raise LookupError("in the start")

    async with started({"on_actor_start": fail}) as (current, connection):
        connection.start_actor()
        await settle()
        connection.abort()
        second = await current.reconnected(runner_id="r2")
        await asyncio.sleep(20)
        current.expect_error("on_actor_start raised")
        assert [event for event in second.events if isinstance(event.event, ActorStateStopped)] == []
