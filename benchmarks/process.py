"""A contestant's process: its CPU time and its memory, read from the system."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

__all__ = ["PROJECT", "RunnerProcess", "standard_input_ended", "uvloop_factory"]

PROJECT: Final = Path(__file__).parents[1]


class RunnerProcess:
    """Runs ``command`` in the project's folder, and is killed when the ``with`` block ends.

    The end of its output is then shown on standard error: an echo runner has nothing to say.
    """

    def __init__(self, command: Sequence[str], **environment: str) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._popen = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        self.pid: Final = self._popen.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._popen, self._output:
            self._popen.kill()
            self._popen.wait()
            self._output.seek(0)
            if output := self._output.read().decode(errors="replace")[-4000:]:
                print(output, file=sys.stderr)

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, user and system, in nanosecond steps."""
        # The clock id of another process's CPU time, as clock_getcpuclockid(3) of Linux computes it.
        return time.clock_gettime(~self.pid << 3 | 2)

    def memory_bytes(self) -> int:
        """Resident memory."""
        _, figure = Path(f"/proc/{self.pid}/smaps_rollup").read_text().split("Rss:")
        return int(figure.split()[0]) * 1024


def uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The factory of uvloop's event loops, or `None` if it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def standard_input_ended() -> None:
    """Wait until standard input ends, with which a contestant ends too."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
