"""Runners of both protocols in one pool, and what only version 7 does, on the real engine."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection

from rivet_runner import RunnerEvicted
from rivet_runner.testing import EngineApi
from tests.engine.rooms import asleep, clients, close_of, created
from tests.engine.support import Engine, hosting
from tests.support.fault_proxy import FaultProxy
from tests.support.rooms import Room
from tests.support.waiting import eventually

both_ways = pytest.mark.parametrize(("here", "there"), [(3, 7), (7, 3)], ids=["3-to-7", "7-to-3"])


@both_ways
async def test_actors_and_requests_move_when_a_runner_of_the_other_protocol_takes_over(
    engine: Engine, api: EngineApi, runner_name: str, here: int, there: int
) -> None:
    async with hosting(engine, runner_name, protocol=here) as first:
        actors = await asyncio.gather(*(first.new_actor(api) for _ in range(5)))
        for actor in actors:
            await actor.kv.put(b"key", actor.id.encode())
        async with hosting(engine, runner_name, protocol=there) as second:
            await first.shutdown()
            for actor in actors:
                moved = await second.wake(api, actor)
                assert await moved.kv.list() == {b"key": actor.id.encode()}
            async with hosting(engine, runner_name, protocol=here) as third:
                await second.shutdown()
                for actor in actors:
                    assert (await api.request(actor.id, "GET", "/back")).status == 200
                    assert await third.actors[actor.id].kv.list() == {b"key": actor.id.encode()}


@pytest.mark.parametrize("wakes", ["message", "request"])
@both_ways
async def test_a_hibernating_client_is_closed_with_a_reason_when_its_actor_wakes_on_the_other_protocol(
    engine: Engine, api: EngineApi, runner_name: str, here: int, there: int, wakes: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name, protocol=here) as first:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            await client.send("heard")
            await eventually(lambda: len(first.received) == 1)
            await asleep(first, actor_id)
            await first.shutdown()
            async with Room(endpoint=engine.endpoint, runner_name=runner_name, protocol=there) as second:
                began = asyncio.get_running_loop().time()
                if wakes == "message":
                    await client.send("to the other one")
                else:
                    assert (await api.request(actor_id, "GET", "/")).status == 200
                assert await close_of(client) == (1012, "ws.protocol_changed")
                assert asyncio.get_running_loop().time() - began < 10
                await eventually(lambda: second.ended)
                assert second.ended == [("/room", True, 1012, "ws.protocol_changed")]


# Version 7 alone


@pytest.mark.only_protocol(7)
@pytest.mark.slow
async def test_no_client_and_no_message_is_lost_when_newer_versions_are_rolled_out(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    """Two rollouts under clients that talk all the time."""
    await api.upsert_runner_config(runner_name, {"normal": {}, "drain_on_version_upgrade": True})
    async with AsyncExitStack() as runners, AsyncExitStack() as opened:
        rooms = [await rolled_out(runners, engine, runner_name, version=1)]
        actor_ids = [await created(api, runner_name) for _ in range(3)]
        talkers: dict[str, Talker] = {}
        for actor_id in actor_ids:
            paths = [f"/room/{actor_id}/{number}" for number in range(10)]
            sockets = await opened.enter_async_context(clients(api, actor_id, *(f"{path}?echo" for path in paths)))
            talkers |= {path: Talker(socket) for path, socket in zip(paths, sockets, strict=True)}
        talking = [asyncio.create_task(talker.talk()) for talker in talkers.values()]
        for version in (2, 3):
            await asyncio.sleep(2)
            rooms.append(await rolled_out(runners, engine, runner_name, version=version))
            with pytest.raises(RunnerEvicted) as evicted:
                await asyncio.wait_for(rooms[-2].wait_closed(), 40)
            assert evicted.value.drained
        await asyncio.sleep(2)
        for talker in talkers.values():
            talker.stop()
        await asyncio.gather(*talking)
        for path, talker in talkers.items():
            delivered = [int(message) for room in rooms for message in room.by_path.get(path, [])]
            assert list(dict.fromkeys(delivered)) == list(range(talker.said)), "each was delivered, in order"
            assert talker.client.close_code is None
        assert all(room.received for room in rooms), "each version had its share"


async def rolled_out(stack: AsyncExitStack, engine: Engine, runner_name: str, *, version: int) -> Room:
    """A runner with a newer version of the code, which is there when this returns."""
    room = Room(endpoint=engine.endpoint, runner_name=runner_name, version=version, protocol=7)
    await room.start()
    stack.push_async_callback(room.shutdown)
    return room


class Talker:
    """A client that counts aloud, until its last number was answered."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client
        self.said = 0
        self._answers: set[int] = set()
        self._stopped = False

    async def talk(self) -> None:
        listening = asyncio.create_task(self._listen())
        try:
            while not self._stopped:
                await self.client.send(str(self.said))
                self.said += 1
                await asyncio.sleep(0.05)
            await eventually(self.is_answered)
        finally:
            listening.cancel()

    def stop(self) -> None:
        self._stopped = True

    def is_answered(self) -> bool:
        """Whether the last message was answered."""
        return self.said - 1 in self._answers

    async def _listen(self) -> None:
        async for message in self.client:
            self._answers.add(int(message))


@pytest.mark.only_protocol(7)
@pytest.mark.parametrize("round_number", range(5))
async def test_the_clients_of_a_deleted_actor_are_closed_when_it_is_deleted_at_once(
    engine: Engine, api: EngineApi, runner_name: str, round_number: int
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name, protocol=7) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            await client.send("heard")
            await eventually(lambda: room.received)
            await api.destroy_actor(actor_id)
            assert await close_of(client) == (1001, "actor.stopped")


@pytest.mark.only_protocol(7)
async def test_a_client_is_restored_by_its_message_when_the_start_was_commanded_during_an_outage(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    """The engine repeats the command behind the answer to init, mostly with its list of hibernating requests."""
    async with (
        FaultProxy(int(engine.endpoint.rsplit(":", 1)[-1])) as proxy,
        Room(endpoint=proxy.endpoint, runner_name=runner_name, protocol=7) as room,
    ):
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/speaks?echo", "/room/silent?echo") as [speaks, silent]:
            for client in (speaks, silent):
                await client.send("heard")
                assert await client.recv() == "heard"
            await asleep(room, actor_id)
            proxy.cut()
            await eventually(lambda: not room.connected)
            await speaks.send("said into the outage")
            assert await asyncio.wait_for(speaks.recv(), 60) == "said into the outage"
            assert room.actors[actor_id].generation == 1
            await silent.send("and I?")
            assert await asyncio.wait_for(silent.recv(), 60) == "and I?"
            assert all(code is None for _, _, code, _ in room.ended), "none was closed"
