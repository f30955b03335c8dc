"""A real engine for tests and demos, on loopback ports of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from rivet_runner.errors import RivetRunnerError
from rivet_runner.testing.engine_api import EngineApi
from rivet_runner.testing.engine_binary import find_engine_binary
from rivet_runner.testing.engine_config import LOOPBACK, EnginePorts, choose_ports, engine_config, is_free
from rivet_runner.testing.engine_process import EngineProcess
from rivet_runner.testing.engine_types import EngineApiError
from rivet_runner.testing.http_client import HttpExchangeFailed

__all__ = ["EngineStartFailed", "LocalEngine"]

# How often new ports are chosen after another process took one between the choice and the engine's start.
_ATTEMPTS_WITH_NEW_PORTS = 5
_POLL_SECONDS = 0.02
# One look at an engine that is just starting; looks are repeated until the start time-out.
_LOOK_TIMEOUT_SECONDS = 2.0
_LOG_TAIL_LINES = 30


class EngineStartFailed(RivetRunnerError):
    """The engine ended or did not get ready while it was started; the message has the end of its log."""


class _PortTaken(Exception):
    """Another process listens on one of the engine's ports."""


class LocalEngine:
    """A real engine process, ready to be used inside ``async with``.

    ::

        async with LocalEngine() as engine:
            api = EngineApi(engine.endpoint)

    ``config`` is merged over the defaults (see ``engine_config``); ``admin_token`` is short for its
    ``auth.admin_token``. ``port`` fixes the port of ``endpoint``, free ones are chosen otherwise.
    ``data_dir`` is a folder to keep: it is made where it is missing and never removed, and an engine that
    is started on it again has the same actors. Without it the data is temporary. ``binary`` defaults to
    ``find_engine_binary()``. ``start_timeout`` is in seconds, about 0.5 are normal.

    The engine ends with the ``async with`` block, whatever ends it, and also when this Python process is
    killed: see ``engine_process``. An engine is tied to no event loop: it may be started in one and used or
    closed in another, but not by two tasks at once. POSIX systems only.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        admin_token: str | None = None,
        port: int | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        binary: str | os.PathLike[str] | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self._overrides = dict(config or {})
        self._given_token = admin_token
        self._given_port = port
        self._given_directory = None if data_dir is None else Path(data_dir).absolute()
        self._given_binary = None if binary is None else Path(binary)
        self._start_timeout = start_timeout
        self._directory: Path | None = None
        self._ports: EnginePorts | None = None
        self._process: EngineProcess | None = None
        self._admin_token: str | None = None

    @property
    def endpoint(self) -> str:
        """The URL for runners and clients. ``RuntimeError`` while there is none."""
        if self._ports is None:
            raise RuntimeError("the engine has no endpoint: it was not started, or it is closed")
        return f"http://{LOOPBACK}:{self._ports.guard}"

    @property
    def admin_token(self) -> str | None:
        """The token that the engine asks for, none where it asks for none. Known from the first start on."""
        return self._admin_token

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.exit_code() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the latest start. ``RuntimeError`` before the first one."""
        return self._started_process().popen

    @property
    def pid(self) -> int:
        """The process id of the latest start, which is its process group's too."""
        return self._started_process().pid

    @property
    def data_dir(self) -> Path:
        """The folder with configuration, log and database. ``RuntimeError`` while there is none."""
        if self._directory is None:
            raise RuntimeError("the engine has no data: it was not started, or it is closed")
        return self._directory

    @property
    def log_path(self) -> Path:
        """The file with the output of every start, the oldest first."""
        return self.data_dir / "engine.log"

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines that the latest start wrote."""
        return "\n".join(self._log_of_latest_start().splitlines()[-lines:])

    async def start(self) -> None:
        """Start the engine and wait until it is ready for runners and clients.

        After ``stop`` or ``kill`` it comes back on the same ports with the same data. Raises
        ``EngineNotFound``, ``EngineStartFailed``, ``RuntimeError`` where it runs already, and ``ValueError``
        for a ``config`` that moves the port. A start that fails or is cancelled leaves no process behind and,
        if it was the first one, no temporary data either.
        """
        if self.running:
            raise RuntimeError("the engine is running already")
        first = self._directory is None
        try:
            await self._start_on_free_ports()
        except BaseException:
            if first:
                self.close()
            else:
                self._kill_process()
            raise

    async def stop(self, timeout: float = 10.0) -> None:
        """End the engine in order (SIGTERM), or with SIGKILL after ``timeout`` seconds. Data and ports stay.

        Does nothing where it is not running. A cancelled stop leaves it ending; ``close`` and the end
        of the ``async with`` block do not wait for it, they kill it.
        """
        if not self.running:
            return
        process = self._started_process()
        process.terminate()
        if not await process.wait(timeout):
            process.kill()

    async def kill(self) -> None:
        """End the engine without warning (SIGKILL), as a crash would. Data and ports stay.

        Does nothing where it is not running.
        """
        self._kill_process()

    async def restart(self) -> None:
        """``stop`` where it is running, then ``start``, on the same ports and data. Raises as ``start``."""
        await self.stop()
        await self.start()

    def close(self) -> None:
        """End the engine at once and remove its temporary data. Blocks for milliseconds.

        What ``async with`` does at its end, for owners without an event loop. A ``start`` afterwards is a
        first one.
        """
        self._kill_process()
        directory, self._directory = self._directory, None
        self._ports = None
        self._process = None
        if directory is not None and self._given_directory is None:
            shutil.rmtree(directory, ignore_errors=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # Data that is kept deserves an orderly end; for data that is thrown away it would only take time.
            if self._given_directory is not None:
                await self.stop()
        finally:
            self.close()

    async def _start_on_free_ports(self) -> None:
        binary = self._given_binary or find_engine_binary()
        if self._directory is None:
            self._directory = _make_directory(self._given_directory)
        for _ in range(_ATTEMPTS_WITH_NEW_PORTS):
            kept = self._ports
            ports = self._ports_to_use()
            self._process = self._spawn(binary, ports)
            self._ports = ports
            try:
                return await self._wait_until_ready(self._process, ports)
            except _PortTaken:
                self._kill_process()
                # Ports that others already know are not given up for new ones.
                self._ports = kept
                if kept is not None:
                    break
        raise EngineStartFailed(f"a port of the engine was taken while it started\n{self.log_tail()}")

    def _ports_to_use(self) -> EnginePorts:
        if self._ports is None:
            try:
                return choose_ports(self._given_port)
            except OSError as error:
                raise EngineStartFailed(str(error)) from error
        for port in msgspec.structs.astuple(self._ports):
            if not is_free(port):
                raise EngineStartFailed(f"port {port} of {LOOPBACK}, which the engine had before, is in use")
        return self._ports

    def _spawn(self, binary: Path, ports: EnginePorts) -> EngineProcess:
        directory = self.data_dir
        config = engine_config(ports, directory / "database", self._overrides, self._given_token)
        self._admin_token = config.get("auth", {}).get("admin_token")
        config_path = directory / "engine.json"
        # Before it is written, because it may carry the token.
        config_path.touch(mode=0o600)
        config_path.write_bytes(msgspec.json.encode(config))
        try:
            return EngineProcess(
                [str(binary), "--config", str(config_path), "start"],
                log_path=self.log_path,
                orphaned_directory=directory if self._given_directory is None else None,
            )
        except OSError as error:
            raise EngineStartFailed(f"cannot run the engine {str(binary)!r}: {error}") from error

    async def _wait_until_ready(self, process: EngineProcess, ports: EnginePorts) -> None:
        api = EngineApi(self.endpoint, token=self._admin_token, timeout=_LOOK_TIMEOUT_SECONDS)
        deadline = time.monotonic() + self._start_timeout
        while True:
            code = process.exit_code()
            log = self._log_of_latest_start()
            if "Address in use" in log:
                raise _PortTaken
            if code is not None:
                raise EngineStartFailed(f"the engine ended with exit code {code} while it started:\n{self.log_tail()}")
            # An engine whose port is taken goes on trying, and whoever has the port might well answer: only
            # the log tells them apart.
            if f"listening on {LOOPBACK}:{ports.guard}" in log and await _is_ready(api):
                return
            if time.monotonic() > deadline:
                raise EngineStartFailed(f"the engine was not ready within {self._start_timeout} s:\n{self.log_tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    def _log_of_latest_start(self) -> str:
        if self._process is None or self._directory is None:
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self._process.log_offset)
            return log.read().decode(errors="replace")

    def _started_process(self) -> EngineProcess:
        if self._process is None:
            raise RuntimeError("the engine has no process: it was not started, or it is closed")
        return self._process

    def _kill_process(self) -> None:
        if self._process is not None:
            self._process.kill()


async def _is_ready(api: EngineApi) -> bool:
    try:
        await api.health()
        # Until the namespace is there, a runner is refused for good.
        return any(namespace.name == api.namespace for namespace in await api.list_namespaces())
    except (EngineApiError, HttpExchangeFailed, TimeoutError):
        return False


def _make_directory(given: Path | None) -> Path:
    if given is None:
        return Path(tempfile.mkdtemp(prefix="rivet-engine-"))
    given.mkdir(parents=True, exist_ok=True)
    return given
