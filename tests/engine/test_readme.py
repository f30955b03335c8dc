"""The README as a reader follows it: programs saved, commands run, outputs compared."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from rivet_runner.testing.engine_binary import BINARY_VARIABLE, find_engine_binary
from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.engine.support import PROJECT
from tests.support.markdown import blocks

pytestmark = pytest.mark.real_time("the command is a process of its own")

PORT: Final = 6420
"""The engine's, in the README. Every block is run with a free one instead, as other tests run beside these."""

WHOLE_README: Final = 240.0
"""Seconds for half a dozen commands, each a process of its own, on a busy machine."""

DEV: Final = "rivet-runner dev "
SIMULATED: Final = "a simulated engine, its data is in .rivet/simulated.sqlite"
REAL: Final = "a real engine, its data is in .rivet/engine"

_FILE_NAME: Final = re.compile(r"as\s+`(\w+\.(?:py|mjs))`")


class Step(NamedTuple):
    """A block that a reader runs, the output that the README shows after it, and the prose before it."""

    text: str
    output: str
    before: str


class Readme:
    """The README's programs by file name, and what is run in order, for an engine on ``port``."""

    def __init__(self, port: int) -> None:
        self.programs: dict[str, str] = {}
        self.steps: list[Step] = []
        for block in blocks(PROJECT / "README.md"):
            text = block.text.replace(str(PORT), str(port))
            if block.language in ("python", "typescript"):
                self.programs[_FILE_NAME.findall(block.before)[-1]] = text
            if block.language in ("sh", "typescript"):
                self.steps.append(Step(text, "", block.before))
            elif block.language == "text":
                self.steps[-1] = self.steps[-1]._replace(output=text)
            else:
                assert block.language == "python", f"no reader can run a block of language {block.language!r}: {block.text}"

    @property
    def install(self) -> Step:
        return self.steps[0]

    @property
    def dev(self) -> Step:
        return self.steps[1]

    @property
    def calls(self) -> list[Step]:
        """The second terminal."""
        return self.steps[2:-1]

    @property
    def javascript(self) -> Step:
        return self.steps[-1]


class Terminals:
    """The folder of a reader who has saved the README's programs."""

    def __init__(self, folder: Path, *, real: bool) -> None:
        port = choose_ports().guard
        self.readme = Readme(port)
        self._folder = folder
        self._reader = Reader(folder, port)
        self._port = port
        self._real = real
        for name, text in self.readme.programs.items():
            (folder / name).write_text(text)

    @contextlib.asynccontextmanager
    async def engine_and_runner(self) -> AsyncIterator[None]:
        """The first terminal. Its end is that of Ctrl-C."""
        dev = self.readme.dev
        expected = dev.output.replace("--create", f"--create --endpoint http://127.0.0.1:{self._port}")
        environment = {}
        if self._real:
            expected = expected.replace(SIMULATED, REAL)
            environment[BINARY_VARIABLE] = str(find_engine_binary())
        arguments = [*shlex.split(dev.text)[1:], "--port", str(self._port)]
        async with command(*arguments, folder=self._folder, environment=environment, seconds=WHOLE_README) as program:
            await program.printed("Press Ctrl-C to stop")
            assert program.out == expected.splitlines()
            yield
            program.signal(signal.SIGINT)
            assert await program.exit_code() == 0
            told = [line for line in program.err if not line.endswith(" …")]
            assert told == ["Stopping the runner and the engine. Press Ctrl-C again to hurry."]

    async def run(self, steps: list[Step]) -> None:
        """The second terminal."""
        for step in steps:
            assert (await self._reader.runs(step.text)).strip() == step.output.strip(), step.text


@pytest.fixture
def terminals(tmp_path: Path, on_real_engine: bool) -> Terminals:
    return Terminals(tmp_path, real=on_real_engine)


async def test_every_block_does_as_shown_when_the_readme_is_followed(terminals: Terminals) -> None:
    readme = terminals.readme
    assert readme.install.text.startswith("pip install ")
    assert readme.dev.text.startswith(DEV)
    (restart,) = [index for index, step in enumerate(readme.calls) if "start them again" in step.before]
    async with terminals.engine_and_runner():
        await terminals.run(readme.calls[:restart])
    async with terminals.engine_and_runner():
        await terminals.run(readme.calls[restart:])


async def test_javascript_does_as_shown_when_it_comes_last(
    terminals: Terminals, tmp_path: Path, javascript_folder: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(javascript_folder / "node_modules")
    expected = terminals.readme.javascript.output.splitlines()
    async with terminals.engine_and_runner():
        await terminals.run(terminals.readme.calls)
        assert await _first_lines_of_node(tmp_path / "client.mjs", len(expected)) == expected


async def _first_lines_of_node(program: Path, lines: int) -> list[str]:
    """Run a program that goes on, until it has printed so many lines."""
    node = await asyncio.create_subprocess_exec("node", str(program), stdout=asyncio.subprocess.PIPE)
    assert node.stdout is not None
    try:
        async with asyncio.timeout(300):
            return [(await node.stdout.readline()).decode().strip() for _ in range(lines)]
    finally:
        node.kill()
        await node.wait()
