"""Frames that make no sense, and messages for actors and calls that are not there, do no harm."""

from __future__ import annotations

import random

from rivet_runner.errors import DecodeError
from rivet_runner.protocol.v3 import (
    ActorConfig,
    CommandStartActor,
    CommandWrapper,
    KvPutResponse,
    MessageId,
    ToClientAckEvents,
    ToClientCommands,
    ToClientKvResponse,
    ToClientRequestStart,
    ToClientTunnelMessage,
    ToServerInit,
    decode_to_client,
    encode_to_client,
)
from tests.support.scene import scene, started
from tests.support.virtual_time import virtual_time


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
        encode_to_client(ToClientKvResponse(1, KvPutResponse())),
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
        connection.send(ToClientKvResponse(99, KvPutResponse()))
        connection.acknowledge_events(10_000)
        assert (await exchange.response()).status == 503
        assert (await connection.request().response()).status == 200
