"""The gateway opens a WebSocket once more, because the first answer was lost with the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from rivet_runner import HibernationRecord
from rivet_runner.protocol.v3 import ToClientWebSocketOpen
from rivet_runner.testing.hibernation import MemoryHibernationStore
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.rooms import Room
from tests.support.scene import scene, settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


class SlowStore(MemoryHibernationStore):
    """Takes its time for each write until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def save_many(self, records: Sequence[HibernationRecord]) -> None:
        await self.goes_on.wait()
        await super().save_many(records)


@contextlib.asynccontextmanager
async def asked_again() -> AsyncIterator[tuple[Room, RunnerConnection, ClientWebSocket, SlowStore]]:
    """The gateway has not got the answer to an open, and is about to ask again. The record of the first open is stored."""
    store = SlowStore()
    async with scene(kind=Room, hibernation_store=lambda _: store) as current:
        runner = current.runner
        assert isinstance(runner, Room)
        connection = await current.start()
        await current.actor(connection)
        socket = connection.open_websocket("a1", "/")
        await socket.opened()
        await asyncio.sleep(1)
        connection.abort()
        socket.connection = connection = await current.reconnected()
        await asyncio.sleep(1)
        yield runner, connection, socket, store


@virtual_time
async def test_the_place_of_the_second_open_is_stored_before_its_answer_when_the_first_had_another() -> None:
    async with asked_again() as (_, _connection, socket, store):
        record = store.records[socket.key]
        assert isinstance(record, HibernationRecord)
        assert record.received == 0
        socket.send_kind(ToClientWebSocketOpen("a1", "/", {}))
        await socket.opened()
        record = store.records[socket.key]
        assert isinstance(record, HibernationRecord)
        assert record.received == 1, "the process may be killed now"


@virtual_time
async def test_the_second_open_is_answered_when_its_place_cannot_be_stored_in_time() -> None:
    async with asked_again() as (_, _connection, socket, store):
        store.goes_on.clear()
        socket.send_kind(ToClientWebSocketOpen("a1", "/", {}))
        await socket.opened()
        store.goes_on.set()


@virtual_time
@pytest.mark.parametrize("ending", ["the client leaves", "the actor sleeps"])
async def test_nothing_stays_of_the_second_open_when_it_is_over_before_its_place_is_stored(ending: str) -> None:
    async with asked_again() as (runner, connection, socket, store):
        store.goes_on.clear()
        answers = len(socket.replies)
        socket.send_kind(ToClientWebSocketOpen("a1", "/", {}))
        await settle()
        if ending == "the client leaves":
            socket.close()
        else:
            runner.actors["a1"].sleep()
            connection.stop_actor("a1")
        await settle()
        store.goes_on.set()
        await asyncio.sleep(1)
        assert store.records == {}
        assert len(socket.replies) == answers, "the gateway asks the next generation if the actor sleeps"
