"""The guide of the command, followed block by block."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

from rivet_runner.testing.engine_config import choose_ports
from tests.cli.support import command
from tests.engine.support import PROJECT
from tests.support.markdown import Block, blocks

GUIDE = PROJECT / "docs" / "command.md"


class Reader:
    """Someone with a shell in which ``rivet-runner`` is this package, whose engine has a port of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._endpoint = f"http://127.0.0.1:{port}"
        program = folder / "bin" / "rivet-runner"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rivet_runner "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    async def runs(self, script: str) -> str:
        """Run a block and return its output. It must not fail."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RIVET_")}
        variables = {
            "PATH": f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT),
            "RIVET_ENDPOINT": self._endpoint,
            "RIVET_RUNNER_NAME": "default",
        }
        process = await asyncio.create_subprocess_exec(
            "bash", "-eu", "-c", script, cwd=self._folder, env=inherited | variables, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0, script
        return out.decode()


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
