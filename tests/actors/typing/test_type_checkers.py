"""Type checkers know the types in programs of typed actors, without a plugin, and find the mistakes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DECLARING = """
from typing import Any, assert_type
import dataclasses
import msgspec
import pydantic
from rivet_runner.actors import Connection, DurableActor, Event, action

class State(msgspec.Struct):
    count: int = 0

@dataclasses.dataclass
class Point:
    x: int = 0

class Model(pydantic.BaseModel):
    name: str = ""

class Room(DurableActor[State], name="room"):
    changed = Event[int]()
    renamed = Event[str](name="other")
    sleep_after = None

    def initial_state(self, input: int) -> State:
        return State(input)

    @action
    async def say(self, text: str, times: int = 1) -> int:
        assert_type(self.state, State)
        assert_type(self.state.count, int)
        self.state = State(3)
        assert_type(await self.changed.emit(self.state.count), int)
        await self.changed.emit(1, to=[*self.connections.values()], without=self.caller)
        self.state.count = "3"  # wrong
        self.state.missing  # wrong
        self.state = 3  # wrong
        await self.changed.emit("1")  # wrong
        await self.renamed.emit(1)  # wrong
        await self.changed.emit()  # wrong
        await self.changed.emit(1, to=3)  # wrong
        self.changed.name  # wrong
        return await self.say(text, times + 1)

    @action(name="loud", timeout=5)
    async def shout(self, text: str) -> str:
        await self.say("x", "y")  # wrong
        await self.say()  # wrong
        await self.say("x", tims=2)  # wrong
        assert_type(await self.say("x"), int)
        return text

    @action  # wrong
    def sync(self) -> None: ...

    @action(nmae="x")  # wrong
    async def misspelt(self) -> None: ...

    @action(timeout="5")  # wrong
    async def slow(self) -> None: ...

class Wrong(DurableActor[State]):
    sleep_after = "5"  # wrong
    hibernate = 5  # wrong
    def initial_state(self, input: Any) -> int:  # wrong
        return 1
    async def on_connect(self, connection: int) -> None: ...  # wrong
    def on_start(self) -> None: ...  # wrong
    async def before_connect(self, params: Any) -> None: ...  # wrong

class WithPoint(DurableActor[Point]):
    async def on_connect(self, connection: Connection) -> None:
        assert_type(self.state, Point)
        assert_type(connection.state, dict[str, Any])

class WithModel(DurableActor[Model]):
    async def on_start(self) -> None:
        assert_type(self.state, Model)

class WithDict(DurableActor[dict[str, int]]):
    async def on_start(self) -> None:
        assert_type(self.state, dict[str, int])
        self.state["a"] = "b"  # wrong

class Stateless(DurableActor[None]):
    async def on_start(self) -> None:
        assert_type(self.state, None)
        self.state.count  # wrong

assert_type(Room.changed, Event[int])
Event[int](nmae="x")  # wrong
"""


CALLING = """
from collections.abc import AsyncIterator
from typing import Any, assert_type
import msgspec
from rivet_runner.actors import App, Client, DurableActor, Event, action
from rivet_runner.actors.client import ActorHandle
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import SimulatedEngine

class Message(msgspec.Struct):
    text: str

class Room(DurableActor[None]):
    said = Event[Message]()

    @action
    async def say(self, text: str, times: int = 1) -> Message:
        other = self.client.get(Room, "b")
        assert_type(other, ActorHandle[Room])
        assert_type(await other.call(Room.say, "hi"), Message)
        await other.call(Room.say, 1)  # wrong
        return Message(text)

    @action(name="loud")
    async def shout(self) -> None: ...

    async def ring(self, message: Message, times: int) -> None:
        await self.schedule.after(1, self.ring, message, 2)
        await self.schedule.every("x", 1, self.ring, message, 2, retries=5)
        await self.schedule.after(1, self.ring, message)  # wrong
        await self.schedule.after("1", self.ring, message, 2)  # wrong
        await self.schedule.at(1, self.ring, message, 2)  # wrong
        await self.schedule.cron("x", "* * * * *", self.ring, 2, message)  # wrong

class Other(DurableActor[None]):
    @action
    async def ping(self) -> int: ...  # type: ignore[empty-body]

async def call(client: Client) -> None:
    room = client.get_or_create(Room, "a", input={"size": 3}, params={"token": "x"})
    assert_type(room, ActorHandle[Room])
    assert_type(await room.call(Room.say, "hi"), Message)
    assert_type(await room.call(Room.say, "hi", times=2), Message)
    assert_type(await room.call(Room.shout), None)
    assert_type(await room.call("say", 1, 2, 3), Any)
    assert_type(await client.create(Room), ActorHandle[Room])
    assert_type(client.get("room", "a"), ActorHandle[Any])
    assert_type(await client.get("room").call(Other.ping), int)
    await room.call(Room.say)  # wrong
    await room.call(Room.say, 5)  # wrong
    await room.call(Room.say, "hi", tims=2)  # wrong
    await room.call(Room.shout, "hi")  # wrong
    await room.call(Other.ping)  # wrong
    await room.call(Room.missing)  # wrong
    await room.call("say", text="hi")  # wrong
    client.get(Room, 5)  # wrong
    client.get_or_create(Room, "a", inputs=3)  # wrong
    client.get(5)  # wrong

async def watch(client: Client) -> None:
    async with client.get(Room, "a").connect() as live:
        assert_type(await live.call(Room.say, "hi"), Message)
        said: AsyncIterator[Message] = live.on(Room.said)
        async for message in said:
            assert_type(message, Message)
        async for value in live.on("said"):
            assert_type(value, Any)
        async for message in live.on(Room.said):
            message.missing  # wrong
        live.on(5)  # wrong
        live.on(Room.say)  # wrong
        await live.call(Other.ping)  # wrong

app = App(Room, Other, runner_name="x", stop_timeout=5)
serverless_app(app)
serverless_app(app, token="x", runner_name="y")
App(Room, runer_name="x")  # wrong
App(Message)  # wrong
App(Room, stop_timeout="5")  # wrong

async def host(engine: SimulatedEngine) -> None:
    async with engine.host(app) as runner:
        assert_type(runner.connected, bool)
        runner.missing  # wrong
    assert_type(engine.client, Client)
"""


def wrong_lines(program: str) -> set[int]:
    return {number for number, line in enumerate(program.splitlines(), 1) if line.endswith("# wrong")}


def reported_lines(checker: str, program: Path) -> tuple[set[int], str]:
    command = shutil.which(checker, path=str(Path(sys.executable).parent))
    assert command is not None
    arguments = ["--pythonpath", sys.executable] if checker == "pyright" else ["--strict", "--no-incremental"]
    found = subprocess.run([command, *arguments, str(program)], capture_output=True, text=True, timeout=300, check=False)
    lines = {
        int(line.split(f"{program.name}:")[1].split(":")[0])
        for line in found.stdout.splitlines()
        if f"{program.name}:" in line and "error" in line
    }
    return lines, found.stdout + found.stderr


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
@pytest.mark.parametrize("program", [DECLARING, CALLING], ids=["declaring", "calling"])
def test_exactly_the_mistakes_are_found(checker: str, program: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(program)
    found, output = reported_lines(checker, file)
    assert found == wrong_lines(program), output
