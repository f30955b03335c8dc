"""The graceful way down, with actors that take their time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner.protocol import v3
from rivet_runner.protocol.messages import (
    ActorStateStopped,
    StopCode,
    ToServerStopping,
    ToServerTunnelMessage,
)
from rivet_runner.testing.scripted_engine import ReportedEvent, RunnerConnection
from tests.support.scene import Scene, hang, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


async def draining(current: Scene, connection: RunnerConnection) -> asyncio.Task[None]:
    """Begin a graceful shutdown; the engine has been told."""
    call = asyncio.create_task(current.runner.shutdown())
    await connection.receive(ToServerStopping)
    return call


@virtual_time
async def test_the_engine_is_told_and_stops_the_actors_when_the_runner_shuts_down() -> None:
    async with started() as (current, connection):
        for number in range(3):
            await current.actor(connection, f"a{number}")
        call = await draining(current, connection)
        for number in range(3):
            await asyncio.sleep(5)
            assert not call.done()
            connection.stop_actor(f"a{number}")
            assert (await connection.stopped(f"a{number}")).code is StopCode.OK
        before = current.now
        await call
        assert current.now - before < 0.1
        assert await connection.closed() == (1000, "pegboard.runner_shutdown")


@virtual_time
async def test_an_actor_goes_on_answering_when_its_stop_has_not_come_yet() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        call = await draining(current, connection)
        await asyncio.sleep(30)
        assert (await connection.request().response()).status == 200
        await actor.kv.put(b"k", b"v")
        connection.stop_actor()
        await call


@virtual_time
async def test_a_request_is_answered_before_stopped_is_sent_when_the_actor_stops() -> None:
    async def slow(actor: Actor, request: Request) -> Response:
        await asyncio.sleep(4)
        await actor.kv.put(b"k", b"v")
        return Response("slow")

    async with started({"fetch": slow}) as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await settle()
        call = await draining(current, connection)
        connection.stop_actor()
        assert (await exchange.response()).body == b"slow"
        await call
        kinds = [message for _, message in connection.received]
        (answered,) = (at for at, message in enumerate(kinds) if isinstance(message, ToServerTunnelMessage))
        events = [at for at, message in enumerate(kinds) if isinstance(message, connection.codec.ToServerEvents)]
        assert events[0] < answered < events[-1]


@virtual_time
async def test_sockets_and_kv_work_in_on_actor_stop_when_the_actor_stops() -> None:
    order: list[str] = []

    async def stop(actor: Actor) -> None:
        for ws in actor.websockets:
            await ws.send("bye")
        await actor.kv.put(b"last", b"words")
        order.append("stopped")

    async def echo(actor: Actor, ws: WebSocket) -> None:
        async for _ in ws:
            pass
        order.append("loop ended")

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            order.append("background cancelled")

    async with started({"on_actor_stop": stop, "websocket": echo}) as (current, connection):
        actor = await current.actor(connection)
        actor.spawn(background())
        socket = connection.open_websocket()
        await socket.opened()
        await settle()
        call = await draining(current, connection)
        connection.stop_actor()
        assert await socket.receive() == "bye"
        await call
        assert order == ["stopped", "loop ended", "background cancelled"]
        assert current.engine.kv.of("a1") == {b"last": b"words"}


@virtual_time
async def test_actors_are_stopped_here_when_the_engine_does_not_stop_them_in_time() -> None:
    async with started(stop_timeout=20) as (current, connection):
        await current.actor(connection)
        call = await draining(current, connection)
        await call
        assert 20 <= current.now < 21
        assert current.runner.called("on_actor_stop") == [("a1", 1)]
        assert _stopped(connection) == [], "an unasked Stopped(OK) destroys the actor"


@virtual_time
async def test_nothing_is_waited_for_when_the_stop_timeout_is_zero() -> None:
    async with started(stop_timeout=0) as (current, connection):
        await current.actor(connection)
        await current.runner.shutdown()
        assert current.now < 0.5
        assert current.runner.called("on_actor_stop") == [("a1", 1)]


@virtual_time
async def test_actors_are_stopped_here_at_once_when_the_engine_is_away() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        current.engine.refuse(503)
        connection.abort()
        await asyncio.sleep(5)
        before = current.now
        await current.runner.shutdown()
        assert current.now - before < 0.5
        assert current.runner.called("on_actor_stop") == [("a1", 1)]


@virtual_time
async def test_actors_are_stopped_here_at_once_when_the_engine_goes_during_the_drain() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        call = await draining(current, connection)
        await asyncio.sleep(10)
        before = current.now
        connection.abort()
        await call
        assert current.now - before < 0.5
        assert current.runner.called("on_actor_stop") == [("a1", 1)]
        await asyncio.sleep(60)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_an_actor_gets_its_time_when_it_is_stopped_here() -> None:
    async def slow(*_: Any) -> Response:
        await asyncio.sleep(8)
        return Response("in time")

    async with started({"fetch": slow, "on_actor_stop": slow}, stop_timeout=1) as (current, connection):
        await current.actor(connection)
        exchange = connection.request()
        await settle()
        await current.runner.shutdown()
        assert current.now == pytest.approx(9, abs=0.5)
        assert (await exchange.response()).body == b"in time"


@virtual_time
async def test_tasks_are_cancelled_when_an_actor_takes_longer_than_its_stop_timeout() -> None:
    async with started({"fetch": hang, "websocket": hang, "on_actor_stop": hang}, actor_stop_timeout=5) as (
        current,
        connection,
    ):
        await current.actor(connection)
        exchange, socket = connection.request(), connection.open_websocket()
        await socket.opened()
        before = current.now
        connection.stop_actor()
        await connection.stopped("a1")
        assert 5 <= current.now - before <= 7.5
        assert (await exchange.response()).status == 503


@virtual_time
async def test_a_start_that_hangs_is_cancelled_when_the_actor_must_stop() -> None:
    async with started({"on_actor_start": hang}, actor_stop_timeout=5) as (current, connection):
        connection.start_actor()
        await settle()
        before = current.now
        connection.stop_actor()
        await connection.stopped("a1")
        assert 5 <= current.now - before <= 7
        assert current.runner.called("on_actor_stop") == []


@virtual_time
async def test_the_actor_stops_when_on_actor_stop_raises() -> None:
    async def fail(actor: Actor) -> None:
        raise LookupError("in the stop")

    async with started({"on_actor_stop": fail}) as (current, connection):
        await current.actor(connection)
        call = await draining(current, connection)
        connection.stop_actor()
        assert (await connection.stopped("a1")).code is StopCode.OK
        await call
        current.expect_error("on_actor_stop raised")


def _stopped(connection: RunnerConnection) -> list[ReportedEvent]:
    return [event for event in connection.events if isinstance(event.event, ActorStateStopped)]


# Nothing runs twice


def signs(connection: RunnerConnection) -> int:
    """How many messages have reached the runner's workflow, which keeps the engine waiting for a runner that drains."""
    return len(connection.messages(v3.ToServerAckCommands if connection.codec is v3 else ToServerStopping))


