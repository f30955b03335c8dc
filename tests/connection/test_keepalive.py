"""Pings, and connections that are dead without saying so."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.protocol.messages import ToServerPing, ToServerPong, ToServerTunnelMessage
from tests.support.scene import hang, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@pytest.mark.only_protocol(3)
@virtual_time
async def test_a_ping_is_sent_every_three_seconds_when_init_was_answered() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await asyncio.sleep(7)
        assert connection.messages(ToServerPing) == []
        await connection.init()
        began = current.loop.time()
        await starting
        await asyncio.sleep(30)
        times = [time - began for time, message in connection.received if isinstance(message, ToServerPing)]
        assert times == pytest.approx([3 * number for number in range(1, len(times) + 1)], abs=0.01)
        assert len(times) in (9, 10)


@pytest.mark.only_protocol(3)
@virtual_time
async def test_pings_go_on_at_their_pace_when_the_runner_has_reconnected() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        connection.abort()
        second = await current.reconnected()
        began = current.loop.time()
        await asyncio.sleep(15.5)
        times = [time - began for time, message in second.received if isinstance(message, ToServerPing)]
        assert times == pytest.approx([3, 6, 9, 12, 15], abs=0.01)


@pytest.mark.only_protocol(7)
@virtual_time
async def test_a_ping_is_answered_at_once_when_hooks_hang() -> None:
    async with started(dict.fromkeys(["on_actor_start", "fetch", "websocket", "on_actor_stop"], hang)) as (_, connection):
        for number in range(20):
            connection.start_actor(f"a{number}")
            connection.request(f"a{number}")
            connection.ping(number)
            connection.stop_actor(f"a{number}")
            await settle()
            assert connection.messages(ToServerPong)[-1] == ToServerPong(number)
        assert len(connection.messages(ToServerPong)) == 20


@pytest.mark.only_protocol(7)
@virtual_time
async def test_a_ping_is_answered_first_when_much_waits_to_be_sent() -> None:
    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(bytes(1_000_000))

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        connection.request()
        connection.ping(1)
        connection.request()
        await settle()
        kinds = [type(message) for _, message in connection.received]
        assert kinds.index(ToServerPong) < kinds.index(ToServerTunnelMessage)


@pytest.mark.only_protocol(7)
@virtual_time
async def test_nothing_is_sent_unasked_when_nothing_happens() -> None:
    async with started() as (_, connection):
        await asyncio.sleep(60)
        assert len(connection.received) == 1, "init"


@virtual_time
async def test_an_idle_connection_stays_when_the_engine_answers_pings() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(120)
        assert connection.is_open
        assert current.runner.connected


@pytest.mark.parametrize("offset", [0.0, 3.9, 7.9])
@virtual_time
async def test_a_dead_socket_is_found_within_thirty_seconds_when_the_engine_stalls(offset: float) -> None:
    async with started() as (current, connection):
        await asyncio.sleep(8 + offset)
        current.engine.stall()
        before = current.loop.time()
        await asyncio.sleep(30)
        (found,) = current.runner.times("on_disconnected")
        assert found - before <= 30
        assert not current.runner.connected
        ((code, _),) = current.runner.called("on_disconnected")
        assert code == 1006
        current.engine.resume()
        connection.resume()
        await settle()


@virtual_time
async def test_a_dead_socket_is_found_when_much_is_to_be_sent() -> None:
    """The transport's buffer is full, so not even a ping can leave."""

    async def fetch(actor: Actor, request: Request) -> Response:
        return Response(bytes(10_000_000))

    async with started({"fetch": fetch}) as (current, connection):
        await current.actor(connection)
        await asyncio.sleep(8)
        for _ in range(4):
            connection.request()
        connection.stall()
        before = current.loop.time()
        await asyncio.sleep(30)
        (found,) = current.runner.times("on_disconnected")
        assert found - before <= 30
        connection.resume()


@virtual_time
async def test_the_connection_ends_when_the_engine_sends_a_close_frame_and_leaves_tcp_open() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        connection.stall()
        connection.ws.protocol.send_close(1011, "ws.going_away")
        connection.ws.transport.write(b"".join(connection.ws.protocol.data_to_send()))
        await asyncio.sleep(1.5)
        assert current.runner.called("on_disconnected") == [(1011, "ws.going_away")]
        connection.resume()
