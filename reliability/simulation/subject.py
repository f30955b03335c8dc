"""The runner under test. It notes in the trace each time that one of its hooks runs, and what the hook does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from reliability.simulation.world import World
from rivet_runner import Actor, KvError, Request, Response, Runner, WebSocket, WebSocketClosed

__all__ = ["VALUE_KEY", "Subject"]

VALUE_KEY: Final = b"value"
"""The entry of an actor that only ever grows."""

LONGEST_HOOK: Final = 3.0


class Subject(Runner):
    """The runner of one process."""

    def __init__(self, world: World, process: str, **options: Any) -> None:
        super().__init__(**options)
        self.world = world
        self.process = process

    def note(self, actor: Actor, what: str, *details: Any) -> None:
        if self.process not in self.world.killed:
            self.world.note("app", actor.id, what, self.process, actor.generation, *details)

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path.startswith("/stays")

    async def on_actor_start(self, actor: Actor) -> None:
        self.note(actor, "start")
        await self._trouble("start", 0.05)
        self.note(actor, "started")

    async def on_actor_stop(self, actor: Actor) -> None:
        self.note(actor, "stop")
        if self.world.happens(0.3):
            await self._put(actor)
        await self._trouble("stop", 0.1)
        self.note(actor, "stop ends")

    async def on_connected(self) -> None:
        await self._speak_to_some()

    async def on_disconnected(self, code: int, reason: str) -> None:
        await self._speak_to_some()

    async def _speak_to_some(self) -> None:
        """What is sent now may be in the way of the runner's own requests for missed messages, or they in its way."""
        for actor in [*self.actors.values()]:
            if self.world.happens(0.3):
                await self._speak_once(actor)

    async def _trouble(self, hook: str, chance: float) -> None:
        """Take long now and then, or raise."""
        if self.world.happens(0.2):
            await asyncio.sleep(self.world.random.uniform(0, LONGEST_HOOK))
        if self.world.happens(chance):
            raise RuntimeError(f"bad luck in on_actor_{hook}")

    # HTTP

    async def fetch(self, actor: Actor, request: Request) -> Response:
        _, number, *path = request.path.split("/")
        self.note(actor, "request", "/".join(path), int(number))
        match path:
            case ["put"]:
                await self._put(actor)
            case ["get"]:
                await self._get(actor)
            case ["slow"]:
                await asyncio.sleep(self.world.random.uniform(0, LONGEST_HOOK))
            case ["sleep"]:
                actor.sleep()
            case ["alarm", seconds]:
                await self._set_alarm(actor, float(seconds))
            case ["speak"]:
                actor.spawn(self._speak(actor))
        self.note(actor, "answers", int(number))
        return Response("done")

    async def _put(self, actor: Actor) -> int:
        value = self.world.next_value(actor.id)
        try:
            await actor.kv.put(VALUE_KEY, b"%d" % value)
        except KvError as error:
            self.note(actor, "put failed", value, str(error))
            raise
        self.note(actor, "put", value)
        return value

    async def _get(self, actor: Actor) -> int:
        self.note(actor, "gets")
        value = int(await actor.kv.get(VALUE_KEY) or 0)
        self.note(actor, "got value", value)
        return value

    async def _set_alarm(self, actor: Actor, seconds: float) -> None:
        when = self.world.engine.now() + timedelta(seconds=seconds)
        await actor.set_alarm(when)
        self.note(actor, "alarm", int(when.timestamp() * 1000), int(seconds * 1000))

    # WebSockets

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        client = ws.request.path.rsplit("/", 1)[-1]
        self.world.serves += 1
        serve = self.world.serves
        self.note(actor, "serves", client, serve, ws.restored)
        if ws.restored and self.world.happens(0.3):
            await self._reply(actor, ws, client)
        async for message in ws:
            self.note(actor, "got", client, serve, int(message))
            if self.world.happens(0.05):
                await asyncio.sleep(self.world.random.uniform(0, LONGEST_HOOK))
            await self._reply(actor, ws, client)

    async def _reply(self, actor: Actor, ws: WebSocket, client: str) -> None:
        number = self.world.next_reply(client)
        self.note(actor, "sends", client, number)
        try:
            await ws.send(str(number))
        except WebSocketClosed:
            self.note(actor, "could not send", client, number)

    async def _speak(self, actor: Actor) -> None:
        """Send to every client unasked, a few times."""
        for _ in range(5):
            await self._speak_once(actor)
            await asyncio.sleep(0.1)

    async def _speak_once(self, actor: Actor) -> None:
        for ws in actor.websockets:
            await self._reply(actor, ws, ws.request.path.rsplit("/", 1)[-1])