@virtual_time
async def test_the_engine_is_told_again_every_five_seconds_when_a_drain_takes_long() -> None:
    async def slow(*_: Any) -> None:
        await asyncio.sleep(26)

    async with started({"on_actor_stop": slow}) as (current, connection):
        await current.actor(connection)
        await asyncio.sleep(10)
        before = signs(connection)
        call = await draining(current, connection)
        connection.stop_actor()
        await asyncio.sleep(24)
        assert signs(connection) - before >= 24 // 5, "pings alone do not keep the engine waiting"
        await call


@virtual_time
async def test_the_engine_is_no_longer_told_when_the_time_for_actors_is_over() -> None:
    async with started({"on_actor_stop": hang}, stop_timeout=20, actor_stop_timeout=10) as (current, connection):
        await current.actor(connection)
        call = await draining(current, connection)
        await call
        assert current.now < 20 + 10 + 5


@virtual_time
@pytest.mark.parametrize("close", [(1000, "ws.eviction#ray"), None])
async def test_hooks_are_cancelled_within_two_seconds_when_the_runner_is_evicted_or_lost_in_a_drain(
    close: tuple[int, str] | None,
) -> None:
    ended: list[float] = []

    async def long(*_: Any) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(current.now)

    async with started({"on_actor_stop": long, "fetch": long}) as (current, connection):
        await current.actor(connection)
        await current.actor(connection, "a2")
        connection.request("a2")
        await settle()
        call = await draining(current, connection)
        connection.stop_actor()
        await asyncio.sleep(12)
        told = 10.0
        before = current.now
        if close is None:
            connection.abort()
        else:
            await connection.close(*close)
        await call
        assert len(ended) == 3, "a request, and two on_actor_stop"
        if close is None:
            assert max(ended) < told + 15, "the engine starts the actors elsewhere then"
            current.expect_error("counts this runner's")
        else:
            assert max(ended) - before < 2


# The engine's own limits, which it tells in version 7


@pytest.mark.only_protocol(7)
@pytest.mark.parametrize(
    ("limits", "asks", "seconds"),
    [
        ({"stop_threshold_ms": 10_000}, True, 10),
        ({"stop_threshold_ms": 10_000}, False, 10),
        ({"drain_grace_ms": 10_000}, False, 10),
        ({"drain_grace_ms": 10_000}, True, 30),
        ({"drain_grace_ms": 60_000}, False, 30),
    ],
)
@virtual_time
async def test_an_actor_stops_before_the_engine_gives_it_up(limits: dict[str, int], asks: bool, seconds: float) -> None:
    """An actor that has asked to sleep is not drained, so the grace period of a drain is not for it."""
    async with scene({"fetch": hang}) as current:
        connection = await current.start(**limits)
        actor = await current.actor(connection)
        connection.request()
        await settle()
        if asks:
            actor.sleep()
        before = current.now
        connection.stop_actor()
        await connection.stopped("a1", timeout=40)
        assert seconds - 3 < current.now - before <= seconds + 0.1


@pytest.mark.only_protocol(7)
@virtual_time
async def test_the_runner_stops_its_actors_itself_when_the_grace_period_of_its_pool_ends() -> None:
    async with scene({"on_actor_stop": hang}) as current:
        connection = await current.start(drain_grace_ms=10_000)
        await current.actor(connection)
        call = await draining(current, connection)
        await asyncio.sleep(10)
        assert current.runner.called("on_actor_stop") == [("a1", 1)]
        await call
        assert current.now < 20
