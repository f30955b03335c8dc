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


def wrong_lines(program: str) -> set[int]:
    return {number for number, line in enumerate(program.splitlines(), 1) if line.endswith("# wrong")}


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_exactly_the_mistakes_are_found(checker: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(DECLARING)
    command = shutil.which(checker, path=str(Path(sys.executable).parent))
    assert command is not None
    arguments = ["--pythonpath", sys.executable] if checker == "pyright" else ["--strict", "--no-incremental"]
    found = subprocess.run([command, *arguments, str(program)], capture_output=True, text=True, timeout=300, check=False)
    reported = {
        int(line.split("program.py:")[1].split(":")[0])
        for line in found.stdout.splitlines()
        if "program.py:" in line and "error" in line
    }
    assert reported == wrong_lines(DECLARING), found.stdout + found.stderr
