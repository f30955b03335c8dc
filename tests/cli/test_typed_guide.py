"""The first section of the guide of typed actors, followed block by block."""

from __future__ import annotations

import signal
from pathlib import Path

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.docs.pages import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "actors.md"
PORT = "6420"


def first_section() -> list[Block]:
    """The blocks of the guide up to the test of its program."""
    found = blocks(GUIDE)
    end = next(index for index, block in enumerate(found) if "def test_" in block.text)
    return found[:end]


async def test_program_works_when_it_is_followed(tmp_path: Path) -> None:
    program, dev, client, run, counted, curl, answer = first_section()
    port = str(choose_ports().guard)
    (tmp_path / "counting.py").write_text(program.text)
    (tmp_path / "count_up.py").write_text(client.text.replace(PORT, port))
    reader = Reader(tmp_path, int(port))
    arguments = dev.text.split()
    assert arguments[0] == "rivet-runner"
    async with command(*arguments[1:], "--engine", "simulated", "--port", port, folder=tmp_path) as engine:
        await engine.printed("Press Ctrl-C to stop")
        assert await reader.runs(run.text) == counted.text
        assert (await reader.runs(curl.text.replace(PORT, port))).strip() == answer.text.strip()
        engine.signal(signal.SIGINT)
        assert await engine.exit_code() == 0
