"""The first program of the guide of typed actors, followed block by block, JavaScript included."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.docs.pages import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "actors.md"
PORT = "6420"


def first_section() -> list[Block]:
    """The blocks of the guide up to the test of its first program."""
    found = [*blocks(GUIDE)]
    end = next(index for index, block in enumerate(found) if "def test_" in block.text)
    return found[:end]


async def output_of_node(script: Path, lines: int) -> list[str]:
    """Run a program that goes on, until it has printed so many lines."""
    node = await asyncio.create_subprocess_exec("node", str(script), stdout=asyncio.subprocess.PIPE)
    assert node.stdout is not None
    try:
        return [(await node.stdout.readline()).decode().strip() for _ in range(lines)]
    finally:
        node.kill()
        await node.wait()


@pytest.mark.real_engine("the command starts an engine of its own")
async def test_first_program_works_when_it_is_followed(tmp_path: Path, javascript_folder: Path) -> None:
    install, program, dev, client, run, counted, javascript, heard, curl, answer = first_section()
    assert install.text.startswith("pip install ")
    port = str(choose_ports().guard)
    (tmp_path / "counting.py").write_text(program.text)
    (tmp_path / "count_up.py").write_text(client.text.replace(PORT, port))
    (tmp_path / "count.mjs").write_text(javascript.text.replace(PORT, port))
    (tmp_path / "node_modules").symlink_to(javascript_folder / "node_modules")
    reader = Reader(tmp_path, int(port))
    arguments = dev.text.split()
    assert arguments[0] == "rivet-runner"
    async with command(*arguments[1:], "--engine", "simulated", "--port", port, folder=tmp_path) as engine:
        await engine.printed("Press Ctrl-C to stop")
        assert await reader.runs(run.text) == counted.text
        expected = heard.text.split("\n")[:-1]
        async with asyncio.timeout(60):
            assert await output_of_node(tmp_path / "count.mjs", len(expected)) == expected
        assert (await reader.runs(curl.text.replace(PORT, port))).strip() == answer.text.strip()
        engine.signal(signal.SIGINT)
        assert await engine.exit_code() == 0
