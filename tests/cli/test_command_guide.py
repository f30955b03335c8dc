"""The guide of the command, followed block by block."""

from __future__ import annotations

import signal
from pathlib import Path

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.reader import Reader
from tests.cli.support import command
from tests.engine.support import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "command.md"


async def test_guide_works_when_it_is_followed(tmp_path: Path) -> None:
    install, program, dev, *rest = blocks(GUIDE)
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
