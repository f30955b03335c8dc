"""A start with hibernating requests: the sockets that the gateway lists, against the records that are stored."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from rivet_runner import HibernationRecord, WebSocket
from rivet_runner.errors import RecordError
from rivet_runner.protocol.v3 import ToServerWebSocketClose
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time
from tests.support.wakeful import Seen, wakeful

pytestmark = pytest.mark.both_protocols

PROTOCOL_CHANGED = ToServerWebSocketClose(1012, "ws.protocol_changed", False)
RESTORE_ERROR = ToServerWebSocketClose(1011, "ws.restore_error", False)
RECORD_MISSING = ToServerWebSocketClose(1000, "ws.meta_not_found_during_restore", False)
CLIENT_GONE = (1000, "ws.stale_metadata")
SEND_QUEUE_FULL = ToServerWebSocketClose(1013, "ws.send_queue_full", False)

MAX_HELD_BYTES = 16 * 1024 * 1024
"""Bytes that a socket holds back for a client that may not be attached yet."""


@virtual_time
async def test_the_handler_goes_on_when_its_client_is_listed_and_stored() -> None:
    async with wakeful() as place:
        client = await place.client("/here?a=b")
        await place.asleep()
        await place.wake(client)
        client.send("second")
        assert await client.receive() == "second"
        client.close(1000, "")
        await settle()
        assert place.runner.seen == [Seen("/here", True, b"1", ["second"], (1000, ""))]


@virtual_time
async def test_the_client_is_closed_when_its_record_is_damaged() -> None:
    async with wakeful() as place:
        damaged, sound = await place.client("/damaged"), await place.client("/sound")
        await place.asleep()
        place.records[damaged.key] = RecordError("the record is damaged: it was cut")
        await place.wake(damaged, sound)
        assert await damaged.receive() == RESTORE_ERROR
        sound.send("second")
        assert await sound.receive() == "second"
        assert [seen.path for seen in place.runner.seen] == []
        place.current.expect_error("a hibernating WebSocket cannot be restored: the record is damaged: it was cut")


@virtual_time
async def test_the_client_is_closed_with_a_reason_when_it_was_opened_with_another_protocol(protocol: int) -> None:
    async with wakeful() as place:
        client, other = await place.client("/here"), await place.client("/other")
        await place.asleep()
        record = place.records[client.key]
        assert isinstance(record, HibernationRecord)
        assert record.protocol == protocol
        place.records[client.key] = msgspec.structs.replace(record, protocol=10 - protocol)
        began = place.current.now
        await place.wake(client, other)
        assert await client.receive() == PROTOCOL_CHANGED
        assert place.current.now - began < 10
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", [], (1012, "ws.protocol_changed"))]
        assert [*place.records] == [other.key]
        other.send("second")
        assert await other.receive() == "second"


@virtual_time
async def test_the_gateway_has_time_to_register_a_client_when_the_actor_sleeps_right_after_its_open() -> None:
    async with wakeful() as place:
        actor = place.runner.actors["a1"]
        client = place.connection.open_websocket("a1")
        await client.opened()
        opened = place.current.now
        actor.sleep()
        place.connection.stop_actor("a1")
        await place.connection.stopped("a1")
        assert 0.2 < place.current.now - opened < 0.5


@virtual_time
async def test_the_client_is_closed_when_nothing_is_stored_of_it() -> None:
    async with wakeful() as place:
        client = await place.client()
        await place.asleep()
        del place.records[client.key]
        await place.wake(client)
        assert await client.receive() == RECORD_MISSING
        assert place.runner.seen == []


@pytest.mark.parametrize("tells", [False, True])
@virtual_time
async def test_the_handler_sees_the_end_once_when_its_client_left_while_the_actor_slept(tells: bool) -> None:
    """The gateway may have told, and lists the client with the next start all the same."""
    async with wakeful() as place:
        client = await place.client("/here")
        await place.asleep()
        assert client.key in place.records
        if tells:
            client.close(1001, "gone")
            await settle()
        await place.wake(*([client] if tells else []))
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", [], CLIENT_GONE)]
        assert place.records == {}
        assert [reply for reply in client.replies if isinstance(reply.message_kind, ToServerWebSocketClose)] == []


@virtual_time
async def test_a_record_is_deleted_when_it_is_damaged_and_its_client_has_left() -> None:
    async with wakeful() as place:
        client = await place.client()
        await place.asleep()
        place.records[client.key] = RecordError("the record is damaged: it was cut")
        await place.wake()
        await asyncio.sleep(1)
        assert place.runner.seen == []
        assert place.records == {}


@virtual_time
async def test_the_client_is_closed_with_a_reason_of_its_own_when_a_restored_handler_raises_at_once() -> None:
    async def fail(_: WebSocket) -> None:
        raise LookupError("secret")

    async with wakeful(restored=fail) as place:
        client = await place.client("/here")
        await place.asleep()
        await place.wake(client)
        assert await client.receive() == RESTORE_ERROR
        place.current.expect_error("the handler of the WebSocket /here raised")


@pytest.mark.parametrize(("more", "arrives"), [(0, True), (1, False)])
@virtual_time
async def test_the_client_is_closed_when_too_much_is_held_back_for_it(more: int, arrives: bool) -> None:
    async def flood(ws: WebSocket) -> None:
        for _ in range(15):
            await ws.send(bytes(MAX_HELD_BYTES // 16))
        await ws.send(bytes(MAX_HELD_BYTES // 16 + more))

    async with wakeful(restored=flood) as place:
        client = await place.client()
        await place.asleep()
        await place.wake(client)
        client.send("second")
        received = [await client.receive() for _ in range(17)]
        assert [len(message) for message in received[:16] if isinstance(message, bytes)][:15] == [MAX_HELD_BYTES // 16] * 15
        assert received[16] == ("second" if arrives else SEND_QUEUE_FULL)
