"""A chat in which each room is an actor. A silent room sleeps, and its members stay connected.

``make dev-chat`` starts an engine, this runner and a room, and prints the URL of the room. Open the URL in two browser tabs,
and write a message. After 20 seconds of silence, the room goes to sleep. Write another message: the room wakes, as the next
generation of its actor, and the page shows that it has connected only once.

To use an engine of your own, run ``python -m examples.chat``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rivet_runner import Actor, Request, Response, Runner, WebSocket

PAGE: Final = Path(__file__).with_name("chat.html").read_bytes()
HISTORY: Final = 50
"""Number of messages that a room keeps and shows to new members."""


class Event(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """A message on the WebSocket, in JSON: ``{"type": "say", "text": "Hello"}``."""


class Join(Event, frozen=True):
    """Sent by the page as its first message: the name of the member."""

    name: Annotated[str, msgspec.Meta(pattern=r"\S", max_length=32)]


class Say(Event, frozen=True):
    """Sent by the page: a message to the room."""

    text: Annotated[str, msgspec.Meta(pattern=r"\S", max_length=2000)]


class Awake(Event, frozen=True):
    """Sent to a page when it connects, and again when its room wakes. Only the page's display needs it."""

    generation: int


class Said(Event, frozen=True):
    number: int
    name: str
    text: str
    at: float


class Welcome(Event, frozen=True):
    history: list[Said]


class Joined(Event, frozen=True):
    name: str
    members: list[str]


class Left(Event, frozen=True):
    name: str
    members: list[str]


@dataclass
class Room:
    """`Actor.state` of an awake room."""

    history: deque[Said]
    active_at: float


class ChatRooms(Runner):
    idle_seconds: float = 20.0
    """Silence after which a room goes to sleep, in seconds."""

    async def on_actor_start(self, actor: Actor) -> None:
        stored = await actor.kv.list(b"said/")
        said = [msgspec.json.decode(value, type=Said) for value in stored.values()]
        history = deque(sorted(said, key=lambda said: said.number), HISTORY)
        actor.state = Room(history, active_at=time.monotonic())
        actor.spawn(self.sleep_when_idle(actor))

    async def fetch(self, actor: Actor, request: Request) -> Response:
        if request.method != "GET" or request.path != "/":
            return Response("not found", status=404)
        return Response(PAGE, headers={"content-type": "text/html; charset=utf-8"})

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return True

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        # This also runs when the room wakes, once for each restored WebSocket, and the attachment still holds the name. If
        # the client left while the room slept, the loop ends at once.
        if ws.close_code is None:
            await ws.send(encode(Awake(actor.generation)))
        async for message in ws:
            actor.state.active_at = time.monotonic()
            try:
                event = msgspec.json.decode(message, type=Join | Say)
            except msgspec.DecodeError as error:
                await ws.close(1007, str(error))
            else:
                await self.on_event(actor, ws, event)
        asleep = ws.close_code is None
        name = ws.attachment.decode()
        if name and not asleep and name not in members(actor):
            await actor.broadcast(encode(Left(name, members(actor))))

    async def on_event(self, actor: Actor, ws: WebSocket, event: Join | Say) -> None:
        room: Room = actor.state
        match event:
            case Join(name) if not ws.attachment:
                is_new = name not in members(actor)
                ws.attachment = name.encode()
                await ws.send(encode(Welcome(list(room.history))))
                reply = encode(Joined(name, members(actor)))
                await (actor.broadcast(reply) if is_new else ws.send(reply))
            case Say(text) if ws.attachment:
                number = room.history[-1].number + 1 if room.history else 0
                said = Said(number, ws.attachment.decode(), text, at=time.time())
                room.history.append(said)
                await actor.broadcast(encode(said))
                # The keys form a ring: a new message replaces the oldest one.
                await actor.kv.put(b"said/%d" % (number % HISTORY), msgspec.json.encode(said))

    async def sleep_when_idle(self, actor: Actor) -> None:
        while (seconds := actor.state.active_at + self.idle_seconds - time.monotonic()) > 0:
            await asyncio.sleep(seconds)
        actor.sleep()


def members(actor: Actor) -> list[str]:
    """The names of the connected members, sorted."""
    return sorted({ws.attachment.decode() for ws in actor.websockets} - {""})


def encode(event: Event) -> str:
    return msgspec.json.encode(event).decode()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    ChatRooms(runner_name="chat").run()
