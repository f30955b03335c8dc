"""What an actor that starts learns of its hibernating WebSockets before their handlers run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest

from rivet_runner import Actor, HibernationRecord, WebSocket, WebSocketClosed
from rivet_runner.errors import RecordError
from rivet_runner.protocol.v3 import ToServerWebSocketClose
from tests.support.replaying import asleep
from tests.support.rooms import Room
from tests.support.scene import scene, settle
from tests.support.virtual_time import virtual_time
from tests.support.wakeful import Seen, Wakeful, wakeful

pytestmark = pytest.mark.both_protocols

CLIENT_GONE = (1000, "ws.stale_metadata")

Use = Callable[[Actor, dict[str, WebSocket]], Awaitable[None]]


class Waking(Wakeful):
    """Calls ``use`` with the WebSockets, by path, in the start of the second generation."""

    use: Use
    found: dict[str, WebSocket]
    handled: list[WebSocket]


@contextlib.asynccontextmanager
async def waking(use: Use | None = None) -> AsyncIterator[Waking]:
    async def start(actor: Actor) -> None:
        if actor.generation == 2:
            sockets = await actor.restored_websockets()
            assert await actor.restored_websockets() == sockets
            place.found = {ws.path: ws for ws in sockets}
            if use is not None:
                await use(actor, place.found)

    async def restored(ws: WebSocket) -> None:
        place.handled.append(ws)

    async with wakeful(on_actor_start=start, restored=restored) as plain:
        place = Waking(plain.current, plain.connection, plain.stores)
        place.found, place.handled = {}, []
        yield place


async def slowly(actor: Actor, found: dict[str, WebSocket]) -> None:
    """A start that takes a while, during which clients come and go."""
    await asyncio.sleep(2)


@virtual_time
async def test_they_are_known_with_their_attachments_and_the_handlers_get_the_same_objects() -> None:
    async with waking() as place:
        here, other = await place.client("/here?a=b"), await place.client("/other")
        await place.asleep()
        await place.wake(here, other)
        assert sorted(place.found) == ["/here", "/other"]
        ws = place.found["/here"]
        assert (ws.restored, ws.hibernatable, ws.attachment, ws.query_string, ws.close_code) == (
            True,
            True,
            b"1",
            "a=b",
            None,
        )
        assert place.handled == [*place.found.values()]
        here.send("second")
        assert await here.receive() == "second"


@virtual_time
async def test_a_client_that_left_is_known_by_its_close_code() -> None:
    async with waking() as place:
        here = await place.client("/here")
        await place.client("/left")
        told = await place.client("/told")
        await place.asleep()
        told.close(1001, "gone")
        await settle()
        await place.wake(here, told)
        await asyncio.sleep(1)
        assert {path: ws.close_code for path, ws in place.found.items()} == {"/here": None, "/left": 1000, "/told": 1000}
        assert place.found["/left"].attachment == b"1"
        assert set(place.handled) == set(place.found.values())
        assert sorted(place.runner.seen) == [Seen(path, True, b"1", [], CLIENT_GONE) for path in ("/left", "/told")]
        assert [*place.records] == [here.key]


@virtual_time
async def test_what_is_sent_is_held_back_until_the_gateway_has_attached_the_client() -> None:
    async def greet(actor: Actor, found: dict[str, WebSocket]) -> None:
        await found["/here"].send("back")
        await asyncio.sleep(5)

    async with waking(greet) as place:
        client = await place.client("/here")
        await place.asleep()
        place.connection.start_actor("a1", generation=2, hibernating=[client])
        await asyncio.sleep(4.5)
        before = len(client.replies)
        assert before == 3, "the open, the answer to the first message, and its acknowledgement"
        client.send("echo")
        await settle()
        assert len(client.replies) == before
        assert await client.receive() == "back"
        assert await client.receive() == "echo"


@virtual_time
async def test_a_socket_can_be_closed_before_its_handler_runs() -> None:
    async def close(actor: Actor, found: dict[str, WebSocket]) -> None:
        await found["/here"].send("sorry")
        await found["/here"].close(4000, "full")
        with pytest.raises(WebSocketClosed):
            await found["/here"].send("too late")
        await asyncio.sleep(1)

    async with waking(close) as place:
        client = await place.client("/here")
        await place.asleep()
        place.connection.start_actor("a1", generation=2, hibernating=[client])
        await asyncio.sleep(0.5)
        client.send("unheard")
        await place.connection.running("a1")
        assert await client.receive() == "sorry"
        assert await client.receive() == ToServerWebSocketClose(4000, "full", False)
        await asyncio.sleep(1)
        assert place.runner.seen == [Seen("/here", True, b"1", [], (4000, "full"))]
        assert place.records == {}


@pytest.mark.parametrize("use", [slowly, None])
@virtual_time
async def test_a_client_that_leaves_during_the_start_is_heard_to_its_end(use: Use | None) -> None:
    async def wait(actor: Actor) -> None:
        if actor.generation == 2:
            if use is not None:
                await actor.restored_websockets()
            await slowly(actor, {})

    async def hear(ws: WebSocket) -> None:
        heard.extend([message async for message in ws])

    heard: list[str | bytes] = []
    async with wakeful(on_actor_start=wait, restored=hear) as place:
        client = await place.client("/here")
        await place.asleep()
        place.connection.start_actor("a1", generation=2, hibernating=[client])
        await asyncio.sleep(1)
        client.send("bye")
        client.close(1001, "gone")
        await asyncio.sleep(3)
        assert place.runner.seen == [Seen("/here", True, b"1", [], (1001, "gone"))]
        assert heard == ["bye"]
        assert place.records == {}


@virtual_time
async def test_messages_are_for_the_handler() -> None:
    async def receive(actor: Actor, found: dict[str, WebSocket]) -> None:
        with pytest.raises(RuntimeError, match=r"Runner\.websocket"):
            await found["/here"].recv()

    async with waking(receive) as place:
        client = await place.client("/here")
        await place.asleep()
        await place.wake(client)
        assert [*place.found] == ["/here"]
        client.send("second")
        assert await client.receive() == "second"


@virtual_time
async def test_an_attachment_that_is_set_is_stored() -> None:
    async def attach(actor: Actor, found: dict[str, WebSocket]) -> None:
        found["/here"].attachment = b"changed"

    async with waking(attach) as place:
        client = await place.client("/here")
        await place.asleep()
        await place.wake(client)
        await asyncio.sleep(1)
        record = place.records[client.key]
        assert isinstance(record, HibernationRecord)
        assert record.attachment == b"changed"


@virtual_time
async def test_those_that_cannot_be_restored_are_left_out(protocol: int) -> None:
    async with waking() as place:
        damaged, unknown, other = [await place.client(path) for path in ("/damaged", "/unknown", "/other")]
        await place.asleep()
        place.records[damaged.key] = RecordError("the record is damaged: it was cut")
        del place.records[unknown.key]
        record = place.records[other.key]
        assert isinstance(record, HibernationRecord)
        place.records[other.key] = msgspec.structs.replace(record, protocol=10 - protocol)
        await place.wake(damaged, unknown, other)
        await asyncio.sleep(1)
        assert {path: ws.close_code for path, ws in place.found.items()} == {"/other": 1012}
        assert place.handled == [*place.found.values()]
        place.current.expect_error("a hibernating WebSocket cannot be restored")


@virtual_time
async def test_a_start_that_fails_sends_nothing_and_leaves_the_client_for_the_next() -> None:
    async def fail(actor: Actor, found: dict[str, WebSocket]) -> None:
        await found["/here"].send("never seen")
        await found["/closed"].close(4000)
        raise LookupError("no luck")

    async with waking(fail) as place:
        here, closed = await place.client("/here"), await place.client("/closed")
        await place.asleep()
        replies = len(here.replies), len(closed.replies)
        began = place.current.now
        place.connection.start_actor("a1", generation=2, hibernating=[here, closed])
        await place.connection.stopped("a1")
        assert place.current.now - began < 1, "nothing waits for what was held back"
        await asyncio.sleep(10)
        assert (len(here.replies), len(closed.replies)) == replies
        assert {here.key, closed.key} == set(place.records)
        place.connection.start_actor("a1", generation=3, hibernating=[here, closed])
        await place.connection.running("a1")
        here.send("second")
        assert await here.receive() == "second"
        place.current.expect_error("on_actor_start raised")


@virtual_time
async def test_too_much_that_is_sent_during_the_start_closes_the_client() -> None:
    async def flood(actor: Actor, found: dict[str, WebSocket]) -> None:
        for _ in range(2):
            await found["/here"].send(bytes(9 * 1024 * 1024))

    async with waking(flood) as place:
        client = await place.client("/here")
        await place.asleep()
        await place.wake(client)
        assert len(await client.receive()) == 9 * 1024 * 1024  # type: ignore[arg-type]
        await client.receive()
        assert await client.receive() == ToServerWebSocketClose(1013, "ws.send_queue_full", False)


@virtual_time
async def test_it_is_for_the_start_alone() -> None:
    async with waking() as place:
        await place.client("/here")
        with pytest.raises(RuntimeError, match="on_actor_start"):
            await place.runner.actors["a1"].restored_websockets()


@virtual_time
async def test_an_actor_without_clients_has_none() -> None:
    async with waking() as place:
        await place.asleep()
        await place.wake()
        assert place.found == {}


@pytest.mark.only_protocol(7)
@virtual_time
async def test_clients_that_the_engine_did_not_list_come_later() -> None:
    async with waking() as place:
        here, left = await place.client("/here"), await place.client("/left")
        await place.asleep()
        left.close(1001, "gone")
        await settle()
        await place.reconnected()
        await place.wake()
        here.connection = place.connection
        await asyncio.sleep(1)
        assert {path: ws.close_code for path, ws in place.found.items()} == {"/left": 1000}
        here.send("second")
        assert await here.receive() == "second"
        assert [ws.path for ws in place.handled] == ["/left", "/here"]
        assert place.handled[0] is place.found["/left"]


@virtual_time
async def test_nothing_goes_on_after_the_stop_of_an_actor_whose_only_client_had_no_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scene(kind=Room) as current:
        connection = await current.start()
        await current.actor(connection)
        client = connection.open_websocket("a1", "/")
        await client.opened()
        await asyncio.sleep(1)
        await asleep(current.runner, connection)
        current.engine.kv.of("a1").clear()
        connection.start_actor("a1", generation=2, hibernating=[client])
        await connection.running("a1")
        assert await client.receive() == ToServerWebSocketClose(1000, "ws.meta_not_found_during_restore", False)
        current.runner.actors["a1"].sleep()
        connection.stop_actor("a1", generation=2)
        await connection.stopped("a1")
        await asyncio.sleep(10)
        assert "trying again" not in caplog.text
