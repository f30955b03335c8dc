"""Pings, sockets that are dead without saying so, and frames that make no sense."""

from __future__ import annotations

import asyncio
import random

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.errors import DecodeError
from rivet_runner.protocol.v3 import (
    ActorConfig,
    CommandStartActor,
    CommandWrapper,
    MessageId,
    ToClientAckEvents,
    ToClientCommands,
    ToClientKvResponse,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToServerInit,
    ToServerPing,
    decode_to_client,
    encode_to_client,
)
from rivet_runner.protocol.v3 import KvPutResponse as Put
from tests.support.scene import scene, settle, started
from tests.support.virtual_time import virtual_time


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
        await asyncio.sleep(30)
        assert current.runner.called("on_disconnected") == [(1011, "ws.going_away")]
        connection.resume()


def garbage() -> list[bytes | str]:
    """Text, random bytes, and every beginning of real messages."""
    source = random.Random(4)
    frames: list[bytes | str] = ["text", "", b""]
    frames += [source.randbytes(source.randrange(1, 60)) for _ in range(200)]
    whole = [
        encode_to_client(ToClientAckEvents(1)),
        encode_to_client(
            ToClientCommands([CommandWrapper(50, CommandStartActor("x", 1, ActorConfig("n", "k", 1, b"i"), []))])
        ),
        encode_to_client(ToClientKvResponse(1, Put())),
        encode_to_client(
            ToClientTunnelMessage(
                MessageId(b"abcd", b"efgh", 0), ToClientRequestStart("x", "GET", "/", {"a": "b"}, b"c", False)
            )
        ),
    ]
    frames += [message[:length] for message in whole for length in range(len(message))]
    frames += [message + b"\0" for message in whole]
    return [frame for frame in frames if not is_message(frame)]


def is_message(frame: bytes | str) -> bool:
    if isinstance(frame, str):
        return False
    try:
        decode_to_client(frame)
    except DecodeError:
        return False
    return True


@virtual_time
async def test_the_runner_goes_on_when_the_engine_sends_garbage() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        frames = garbage()
        assert len(frames) > 250
        for frame in frames:
            connection.send_frame(frame)
        assert (await connection.request().response()).status == 200
        assert connection.is_open
        assert [type(message) for _, message in connection.received].count(ToServerInit) == 1
        binary = [frame for frame in frames if isinstance(frame, bytes)]
        assert len(current.errors) == len(binary)
        for _ in binary:
            current.expect_error("are not a message")


@virtual_time
async def test_the_runner_connects_when_garbage_comes_before_init() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        for frame in (b"\xff", "text", b""):
            connection.send_frame(frame)
        await connection.init()
        await starting
        current.expect_error("are not a message")
        current.expect_error("are not a message")


@virtual_time
async def test_messages_for_nobody_are_dropped_when_they_come() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        socket, exchange = connection.open_websocket("unknown"), connection.request("unknown")
        socket.send("to nobody")
        socket.close()
        exchange.send_chunk(b"of nothing", finish=True)
        exchange.abort()
        connection.send(ToClientKvResponse(99, Put()))
        connection.acknowledge_events(10_000)
        assert (await exchange.response()).status == 503
        assert (await connection.request().response()).status == 200


@virtual_time
async def test_a_message_is_put_together_when_it_comes_in_fragments() -> None:
    async with started() as (current, connection):
        frame = encode_to_client(
            ToClientCommands([CommandWrapper(0, CommandStartActor("a1", 1, ActorConfig("n", None, 1, None), []))])
        )
        await connection.ws.send([frame[:3], frame[3:9], frame[9:]])
        await connection.running("a1")
        assert "a1" in current.runner.actors
