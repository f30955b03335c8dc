"""Bursts beyond what the engine queues: paced towards clients, repaired from them."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from benchmarks.distance import at_distance
from rivet_runner import Actor, Request, Runner, WebSocket
from rivet_runner.testing import EngineApi
from tests.engine.rooms import asleep, clients, created
from tests.engine.support import Engine
from tests.support.rooms import Room
from tests.support.waiting import eventually

QUIET_SECONDS: Final = 15.0
"""A client that gets nothing for so long gets nothing more. On a busy machine the engine pauses for seconds."""

NOT_WOKEN: Final = (1011, "pegboard.route_wake_signal_timeout")
"""The close of a client for which the engine could not wake the actor within 5 s."""

pytestmark = pytest.mark.slow


class Bursting(Runner):
    """Sends as many numbered messages as the path says, at once."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path.startswith("/room")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        for number in range(int(ws.path.rsplit("/", 1)[-1])):
            await ws.send(str(number))
        async for _ in ws:
            pass


SITUATIONS: Final = pytest.mark.parametrize(
    ("endpoint", "load"),
    [(0.0, 0), (0.0, 2), (0.05, 0), (0.1, 2)],
    ids=["near", "near and busy", "50 ms away", "100 ms away and busy"],
    indirect=True,
)
"""Each distance, and near and far each with a machine that has other things to do."""


@pytest.fixture
async def endpoint(request: pytest.FixtureRequest, engine: Engine) -> AsyncIterator[str]:
    """The address by which a runner reaches the engine; clients are always near it."""
    async with at_distance(engine.endpoint, request.param) as address:
        yield address


@pytest.fixture
def load(request: pytest.FixtureRequest) -> Iterator[None]:
    """As many processes as the parameter says that want a processor each."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(request.param)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


async def received_by(client: ClientConnection, count: int) -> list[int]:
    """The numbers of the next messages; fewer if the rest does not come."""
    numbers = []
    with contextlib.suppress(TimeoutError):
        for _ in range(count):
            async with asyncio.timeout(QUIET_SECONDS):
                numbers.append(int(await client.recv()))
    return numbers


@SITUATIONS
@pytest.mark.usefixtures("load")
async def test_a_burst_to_one_client_arrives_whole_and_in_order(endpoint: str, api: EngineApi, runner_name: str) -> None:
    async with Bursting(endpoint=endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/plain/20000") as [client]:
            assert await received_by(client, 20_000) == [*range(20_000)]


async def test_a_burst_arrives_whole_and_in_order_when_the_client_can_hibernate(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Bursting(endpoint=engine.endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/5000") as [client]:
            assert await received_by(client, 5000) == [*range(5000)]


@SITUATIONS
@pytest.mark.usefixtures("load")
async def test_broadcasts_to_four_hundred_clients_arrive_whole_and_in_order(
    endpoint: str, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        actor = room.actors[actor_id]
        async with clients(api, actor_id, *["/plain"] * 400) as everyone:
            await eventually(lambda: len(actor.websockets) == 400, what="all clients")
            receiving = [asyncio.create_task(received_by(client, 20)) for client in everyone]
            for number in range(20):
                assert await actor.broadcast(str(number)) == 400
            assert [*map(tuple, await asyncio.gather(*receiving))] == [(*range(20),)] * 400


async def test_a_burst_from_one_client_is_received_whole_and_in_order(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            for number in range(20_000):
                await client.send(str(number))
            await eventually(lambda: len(room.received) >= 20_000, what="the whole burst")
            assert [int(message) for _, message in room.received] == list(range(20_000))
            assert client.close_code is None


async def collected(client: ClientConnection, received: list[str]) -> None:
    async for message in client:
        received.append(str(message))  # noqa: PERF401


async def test_a_broadcast_reaches_every_client_when_there_are_two_thousand(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        actor = room.actors[actor_id]
        connections = [api.websocket(actor_id, "/plain") for _ in range(2000)]
        open_sockets: list[ClientConnection] = []
        for start in range(0, 2000, 100):
            open_sockets += await asyncio.gather(*(entered.__aenter__() for entered in connections[start : start + 100]))
        await eventually(lambda: len(actor.websockets) == 2000, what="all clients")
        received: list[list[str]] = [[] for _ in open_sockets]
        listening = [asyncio.create_task(collected(*pair)) for pair in zip(open_sockets, received, strict=True)]
        assert await actor.broadcast("first") == 2000
        assert await actor.broadcast("second") == 2000
        with contextlib.suppress(AssertionError):  # the next line tells which messages are missing
            await eventually(lambda: sum(map(len, received)) >= 4000)
        assert {index: got for index, got in enumerate(received) if got != ["first", "second"]} == {}
        for start in range(0, 2000, 100):  # a busy engine does not answer 2,000 closes within the 10 s that each may take
            await asyncio.gather(*(client.close() for client in open_sockets[start : start + 100]))
        await asyncio.gather(*listening)


async def test_every_message_arrives_when_three_hundred_clients_speak_to_a_sleeping_actor(
    engine: Engine, api: EngineApi, runner_name: str, on_real_engine: bool
) -> None:
    """What waits for the actor comes as one burst when it wakes, six times as long as what the engine queues.

    The engine wakes the actor once for each client, one after the other. Now and then the real one gives up on some clients
    after 5 s, and tells them so.
    """
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        paths = [f"/room/{number}" for number in range(300)]
        async with clients(api, actor_id, *paths) as sockets:
            await eventually(lambda: len(room.actors[actor_id].websockets) == len(paths), what="all clients")
            await asleep(room, actor_id)
            for number in range(20):
                for socket in sockets:
                    with contextlib.suppress(ConnectionClosed):
                        await socket.send(str(number))

            def unserved() -> dict[str, ClientConnection]:
                pairs = zip(paths, sockets, strict=True)
                return {path: socket for path, socket in pairs if len(room.by_path.get(path, [])) < 20}

            await eventually(lambda: all(socket.close_code for socket in unserved().values()), what="every message")
            not_woken_for = unserved()
            for path, socket in zip(paths, sockets, strict=True):
                if path in not_woken_for:
                    assert (socket.close_code, (socket.close_reason or "").partition("#")[0]) == NOT_WOKEN
                else:
                    assert [int(message) for message in room.by_path[path]] == list(range(20)), path
                    assert socket.close_code is None
            assert len(not_woken_for) <= (30 if on_real_engine else 0)
