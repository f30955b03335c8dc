"""Bursts beyond what the engine queues: paced towards clients, repaired from them."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, Request, Runner, WebSocket
from rivet_runner.testing import EngineApi, LocalEngine
from tests.engine.rooms import Room, clients, created, until


class Bursting(Runner):
    """Sends as many numbered messages as the path says, at once."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path.startswith("/room")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        for number in range(int(ws.path.rsplit("/", 1)[-1])):
            await ws.send(str(number))
        async for _ in ws:
            pass


@pytest.mark.parametrize("path", ["/plain/5000", "/room/5000", "/plain/20000"])
async def test_a_burst_to_one_client_arrives_whole_and_in_order(
    engine: LocalEngine, api: EngineApi, runner_name: str, path: str
) -> None:
    async with Bursting(endpoint=engine.endpoint, runner_name=runner_name):
        actor_id = await created(api, runner_name)
        count = int(path.rsplit("/", 1)[-1])
        async with clients(api, actor_id, path) as [client], asyncio.timeout(60):
            assert [int(await client.recv()) for _ in range(count)] == list(range(count))


async def test_a_burst_from_one_client_is_received_whole_and_in_order(
    engine: LocalEngine, api: EngineApi, runner_name: str
) -> None:
    async with Room(endpoint=engine.endpoint, runner_name=runner_name) as room:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            for number in range(20_000):
                await client.send(str(number))
            await until(lambda: len(room.received) >= 20_000, seconds=90, what="the whole burst")
            assert [int(message) for _, message in room.received] == list(range(20_000))
            assert client.close_code is None
