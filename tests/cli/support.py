"""The command in a process of its own, as a user or a script runs it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.engine.support import PROJECT, Program

__all__ = ["Finished", "Terminal", "command", "module", "run_command", "told"]


PYTHON: Final = {"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}
"""Tests save a module twice within a second. Python would take the compiled first one for that of the second, if both are of
the same size."""


class Finished(NamedTuple):
    """A command that has ended. ``err`` is without its progress."""

    status: int
    out: list[str]
    err: list[str]

    @property
    def json(self) -> Any:
        return json.loads("\n".join(self.out))

    @property
    def error(self) -> str:
        """The one line of an error."""
        (line,) = self.err
        return line


def command(
    *arguments: str,
    folder: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
    seconds: float = 180.0,
    stdin: int = asyncio.subprocess.DEVNULL,
) -> Program:
    """The command, started in ``folder``, as a program that goes on."""
    variables = {**PYTHON, **(environment or {})}
    return Program("-m", "rivet_runner", *arguments, folder=folder, environment=variables, seconds=seconds, stdin=stdin)


async def run_command(
    *arguments: str, folder: Path = PROJECT, environment: Mapping[str, str] | None = None, seconds: float = 180.0
) -> Finished:
    """Run the command to its end."""
    async with command(*arguments, folder=folder, environment=environment, seconds=seconds) as program:
        status = await program.exit_code()
    return Finished(status, program.out, told(program))


def told(program: Program) -> list[str]:
    """The lines on standard error, without those of progress. On a busy machine anything may take the second after which
    progress is shown."""
    return [line for line in program.err if not line.endswith(" …")]


def module(folder: Path, text: str, name: str = "app.py") -> Path:
    """Save a module of a user."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


class Terminal:
    """The command in a terminal of its own. Use it with ``async with``: what is left of it at the end is killed."""

    def __init__(self, *arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RIVET_")}
        self._environment = {**inherited, **PYTHON, "TERM": "xterm", **(environment or {})}
        self._seen = bytearray()

    @property
    def text(self) -> str:
        return self._seen.decode(errors="replace")

    async def __aenter__(self) -> Terminal:
        self._ours, theirs = pty.openpty()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "rivet_runner",
            *self._arguments,
            cwd=self._folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)

    def _read(self) -> None:
        try:
            self._seen += os.read(self._ours, 65_536)
        except OSError:  # the other end is closed
            asyncio.get_running_loop().remove_reader(self._ours)

    def write(self, text: str) -> None:
        """Type something."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, which reaches each process in the foreground."""
        os.killpg(self._process.pid, signal.SIGINT)

    async def exit_code(self) -> int:
        return await self._process.wait()
