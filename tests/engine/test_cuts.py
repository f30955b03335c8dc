"""The engine connection is cut while clients send: nothing is lost, reordered or closed."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.testing import EngineApi
from tests.engine.rooms import clients, created
from tests.engine.support import Engine
from tests.support.fault_proxy import FaultProxy
from tests.support.rooms import Room
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols

SOCKETS = 20
CUTS = 15


def proxied(engine: Engine) -> FaultProxy:
    return FaultProxy(int(engine.endpoint.rsplit(":", 1)[-1]))


@pytest.mark.slow
async def test_nothing_is_lost_or_reordered_when_the_connection_is_cut_fifteen_times(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with proxied(engine) as proxy, Room(endpoint=proxy.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        paths = [f"/room/{number}" for number in range(SOCKETS)]
        async with clients(api, actor_id, *paths) as sockets:
            sending = True

            async def send(number: int) -> int:
                count = 0
                while sending:
                    await sockets[number].send(str(count))
                    count += 1
                    await asyncio.sleep(0.02)
                return count

            senders = [asyncio.create_task(send(number)) for number in range(SOCKETS)]
            for _ in range(CUTS):
                await eventually(lambda: room.connected)
                await asyncio.sleep(0.3)
                proxy.cut()
                await eventually(lambda: not room.connected)
            await eventually(lambda: room.connected)
            sending = False
            counts = await asyncio.gather(*senders)
            received = {path: [int(message) for message in room.by_path.get(path, [])] for path in paths}

            def complete() -> bool:
                nonlocal received
                received = {path: [int(message) for message in room.by_path.get(path, [])] for path in paths}
                return all(len(received[path]) >= count for path, count in zip(paths, counts, strict=True))

            await eventually(complete, what="the last messages")
            for path, count in zip(paths, counts, strict=True):
                assert received[path] == list(range(count)), f"{path} is not whole and in order"
            assert [socket.close_code for socket in sockets] == [None] * SOCKETS


async def test_a_message_arrives_soon_when_it_was_the_only_one_during_an_outage(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with proxied(engine) as proxy, Room(endpoint=proxy.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/speaks?echo", "/room/is-silent?echo") as [speaks, silent]:
            await eventually(lambda: len(room.actors[actor_id].websockets) == 2)
            proxy.cut()
            await eventually(lambda: not room.connected)
            await speaks.send("said into the outage")
            await eventually(lambda: room.connected)
            assert await asyncio.wait_for(speaks.recv(), 60) == "said into the outage"
            await room.actors[actor_id].broadcast("to all")
            assert [await asyncio.wait_for(client.recv(), 60) for client in (speaks, silent)] == ["to all"] * 2
            await silent.send("and I?")
            assert await asyncio.wait_for(silent.recv(), 60) == "and I?"


@pytest.mark.slow
async def test_everything_arrives_when_many_clients_spoke_into_an_outage_and_then_are_silent(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    """Their replays together are far more than the engine's queue of some 1,000 messages holds."""
    async with proxied(engine) as proxy, Room(endpoint=proxy.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        paths = [f"/room/{number}" for number in range(150)]
        async with clients(api, actor_id, *paths) as sockets:
            await eventually(lambda: len(room.actors[actor_id].websockets) == len(paths))
            proxy.cut()
            await eventually(lambda: not room.connected)
            for number in range(100):
                for socket in sockets:
                    await socket.send(str(number))
            await eventually(lambda: room.connected)
            await eventually(
                lambda: len(room.received) >= 100 * len(paths), seconds=60, what="what was sent into the outage"
            )
            for path in paths:
                assert [int(message) for message in room.by_path[path]] == list(range(100)), path
            assert [socket.close_code for socket in sockets] == [None] * len(paths)


async def test_a_handler_ends_soon_when_its_client_left_during_an_outage(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with proxied(engine) as proxy, Room(endpoint=proxy.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/leaves", "/room/stays") as (leaves, stays):
            for client in (leaves, stays):
                await client.send("heard")
            await eventually(lambda: len(room.received) == 2)
            proxy.cut()  # before the messages are acknowledged
            await eventually(lambda: not room.connected)
            await leaves.close()
            await eventually(lambda: room.connected)
            await eventually(lambda: len(room.actors[actor_id].websockets) == 1, what="the end of the handler")
            assert room.actors[actor_id].websockets[0].path == "/room/stays"
            await asyncio.sleep(6)
            await stays.send("still here")
            await eventually(lambda: len(room.received) == 3)


async def test_a_message_of_the_actor_arrives_when_the_connection_is_cut_again_just_after_a_reconnect(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    """The runner is about to ask for messages that it has missed, and the gateway drops what follows that too closely."""
    async with proxied(engine) as proxy, Room(endpoint=proxy.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/owed", "/room/other") as (owed, other):
            await eventually(lambda: len(room.actors[actor_id].websockets) == 2)
            await owed.send("heard")
            await eventually(lambda: len(room.received) == 1)
            proxy.cut()  # before the message is acknowledged
            await eventually(lambda: not room.connected)
            await eventually(lambda: room.connected, every=0.002)
            await asyncio.sleep(0.03)
            proxy.cut()
            await eventually(lambda: not room.connected)
            await asyncio.sleep(0.5)
            await room.actors[actor_id].broadcast("said in the outage")
            for client in (owed, other):
                assert await asyncio.wait_for(client.recv(), 30) == "said in the outage"
