"""The guide of HTTP and WebSockets as a reader follows it: programs saved, commands run, outputs compared."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.engine_config import choose_ports
from tests.engine.support import PROJECT, Program
from tests.support.markdown import blocks
from tests.support.waiting import eventually

pytestmark = pytest.mark.real_time("the programs are processes of their own")

PORT = 6420
"""The engine's, in the guide. Every block is run with a free one instead."""

WHOLE_GUIDE = 240.0
"""Seconds for all commands of the guide, on a busy machine."""

INSTALLS = ("pip install ", "npm install ")
ENGINE, RUNNER, CALL = "python engine.py", "python raw_counter.py", 'curl -X POST "http://127.0.0.1:6420/gateway/'

_FILE_NAME = re.compile(r"as\s+`(\w+\.py)`")
_ACTOR_ID = re.compile(r"\b[0-9a-z]{30}\b")
_END_OF_BLOCK = "--- end of block ---"


class Command(NamedTuple):
    """A shell block, and the output that the guide shows after it, if it shows one."""

    text: str
    output: str | None


class Guide:
    """The guide's programs by file name, and its commands in order, for an engine on ``port``."""

    def __init__(self, port: int) -> None:
        self.programs: dict[str, str] = {}
        self.commands: list[Command] = []
        for block in blocks(PROJECT / "docs" / "raw.md"):
            text = block.text.replace(str(PORT), str(port))
            if block.language == "python":
                self.programs[_FILE_NAME.findall(block.before)[-1]] = text
            elif block.language == "sh":
                self.commands.append(Command(text, None))
            elif block.language == "text":
                self.commands[-1] = Command(self.commands[-1].text, text)
            else:
                raise AssertionError(f"no reader can run a block of language {block.language!r}: {block.text}")

    def save_programs(self, folder: Path) -> None:
        for name, text in self.programs.items():
            (folder / name).write_text(text)

    def output_of(self, command: str) -> str:
        (output,) = (known.output for known in self.commands if known.text.strip() == command)
        return output or ""

    def third_terminal(self) -> list[Command]:
        """The commands that come back; the two programs that stay up have terminals of their own."""
        return [
            command
            for command in self.commands
            if command.text.strip() not in (ENGINE, RUNNER) and not command.text.startswith(INSTALLS)
        ]


class Terminals:
    """A folder with the guide's programs in it, and the environment in which its commands run."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        # The package of this checkout, the Python of this run, and no proxy for loopback.
        self.environment = {
            "PYTHONPATH": str(PROJECT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "NO_PROXY": "*",
            "RIVET_ENDPOINT": f"http://127.0.0.1:{port}",
        }

    def start(self, command: str) -> Program:
        """A program that stays up, to be used as ``async with``."""
        python, *arguments = shlex.split(command)
        assert python == "python"
        return Program(*arguments, environment=self.environment, folder=self.folder, seconds=WHOLE_GUIDE)

    async def run(self, commands: list[Command]) -> list[str]:
        """Run the commands one after another in one shell, and return the output of each."""
        script = "".join(f"{command.text}\necho; echo '{_END_OF_BLOCK}'\n" for command in commands)
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            script,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await shell.communicate()
        assert shell.returncode == 0, (out.decode(), err.decode())
        *outputs, rest = out.decode().split(f"{_END_OF_BLOCK}\n")
        assert rest == ""
        return outputs


@pytest.fixture
def port() -> int:
    return choose_ports().guard


async def test_every_block_does_as_shown_when_the_guide_is_followed(port: int, tmp_path: Path, on_real_engine: bool) -> None:
    guide = Guide(port)
    guide.save_programs(tmp_path)
    terminals = Terminals(tmp_path, port)
    commands = guide.third_terminal()
    calls = [index for index, command in enumerate(commands) if command.text.startswith(CALL.replace("6420", str(port)))]
    async with _real_engine(port) if on_real_engine else _engine_of_the_guide(guide, terminals):
        async with terminals.start(RUNNER) as runner:
            await _runner_is_listed(port)
            outputs = await terminals.run(commands)
            for command, output in zip(commands, outputs, strict=True):
                if command.output is not None:
                    assert _without_ids(output) == _without_ids(command.output), command.text
            await _interrupt(runner)
            assert runner.out == guide.output_of(RUNNER).splitlines() == []
            assert runner.err == []
        async with terminals.start(RUNNER) as runner:
            actor = _ACTOR_ID.search("".join(outputs))
            assert actor is not None
            (again,) = await terminals.run([Command(f"ACTOR_ID={actor[0]}\n{commands[calls[-1]].text}", None)])
            assert again.strip() == f'{{"count":{len(calls) + 1}}}'
            await _interrupt(runner)


def _real_engine(port: int) -> LocalEngine:
    """It takes the place of the guide's program."""
    return LocalEngine(port=port)


@contextlib.asynccontextmanager
async def _engine_of_the_guide(guide: Guide, terminals: Terminals) -> AsyncIterator[None]:
    async with terminals.start(ENGINE) as engine:
        await engine.printed(guide.output_of(ENGINE).strip())
        yield
        await _interrupt(engine)
        assert engine.out == guide.output_of(ENGINE).splitlines()
        assert engine.err == []


async def _interrupt(program: Program) -> None:
    """What Ctrl-C does."""
    program.signal(signal.SIGINT)
    assert await program.exit_code() == 0, program.err


async def _runner_is_listed(port: int) -> None:
    """Return once a reader who types quickly would have got to the next terminal."""
    api = EngineApi(f"http://127.0.0.1:{port}")
    await eventually(lambda: api.list_runners("counter"))


def _without_ids(text: str) -> str:
    return _ACTOR_ID.sub("ACTOR_ID", text.strip())
