"""The engine as an operating-system process that does not outlive Python.

The module uses ``subprocess`` and polling. asyncio's subprocess support would bind the process to one event loop, but
tests with different loops share an engine.

**Nothing outlives this process.** The engine has its own process group, so Ctrl-C only reaches Python, which then
stops the engine in order. A watchdog runs beside it: a shell that reads from a pipe whose other end only this process
has. When this process ends in any way, SIGKILL included, the pipe closes. The watchdog then kills the process group
and removes the temporary data. This works on all POSIX systems and needs no code between fork and exec.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["EngineProcess"]

# A line on the pipe tells the watchdog that the engine has ended. The end of the pipe without a line tells it that
# Python has ended. The pause gives the killed engine time to close its files before they are removed.
_WATCHDOG_SCRIPT = 'read -r line || { kill -9 "-$1"; [ -z "$2" ] || { sleep 0.5; rm -rf "$2"; }; }'
_POLL_SECONDS = 0.01
# Variables that would change the engine's configuration or log, send its loopback calls to a proxy, or slow it down.
# With RUST_BACKTRACE the engine takes a backtrace for each message through the tunnel, which costs 2 ms a message.
_DROPPED_PREFIXES = ("RIVET__", "RUST_LOG", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE")
_DROPPED_SUFFIX = "_PROXY"


class EngineProcess:
    """One run of the engine. It appends its output to ``log_path``.

    The watchdog removes ``orphaned_directory`` if this Python process ends before the engine.
    """

    def __init__(self, command: Sequence[str], *, log_path: Path, orphaned_directory: Path | None = None) -> None:
        with log_path.open("ab") as log:
            self.log_offset: int = log.tell()
            self.popen: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        try:
            self._watchdog = _start_watchdog(self.popen.pid, orphaned_directory)
        except BaseException:
            self.popen.kill()
            self.popen.wait()
            raise

    @property
    def pid(self) -> int:
        """The engine's process id, which is also the id of its process group."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """Return the exit code, or `None` while the process runs. A negative code is the signal that ended it."""
        code = self.popen.poll()
        if code is not None:
            self._release_watchdog()
        return code

    async def wait(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds and return whether the process has ended. Cancelling does not affect it."""
        deadline = time.monotonic() + timeout
        while self.exit_code() is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM)."""
        self.popen.terminate()

    def kill(self) -> None:
        """Kill the process and its children (SIGKILL), and wait some milliseconds until it is gone."""
        # Until this process has waited for it, its id cannot belong to another process.
        if self.popen.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
        self._release_watchdog()

    def _release_watchdog(self) -> None:
        if self._watchdog.stdin is None or self._watchdog.stdin.closed:
            return
        with contextlib.suppress(BrokenPipeError):
            self._watchdog.stdin.write(b"\n")
        self._watchdog.stdin.close()
        self._watchdog.wait()


def _start_watchdog(group: int, directory: Path | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHDOG_SCRIPT, "rivet-engine-watchdog", str(group), str(directory or "")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Unbuffered, because closing a buffer that still has the line could fail.
        bufsize=0,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_DROPPED_PREFIXES) and not name.upper().endswith(_DROPPED_SUFFIX)
    }
