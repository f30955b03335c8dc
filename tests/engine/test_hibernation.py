"""Hibernation on the real engine: what sleeps and wakes, what is delivered again, and what is restored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rivet_runner import Actor, HibernationRecord, WebSocket
from rivet_runner.testing import EngineApi, MemoryHibernationStores
from tests.engine.rooms import asleep, clients, close_of, created
from tests.engine.support import Engine
from tests.support.rooms import Room
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


def numbers(room: Room) -> list[int]:
    return [int(message) for _, message in room.received]


def first_deliveries(delivered: list[int]) -> list[int]:
    return list(dict.fromkeys(delivered))


@pytest.fixture
async def room(engine: Engine, runner_name: str) -> AsyncIterator[Room]:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        yield runner


@pytest.mark.slow
async def test_every_message_is_delivered_in_order_when_the_actor_sleeps_ten_times(
    room: Room, api: EngineApi, runner_name: str
) -> None:
    actor_id = await created(api, runner_name)
    async with clients(api, actor_id, "/room") as [client]:
        for cycle in range(10):
            for number in range(cycle * 100, cycle * 100 + 100):
                await client.send(str(number))
                if number % 100 == 50:
                    # Asleep in the middle of the stream: what is not processed yet comes again.
                    await eventually(lambda cycle=cycle: room.get_actor(actor_id, generation=cycle))
                    room.actors[actor_id].sleep()
            await eventually(
                lambda cycle=cycle: (
                    len(room.called("on_actor_stop")) == cycle + 1 and len(set(numbers(room))) == cycle * 100 + 100
                )
            )
        assert first_deliveries(numbers(room)) == list(range(1000))
        assert client.close_code is None


@pytest.mark.slow
async def test_every_message_is_delivered_in_order_when_the_runner_is_replaced_between_cycles(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    delivered: list[int] = []
    actor_id: str | None = None
    client = None
    for cycle in range(10):
        async with Room(endpoint=engine.endpoint, runner_name=runner_name) as room:
            if client is None:
                actor_id = await created(api, runner_name)
                client = await api.websocket(actor_id, "/room").__aenter__()
            for number in range(cycle * 100, cycle * 100 + 100):
                await client.send(str(number))
            await eventually(lambda room=room: len(set(numbers(room))) == 100, what=f"cycle {cycle}")
        delivered += numbers(room)
    assert first_deliveries(delivered) == list(range(1000))
    assert client is not None
    assert client.close_code is None
    await client.close()


@pytest.mark.slow
async def test_the_stream_goes_on_when_the_index_wraps(room: Room, api: EngineApi, runner_name: str) -> None:
    actor_id = await created(api, runner_name)
    total = 66_500
    async with clients(api, actor_id, "/room") as [client]:
        for start in range(0, total, 500):
            for number in range(start, start + 500):
                await client.send(str(number))
            await eventually(lambda start=start: len(room.received) >= start + 500)
        assert first_deliveries(numbers(room)) == list(range(total))
        await asleep(room, actor_id)
        await client.send(str(total))
        await eventually(lambda: numbers(room)[-1] == total)
        assert numbers(room)[-2] == total - 1, "nothing that was acknowledged comes again"
        assert client.close_code is None


class Holding(Room):
    """Keeps every message that says ``hold`` in its hands until it is cancelled."""

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            self.received.append((ws.path, message))
            if message == "hold" and self.received.count((ws.path, "hold")) == 1:
                await asyncio.sleep(3600)


async def test_only_what_was_not_processed_comes_again_when_the_actor_wakes(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Holding(endpoint=engine.endpoint, runner_name=runner_name, actor_stop_timeout=0.5) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            for message in ("processed", "hold", "behind"):
                await client.send(message)
            await eventually(lambda: len(room.received) == 2)
            room.actors[actor_id].sleep()
            await eventually(lambda: len(room.received) == 4)
            assert [message for _, message in room.received] == ["processed", "hold", "hold", "behind"]
            assert client.close_code is None


class Greeting(Room):
    """Sends at once when a socket is restored, and shows what it was restored with."""

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        if ws.restored:
            await ws.send(f"back at {ws.path}?{ws.query_string} {ws.headers['x-name']} {ws.attachment.decode()}")
        else:
            ws.attachment = b"kept"
        async for message in ws:
            await ws.send(message)


@pytest.mark.parametrize("wake", ["message", "request"])
async def test_what_the_actor_sends_at_once_arrives_when_a_socket_is_restored(
    engine: Engine, api: EngineApi, runner_name: str, wake: str
) -> None:
    async with Greeting(endpoint=engine.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with api.websocket(actor_id, "/room/1?a=b", headers={"x-name": "Ada"}) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            for _ in range(5):
                await asleep(room, actor_id)
                if wake == "message":
                    await client.send("again")
                else:
                    await api.request(actor_id, "GET", "/")
                assert await asyncio.wait_for(client.recv(), 60) == "back at /room/1?a=b Ada kept"
                if wake == "message":
                    assert await client.recv() == "again"


class Failing(Room):
    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        if ws.restored and ws.path == "/room/bad":
            raise RuntimeError("cannot go on")
        await super().websocket(actor, ws)


async def test_each_socket_is_restored_or_closed_on_its_own_when_some_cannot_be(
    engine: Engine, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    stores = MemoryHibernationStores()
    async with Failing(endpoint=engine.endpoint, runner_name=runner_name, hibernation_store=stores) as room:
        actor_id = await created(api, runner_name)
        paths = ("/room/good?echo", "/room/bad", "/room/unknown")
        async with clients(api, actor_id, *paths) as [good, bad, unknown]:
            await eventually(lambda: len(room.actors[actor_id].websockets) == 3)
            await asleep(room, actor_id)
            records = stores.by_actor[actor_id].records
            by_path = {record.target: key for key, record in records.items() if isinstance(record, HibernationRecord)}
            assert sorted(by_path) == sorted(paths)
            del records[by_path["/room/unknown"]]
            records[b"the gone"] = HibernationRecord(b"the gone", "/room/gone", {}, b"", 7, 7)
            room.ended.clear()
            await good.send("still here")
            assert await asyncio.wait_for(good.recv(), 60) == "still here"
            assert await close_of(bad) == (1011, "ws.restore_error")
            assert await close_of(unknown) == (1000, "ws.meta_not_found_during_restore")
            assert room.ended == [("/room/gone", True, 1000, "ws.stale_metadata")]
            assert [ws.path for ws in room.actors[actor_id].websockets] == ["/room/good"]
            await eventually(lambda: list(records) == [by_path["/room/good?echo"]], what="only the good record")
    assert "cannot go on" in caplog.text


async def test_the_handler_learns_of_it_once_when_a_client_leaves_while_the_actor_sleeps(
    room: Room, api: EngineApi, runner_name: str
) -> None:
    actor_id = await created(api, runner_name)
    async with clients(api, actor_id, "/room/stays?echo", "/room/leaves") as [stays, leaves]:
        await eventually(lambda: len(room.actors[actor_id].websockets) == 2)
        await asleep(room, actor_id)
        room.ended.clear()
        await leaves.close()
        await stays.send("wake")
        assert await asyncio.wait_for(stays.recv(), 60) == "wake"
        await eventually(lambda: room.ended, what="the end of the one that left")
        await eventually(lambda: [ws.path for ws in room.actors[actor_id].websockets] == ["/room/stays"])
        await asleep(room, actor_id)
        await stays.send("wake again")
        assert await asyncio.wait_for(stays.recv(), 60) == "wake again"
        # 1000 without a reason where the gateway still told of the close itself.
        assert [entry[:3] for entry in room.ended if entry[0] == "/room/leaves"] == [("/room/leaves", True, 1000)]


async def test_user_keys_stay_apart_from_records_when_they_are_listed_and_cleared(
    room: Room, api: EngineApi, runner_name: str
) -> None:
    actor_id = await created(api, runner_name)
    async with clients(api, actor_id, "/room?echo") as [client]:
        kv = room.actors[actor_id].kv
        await kv.put_many({b"": b"empty", b"\xfe" * 20: b"high", b"\xff": b"higher"})
        await eventually(lambda: room.actors[actor_id].websockets)
        await asleep(room, actor_id)
        await client.send("wake")
        assert await client.recv() == "wake"
        kv = room.actors[actor_id].kv
        assert await kv.list() == {b"": b"empty", b"\xfe" * 20: b"high", b"\xff": b"higher"}
        assert await kv.list(reverse=True, limit=1) == {b"\xff": b"higher"}
        await kv.clear()
        assert await kv.list() == {}
        await asleep(room, actor_id)
        await client.send("again")
        assert await asyncio.wait_for(client.recv(), 60) == "again"


async def test_a_socket_hibernates_plain_when_its_headers_are_too_large_for_a_record(
    room: Room, api: EngineApi, runner_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    actor_id = await created(api, runner_name)
    headers = {f"x-{n}": "v" * 8000 for n in range(8)}
    async with api.websocket(actor_id, "/room?echo", headers=headers) as client:
        await client.send("hi")
        assert await client.recv() == "hi"
        [ws] = room.actors[actor_id].websockets
        assert not ws.hibernatable
    assert "cannot hibernate: its path and headers take" in caplog.text
