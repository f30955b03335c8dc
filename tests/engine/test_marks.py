"""Messages that a handler marks as processed itself, at the real gateway: what is unmarked comes again."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor, WebSocket
from rivet_runner.testing import EngineApi
from tests.engine.rooms import asleep, clients, created
from tests.engine.support import Engine
from tests.support.rooms import Room
from tests.support.waiting import eventually

pytestmark = pytest.mark.both_protocols


class Desk(Room):
    """Takes each message at once, and marks none by itself."""

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        ws.auto_processed = False
        async for message in ws:
            self.received.append((f"generation {actor.generation}", message))


async def test_unmarked_messages_come_again_to_the_next_generation(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with Desk(endpoint=engine.endpoint, runner_name=runner_name) as runner:
        actor_id = await created(api, runner_name)
        async with clients(api, actor_id, "/room") as [client]:
            for text in "abcd":
                await client.send(text)
            await eventually(lambda: len(runner.received) == 4, what="four messages")
            (ws,) = runner.actors[actor_id].websockets
            ws.mark_processed(2)
            await asyncio.sleep(1)  # the marks are stored and acknowledged
            runner.actors[actor_id].sleep()
            await eventually(lambda: len(runner.received) == 6, what="what was unmarked, for which the gateway wakes it")
            await client.send("e")
            await eventually(lambda: len(runner.received) == 7, what="the new one")
            assert runner.received[4:] == [("generation 1", text) for text in "cde"]
            (ws,) = runner.actors[actor_id].websockets
            ws.mark_processed(3)
            await asyncio.sleep(1)
            await asleep(runner, actor_id)
            await client.send("f")
            await eventually(lambda: runner.received[7:] == [("generation 2", "f")], what="nothing but the new one")
