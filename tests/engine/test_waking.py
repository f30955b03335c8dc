"""What `on_actor_start` learns of hibernating WebSockets, at the real gateway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor, WebSocket
from rivet_runner.testing import EngineApi
from tests.engine.rooms import asleep, clients, created
from tests.engine.support import Engine
from tests.support.rooms import Room
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


class Waking(Room):
    """Greets each client from ``on_actor_start``, and notes what it knows of it then."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.found: list[WebSocket] = []
        self.known: dict[str, tuple[bytes, bool]] = {}
        self.handled: list[WebSocket] = []

    async def on_actor_start(self, actor: Actor) -> None:
        await super().on_actor_start(actor)
        self.found = [*await actor.restored_websockets()]
        self.known = {ws.path: (ws.attachment, ws.close_code is None) for ws in self.found}
        for ws in self.found:
            if ws.close_code is None:
                await ws.send(f"back in generation {actor.generation}")

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        if ws.restored:
            self.handled.append(ws)
        else:
            ws.attachment = ws.path.encode()
        await super().websocket(actor, ws)


@pytest.mark.parametrize("wake", ["message", "request"])
async def test_clients_are_known_and_greeted_before_their_handlers_run(
    engine: Engine, api: EngineApi, runner_name: str, wake: str
) -> None:
    async with Waking(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/a", "/room/b") as [first, second]:
            await eventually(lambda: len(runner.actors[actor_id].websockets) == 2, what="two clients")
            for generation in (1, 2, 3):
                await asleep(runner, actor_id)
                runner.handled.clear()
                if wake == "message":
                    await first.send("wake")
                else:
                    await api.request(actor_id, "GET", "/")
                for client in (first, second):
                    assert await asyncio.wait_for(client.recv(), 60) == f"back in generation {generation}"
                assert runner.known == {path: (path.encode(), True) for path in ("/room/a", "/room/b")}
                assert set(runner.handled) == set(runner.found)


async def test_a_client_that_left_while_the_actor_slept_is_known(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with Waking(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room/stays", "/room/leaves") as [_, leaves]:
            await eventually(lambda: len(runner.actors[actor_id].websockets) == 2, what="two clients")
            await asleep(runner, actor_id)
            await leaves.close()
            await asyncio.sleep(1)  # the gateway tells, or forgets the client
            await api.request(actor_id, "GET", "/")
            await eventually(lambda: len(runner.handled) == 2, what="both handlers")
            assert runner.known == {"/room/stays": (b"/room/stays", True), "/room/leaves": (b"/room/leaves", False)}
            assert set(runner.handled) == set(runner.found)
            assert [ws.path for ws in runner.actors[actor_id].websockets] == ["/room/stays"]
