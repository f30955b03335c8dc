"""A handler that is slower than its client: the bounds of what waits for it, and what follows at each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from rivet_runner import Actor
from rivet_runner.protocol.v3 import ToServerWebSocketClose
from rivet_runner.testing.scripted_engine import ClientWebSocket
from tests.support.replaying import REPLAY, replays_asked
from tests.support.rooms import Room
from tests.support.scene import scene, settle
from tests.support.virtual_time import virtual_time

MAX_QUEUED_MESSAGES = 16_384
MAX_QUEUED_BYTES = 32 * 1024 * 1024

MEGABYTE = 1024 * 1024

QUEUE_FULL = ToServerWebSocketClose(1013, "ws.receive_queue_full", False)


@contextlib.asynccontextmanager
async def held_room(path: str = "/plain") -> AsyncIterator[tuple[Room, ClientWebSocket]]:
    """A room that is not free, and its one client, whose first message the handler has taken."""
    async with scene(kind=Room) as current:
        room = current.runner
        assert isinstance(room, Room)
        room.free.clear()
        connection = await current.start()
        await current.actor(connection)
        client = connection.open_websocket(path=path)
        await client.opened()
        client.send("taken")
        await settle()
        yield room, client


def sizes(room: Room) -> list[int]:
    return [len(message) for _, message in room.received]


@pytest.mark.parametrize("more", [0, 1])
@virtual_time
async def test_the_client_is_closed_when_too_many_messages_wait(more: int) -> None:
    async with held_room() as (room, client):
        for _ in range(MAX_QUEUED_MESSAGES + more):
            client.send("waits")
        if more:
            assert await client.receive() == QUEUE_FULL
        await settle()
        room.free.set()
        await settle()
        # After a close of ours, the handler gets none of the messages that waited.
        assert len(room.received) == (1 if more else 1 + MAX_QUEUED_MESSAGES)


@pytest.mark.parametrize("more", [0, 1])
@virtual_time
async def test_the_client_is_closed_when_too_many_bytes_wait(more: int) -> None:
    async with held_room() as (room, client):
        client.send(bytes(MAX_QUEUED_BYTES // 2))
        client.send(bytes(MAX_QUEUED_BYTES // 2 + more))
        if more:
            assert await client.receive() == QUEUE_FULL
        await settle()
        room.free.set()
        await settle()
        assert len(room.received) == (1 if more else 3)


@pytest.mark.slow
@virtual_time
async def test_one_message_is_taken_when_it_alone_is_over_the_bound() -> None:
    async with held_room() as (room, client):
        client.send(bytes(MAX_QUEUED_BYTES + 1))
        await settle()
        room.free.set()
        await settle()
        assert sizes(room) == [5, MAX_QUEUED_BYTES + 1]


@pytest.mark.slow
@pytest.mark.parametrize("more", [[MAX_QUEUED_BYTES, 2, 3], [MEGABYTE, MAX_QUEUED_BYTES, 3]], ids=["full", "too large"])
@virtual_time
async def test_the_gateway_keeps_what_has_no_room_when_the_socket_can_hibernate(more: list[int]) -> None:
    async with held_room("/hibernates") as (room, client):
        gateway = asyncio.create_task(replay_on_demand(client))
        for size in more:
            client.send(bytes(size))
        await asyncio.sleep(10)
        assert replays_asked(client) <= 1  # one at the most that brings nothing
        assert [reply.message_kind for reply in client.replies[1:] if reply.message_kind != REPLAY] == []
        room.free.set()
        await asyncio.sleep(1)
        assert sizes(room) == [5, *more]
        gateway.cancel()


async def replay_on_demand(client: ClientWebSocket) -> None:
    answered = 0
    while True:
        await asyncio.sleep(0.05)
        if replays_asked(client) > answered:
            answered = replays_asked(client)
            client.replay()


@virtual_time
async def test_messages_that_came_before_the_start_are_kept_within_the_bound_and_come_again_when_there_are_more() -> None:
    """They are kept for a socket whose record is not loaded yet."""
    runner_free = asyncio.Event()

    async def start(actor: Actor) -> None:
        if actor.generation == 2:
            await runner_free.wait()

    async with scene({"on_actor_start": start}, kind=Room) as current:
        room = current.runner
        assert isinstance(room, Room)
        connection = await current.start()
        actor = await current.actor(connection)
        client = connection.open_websocket(path="/hibernates")
        await client.opened()
        await settle()
        actor.sleep()
        connection.stop_actor("a1")
        await connection.stopped("a1")
        connection.start_actor("a1", generation=2, hibernating=[client])
        client.send(bytes(MAX_QUEUED_BYTES))
        client.send("5 + 1")
        await settle()
        runner_free.set()
        await connection.running("a1")
        await settle()
        assert sizes(room) == [MAX_QUEUED_BYTES]
        client.send("last")
        assert await client.receive() == REPLAY
        client.replay()
        await settle()
        assert sizes(room) == [MAX_QUEUED_BYTES, 5, 4]


@virtual_time
async def test_a_message_that_waited_is_received_when_the_client_closes_behind_it() -> None:
    async with held_room() as (room, client):
        client.send("one")
        client.send(b"two")
        client.close(1001, "")
        await settle()
        room.free.set()
        await settle()
        assert room.by_path == {"/plain": ["taken", "one", b"two"]}
