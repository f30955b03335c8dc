"""The guide of the command, followed block by block."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.docs.pages import README, programs
from tests.engine.support import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "command.md"

WHOLE_GUIDE = 240.0
"""Seconds for a dozen commands, each a process of its own, on a busy machine."""


async def test_guide_works_when_it_is_followed(tmp_path: Path) -> None:
    install, dev, *rest = blocks(GUIDE)
    assert install.text.startswith("pip install ")
    (counter,) = (program for program in programs(README) if program.name == "counter")
    (tmp_path / "counter.py").write_text(counter.text)
    port = choose_ports().guard
    endpoint = f"http://127.0.0.1:{port}"
    reader = Reader(tmp_path, port)
    program, *arguments = dev.text.split()
    assert program == "rivet-runner"
    options = ["--engine", "simulated", "--port", str(port)]
    async with command(*arguments, *options, folder=tmp_path, seconds=WHOLE_GUIDE) as engine:
        await engine.printed("Press Ctrl-C to stop")
        for block, following in zip(rest, [*rest[1:], Block("", "", "")], strict=True):
            expected = following.text if following.language == "text" else None
            if block.language == "text":
                continue
            if " run counter:app" in block.text:
                await _runs_and_drains(block, endpoint, tmp_path)
            elif expected is not None and expected.startswith("changed "):
                await _hears(block, expected, endpoint, tmp_path)
            else:
                out = await reader.runs(block.text)
                assert expected is None or out.strip() == expected.strip()
        engine.signal(signal.SIGINT)
        assert await engine.exit_code() == 0


async def _hears(block: Block, expected: str, endpoint: str, folder: Path) -> None:
    """An event, of a call that the listener makes itself: nothing tells when another connection has subscribed."""
    pipe = asyncio.subprocess.PIPE
    async with command(*block.text.split()[1:], "--endpoint", endpoint, folder=folder, stdin=pipe) as listener:
        listener.write("increment 1\n")
        await listener.printed(expected.strip())


async def _runs_and_drains(block: Block, endpoint: str, folder: Path) -> None:
    arguments = [word.replace('"$RIVET_ENDPOINT"', endpoint) for word in block.text.split()]
    async with command(*arguments[1:], folder=folder) as program:
        await program.printed("4 workers run counter:app")
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0
