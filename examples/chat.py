"""A chat in which each room is a typed actor, and whose page uses the JavaScript client. A silent room sleeps, and its
members stay connected.

``make dev-chat`` builds the client for the page, starts an engine, this program and a room, and prints the URL of the room.
Open the URL in two browser tabs, and write a message. After 20 seconds of silence, or at most 40, the room goes to sleep.
Write another message: the room wakes, as the next generation of its actor, and the page shows that it has connected only
once.

To use an engine of your own, run ``python -m examples.chat``.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from rivet_runner import Request, Response
from rivet_runner.actors import App, Connection, DurableActor, Event, UserError, action

PAGE: Final = Path(__file__).with_name("chat.html")
CLIENT: Final = Path(__file__).parents[1] / "build" / "rivetkit-client.js"
"""The JavaScript client in one file. ``tools/build_chat_client.sh`` makes it."""

HISTORY: Final = 50
"""Number of messages that a room keeps and shows to new members."""


class Guest(msgspec.Struct, frozen=True):
    """The parameters of a connection."""

    name: Annotated[str, msgspec.Meta(pattern=r"\S", max_length=32)]


class Said(msgspec.Struct, frozen=True):
    number: int
    name: str
    text: str
    at: datetime


class Presence(msgspec.Struct, frozen=True):
    """A member has come or gone, and these are in the room now."""

    name: str
    members: list[str]


class Welcome(msgspec.Struct, frozen=True):
    generation: int
    members: list[str]
    history: list[Said]


class Talk(msgspec.Struct):
    """The state of a room."""

    said: int = 0
    history: list[Said] = []


class Room(DurableActor[Talk], name="chatRoom"):
    sleep_after = 20.0

    said = Event[Said]()
    joined = Event[Presence]()
    left = Event[Presence]()
    awake = Event[int]()

    async def on_start(self) -> None:
        self.log.info("awake, generation %d", self.generation)
        await self.awake.emit(self.generation)  # to those who stayed connected while the room slept

    async def on_sleep(self) -> None:
        self.log.info("falling asleep with %d members connected", len(self.connections))

    async def before_connect(self, params: Any, request: Request) -> dict[str, Any] | None:
        if request.path.startswith("/request/"):
            return None  # a browser asks for the page
        try:
            return {"name": msgspec.convert(params, Guest).name.strip()}
        except msgspec.ValidationError as error:
            raise UserError(f"not a name: {error}", code="bad_name") from None

    async def on_connect(self, connection: Connection) -> None:
        name = connection.state["name"]
        if sum(each.state["name"] == name for each in self.connections.values()) == 1:
            await self.joined.emit(Presence(name, self.members()), without=connection)

    async def on_disconnect(self, connection: Connection) -> None:
        name = connection.state["name"]
        if name not in self.members():
            await self.left.emit(Presence(name, self.members()))

    @action
    async def enter(self) -> Welcome:
        """Tell a new member what was said, and who is here."""
        return Welcome(self.generation, self.members(), self.state.history)

    @action
    async def say(self, text: Annotated[str, msgspec.Meta(pattern=r"\S", max_length=2000)]) -> None:
        """Say something to the room."""
        assert self.caller is not None
        said = Said(self.state.said, self.caller.state["name"], text, self.now())
        self.state.said += 1
        self.state.history = [*self.state.history, said][-HISTORY:]
        await self.said.emit(said)

    async def on_request(self, request: Request) -> Response:
        if request.path == "/":
            return await file(PAGE, "text/html; charset=utf-8")
        if request.path == "/client.js":
            return await file(CLIENT, "text/javascript; charset=utf-8")
        return Response("not found", status=404)

    def members(self) -> list[str]:
        """The names of the connected members, sorted."""
        return sorted({connection.state["name"] for connection in self.connections.values()})


async def file(path: Path, content_type: str) -> Response:
    """The content of a file."""
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        return Response(f"{path.name} is missing: run tools/build_chat_client.sh", status=404)
    return Response(content, headers={"content-type": content_type})


app = App(Room)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
