"""A contestant's process: its CPU time and its memory, read from the system."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["PROJECT", "RunnerProcess"]

PROJECT: Final = Path(__file__).parents[1]


class RunnerProcess:
    """Runs ``command`` in the project's folder. What it prints is kept, and shown when it was ended by itself."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._popen = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def cpu_seconds(self) -> float:
        """CPU time of all its threads so far, user and system, in nanosecond steps."""
        # The clock id of another process's CPU time, as clock_getcpuclockid(3) of Linux computes it.
        return time.clock_gettime(~self.pid << 3 | 2)

    def memory_bytes(self) -> int:
        """Resident memory."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"the system does not tell the memory of process {self.pid}")

    def output(self) -> str:
        """The end of what it printed."""
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-4000:]

    def end(self) -> None:
        """Kill it; what it printed goes to standard error, because an echo runner has nothing to say."""
        self._popen.kill()
        self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        if output := self.output():
            print(output, file=sys.stderr)
        self._output.close()
