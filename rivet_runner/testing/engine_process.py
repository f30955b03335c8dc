"""The engine as an operating-system process that cannot be left behind.

It is started with ``subprocess`` and waited for by looking, not with asyncio's subprocess support: that
binds a process to one event loop, and an engine is shared by tests that each have a loop of their own.

**Nothing outlives this process.** The engine runs in a process group of its own, so that Ctrl-C reaches
Python alone, which then ends the engine in order. Beside it runs a watchdog: a shell that reads from a pipe
whose other end only this process holds. When this process ends in whatever way, SIGKILL included, the pipe
closes, and the watchdog kills the group and removes the temporary data. That works on every POSIX system
and needs no code between fork and exec.
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

# A line on the pipe means "the engine is gone, all is well"; the end of the pipe without one means that
# Python is gone. The pause lets the killed engine let go of its files before they are removed.
_WATCHDOG_SCRIPT = 'read -r line || { kill -9 "-$1"; [ -z "$2" ] || { sleep 0.5; rm -rf "$2"; }; }'
_POLL_SECONDS = 0.01
# What would change the engine's configuration or its log behind our back, send its loopback calls to a proxy, or slow it
# down: with RUST_BACKTRACE it takes a backtrace for each message through the tunnel, which costs 2 ms a message.
_DROPPED_PREFIXES = ("RIVET__", "RUST_LOG", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE")
_DROPPED_SUFFIX = "_PROXY"


class EngineProcess:
    """One run of the engine. Its output is appended to ``log_path``.

    ``orphaned_directory`` is removed if this Python process ends without ending the engine.
    """

    def __init__(self, command: Sequence[str], *, log_path: Path, orphaned_directory: Path | None = None) -> None:
        with log_path.open("ab") as log:
            self.log_offset = log.tell()
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
        """The engine's process id, which is its process group's too."""
        return self.popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        code = self.popen.poll()
        if code is not None:
            self._release_watchdog()
        return code

    async def wait(self, timeout: float) -> bool:
        """Whether it has ended within ``timeout`` seconds. Cancelling leaves it as it is."""
        deadline = time.monotonic() + timeout
        while self.exit_code() is None:
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self.popen.terminate()

    def kill(self) -> None:
        """End it with all that it started (SIGKILL), and wait the few milliseconds until it is gone."""
        # While it is not waited for, its id cannot be another process's.
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
        # Unbuffered, so that the line is not left behind in a buffer that fails when it is closed.
        bufsize=0,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_DROPPED_PREFIXES) and not name.upper().endswith(_DROPPED_SUFFIX)
    }
