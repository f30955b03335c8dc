"""A reader of a guide of the command."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

from tests.engine.support import PROJECT

__all__ = ["Reader"]


class Reader:
    """Someone with a shell in which ``rivet-runner`` is this package and ``python`` this Python.

    The engine has a port of its own.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._endpoint = f"http://127.0.0.1:{port}"
        (folder / "bin").mkdir()
        for name, started in (("rivet-runner", "-m rivet_runner"), ("python", "")):
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {started} "$@"\n')
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
