"""Frames that make no sense, and messages for actors and calls that are not there, do no harm."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    ActorCheckpoint,
    ActorConfig,
    ActorStateRunning,
    KvPutResponse,
    MessageId,
    ToClientPing,
    ToClientRequestStart,
    ToClientTunnelMessage,
)
from rivet_runner.testing.scripted_engine import ReportedEvent
from tests.support.scene import init_times, scene, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

CONFIG = ActorConfig("n", "k", 1, b"i")
REQUEST = ToClientTunnelMessage(
    MessageId(b"abcd", b"efgh", 0), ToClientRequestStart("x", "GET", "/", {"a": "b"}, b"c", False)
)
PLACE = ActorCheckpoint("x", 1, 50)
WHOLE: dict[Any, list[Any]] = {
    v3: [
        v3.ToClientAckEvents(1),
        v3.ToClientCommands([v3.CommandWrapper(50, v3.CommandStartActor("x", 1, CONFIG, []))]),
        v3.ToClientKvResponse(1, KvPutResponse()),
        REQUEST,
    ],
    v7: [
        v7.ToClientAckEvents([PLACE]),
        v7.ToClientCommands([v7.CommandWrapper(PLACE, v7.CommandStartActor(CONFIG, []))]),
        v7.ToClientKvResponse(1, KvPutResponse()),
        ToClientPing(5),
        REQUEST,
    ],
}


def garbage(codec: Any) -> list[bytes | str]:
    """Text, random bytes, and every beginning of real messages."""
    source = random.Random(4)
    frames: list[bytes | str] = ["text", "", b""]
    frames += [source.randbytes(source.randrange(1, 60)) for _ in range(200)]
    whole = [codec.encode_to_client(message) for message in WHOLE[codec]]
    frames += [message[:length] for message in whole for length in range(len(message))]
    frames += [message + b"\0" for message in whole]
    return [frame for frame in frames if not is_message(codec, frame)]


def is_message(codec: Any, frame: bytes | str) -> bool:
    if isinstance(frame, str):
        return False
    try:
        codec.decode_to_client(frame)
    except DecodeError:
        return False
    return True


@virtual_time
async def test_the_runner_goes_on_when_the_engine_sends_garbage() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        frames = garbage(connection.codec)
        assert len(frames) > 250
        for frame in frames:
            connection.send_frame(frame)
        assert (await connection.request().response()).status == 200
        assert connection.is_open
        assert len(init_times(connection)) == 1
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
        connection.send(connection.codec.ToClientKvResponse(99, KvPutResponse()))
        connection.acknowledge_events(ReportedEvent(10_000, "unknown", 1, ActorStateRunning()))
        assert (await exchange.response()).status == 503
        assert (await connection.request().response()).status == 200
