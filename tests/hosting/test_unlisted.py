"""Clients that the engine may have left out of a start command, which it may do behind init in version 7."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor
from rivet_runner._hosting.unlisted import MAX_EARLY, MAX_EARLY_BYTES, UnlistedClient, UnlistedClients
from rivet_runner.errors import RecordError
from rivet_runner.protocol.messages import ToClientWebSocketMessage, ToServerWebSocketClose
from tests.support.replaying import REPLAY
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time
from tests.support.wakeful import Seen, Wakeful, wakeful

pytestmark = pytest.mark.only_protocol(7)

CLIENT_GONE = (1000, "ws.stale_metadata")


async def woken_unlisted(place: Wakeful) -> None:
    """The actor has slept, and its start is the first command behind the answer to init."""
    await place.asleep()
    await place.reconnected()
    await place.wake()


@virtual_time
async def test_the_handler_goes_on_when_the_first_message_of_an_unlisted_client_comes() -> None:
    async with wakeful() as place:
        client, silent = await place.client("/here?a=b"), await place.client("/silent")
        await woken_unlisted(place)
        await asyncio.sleep(60)
        assert place.runner.seen == []
        for ws in (client, silent):
            ws.connection = place.connection
        client.send("second")
        assert await client.receive() == "second"
        client.send("third")
        assert await client.receive() == "third"
        client.close(1000, "")
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", ["second", "third"], (1000, ""))]
        assert [*place.records] == [silent.key]


@virtual_time
async def test_a_message_is_delivered_when_it_comes_before_the_records_are_loaded() -> None:
    async def slow(actor: Actor) -> None:
        if actor.generation > 1:
            await asyncio.sleep(2)

    async with wakeful(on_actor_start=slow) as place:
        client = await place.client("/here")
        await place.asleep()
        await place.reconnected()
        client.connection = place.connection
        place.connection.start_actor("a1", generation=2)
        client.send("second")
        client.send("third")
        await settle()
        assert [await client.receive(), await client.receive()] == ["second", "third"]
        assert client.acknowledged[-1] == 1
        await asyncio.sleep(1)
        assert client.unacknowledged == {}


@virtual_time
async def test_the_client_is_closed_when_its_first_message_comes_and_its_record_is_damaged() -> None:
    async with wakeful() as place:
        client = await place.client()
        await place.asleep()
        place.records[client.key] = RecordError("the record is damaged: it was cut")
        await place.reconnected()
        await place.wake()
        client.connection = place.connection
        client.send("second")
        assert await client.receive() == ToServerWebSocketClose(1011, "ws.restore_error", False)
        place.current.expect_error("a hibernating WebSocket cannot be restored: the record is damaged: it was cut")


@virtual_time
async def test_a_message_is_fetched_when_an_earlier_one_of_an_unlisted_client_was_lost() -> None:
    async with wakeful() as place:
        client = await place.client("/here")
        await woken_unlisted(place)
        client.connection = place.connection
        client.send_lost("second")
        client.send("third")
        assert await client.receive() == REPLAY
        client.replay()
        assert [await client.receive(), await client.receive()] == ["second", "third"]


@pytest.mark.parametrize("asleep", [True, False])
@virtual_time
async def test_the_handler_sees_the_end_once_when_an_unlisted_client_closes(asleep: bool) -> None:
    async with wakeful() as place:
        client = await place.client("/here")
        await place.asleep()
        await place.reconnected()
        client.connection = place.connection
        if asleep:
            client.close(1001, "gone")
            await settle()
        await place.wake()
        if not asleep:
            client.close(1001, "gone")
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", [], CLIENT_GONE)]
        assert place.records == {}


@virtual_time
async def test_a_silent_client_is_restored_in_the_next_generation_when_that_lists_it() -> None:
    async with wakeful() as place:
        client = await place.client("/here")
        await woken_unlisted(place)
        client.connection = place.connection
        await place.asleep()
        client.send("for the next generation")
        await settle()
        place.connection.start_actor("a1", generation=3, hibernating=[client])
        await place.connection.running("a1")
        client.replay()
        assert await client.receive() == "for the next generation"
        assert place.runner.seen == []


@virtual_time
async def test_a_client_is_stale_when_the_next_generation_does_not_list_it() -> None:
    async with wakeful() as place:
        await place.client("/here")
        await woken_unlisted(place)
        await place.asleep()
        place.connection.start_actor("a1", generation=3)
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", [], CLIENT_GONE)]
        assert place.records == {}


# The clients by themselves


def message(size: int = 1) -> ToClientWebSocketMessage:
    return ToClientWebSocketMessage(bytes(size), True)


class Awaited:
    """One client, and the indexes with which it was restored."""

    def __init__(self) -> None:
        self.indexes: list[int] = []
        self.left = 0
        self.client = UnlistedClient(self._restore, self._departed)

    def _restore(self, messages: list[tuple[int, ToClientWebSocketMessage]]) -> None:
        self.indexes += [index for index, _ in messages]

    def _departed(self) -> None:
        self.left += 1


@pytest.mark.parametrize(("size", "kept"), [(1, MAX_EARLY), (MAX_EARLY_BYTES // 4, 4)])
def test_early_messages_stay_with_the_gateway_when_they_are_too_many(size: int, kept: int) -> None:
    clients, awaited = UnlistedClients(), Awaited()
    clients.start_began()
    for index in range(kept + 10):
        clients.message_arrived(b"12345678", index, message(size))
    clients.add(b"12345678", awaited.client)
    assert awaited.indexes == [*range(kept)]
    clients.start_ended()
    clients.start_began()
    clients.message_arrived(b"another1", 0, message(size))
    other = Awaited()
    clients.add(b"another1", other.client)
    assert other.indexes == [0], "there is room again"


def test_early_messages_are_forgotten_when_no_start_is_under_way_any_more() -> None:
    clients, awaited = UnlistedClients(), Awaited()
    clients.message_arrived(b"12345678", 1, message())
    clients.start_began()
    clients.start_began()
    clients.message_arrived(b"12345678", 2, message())
    clients.start_ended()
    clients.start_ended()
    clients.add(b"12345678", awaited.client)
    assert (awaited.indexes, len(clients)) == ([], 1)
    clients.message_arrived(b"12345678", 3, message())
    clients.message_arrived(b"12345678", 4, message())
    assert awaited.indexes == [3], "further ones are for its socket"
    assert not clients.client_departed(b"12345678")
    assert awaited.left == 0
