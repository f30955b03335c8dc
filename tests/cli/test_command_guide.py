"""The guide of the command, followed block by block."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.engine.support import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "command.md"


def sections() -> tuple[list[Block], list[Block]]:
    """The blocks of the guide but those about typed actors, and those."""
    found = blocks(GUIDE)
    begin = next(index for index, block in enumerate(found) if "## Talk to typed actors" in block.before)
    end = next(index for index, block in enumerate(found) if "## Production" in block.before)
    return [*found[:begin], *found[end:]], found[begin:end]


async def test_guide_works_when_it_is_followed(tmp_path: Path) -> None:
    (install, program, dev, *rest), _ = sections()
    assert install.text.startswith("pip install ")
    (tmp_path / "counter.py").write_text(program.text)
    port = choose_ports().guard
    reader = Reader(tmp_path, port)
    arguments = dev.text.split()
    assert arguments[0] == "rivet-runner"
    async with command(*arguments[1:], "--engine", "simulated", "--port", str(port), folder=tmp_path) as engine:
        await engine.printed("Press Ctrl-C to stop")
        for block, following in zip(rest, [*rest[1:], Block("", "", "")], strict=True):
            if block.language == "text":
                continue
            if " run counter:Counter" in block.text:
                await _runs_and_drains(block, f"http://127.0.0.1:{port}", tmp_path)
                continue
            out = await reader.runs(block.text)
            if following.language == "text":
                assert out.strip() == following.text.strip()
        engine.signal(signal.SIGINT)
        assert await engine.exit_code() == 0


async def _runs_and_drains(block: Block, endpoint: str, folder: Path) -> None:
    arguments = [word.replace('"$RIVET_ENDPOINT"', endpoint) for word in block.text.split()]
    async with command(*arguments[1:], folder=folder) as program:
        await program.printed("4 workers run counter:Counter")
        program.signal(signal.SIGTERM)
        assert await program.exit_code() == 0


async def test_typed_actors_can_be_talked_to_as_the_guide_shows(tmp_path: Path) -> None:
    _, (install, call, counted, calls, results, connect, heard) = sections()
    assert install.text.startswith("pip install ")
    program = next(block for block in blocks(PROJECT / "docs" / "actors.md") if "app = App(Counter)" in block.text)
    (tmp_path / "counting.py").write_text(program.text)
    port = choose_ports().guard
    reader = Reader(tmp_path, port)
    arguments = ["dev", "counting:app", "--engine", "simulated", "--port", str(port)]
    async with command(*arguments, folder=tmp_path) as engine:
        await engine.printed("Press Ctrl-C to stop")
        assert await reader.runs(call.text) == counted.text
        assert await reader.runs(calls.text) == results.text
        listening = connect.text.split()[1:]
        pipe = asyncio.subprocess.PIPE
        async with command(*listening, "--endpoint", f"http://127.0.0.1:{port}", folder=tmp_path, stdin=pipe) as listener:
            listener.write("increment 1\n")
            await listener.printed(heard.text.strip())
