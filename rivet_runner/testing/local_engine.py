"""A real engine for tests and demos, on its own loopback ports."""

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

# Attempts to choose ports. Another process may take a port before the engine starts to listen on it.
_ATTEMPTS_WITH_NEW_PORTS = 5
_POLL_SECONDS = 0.02
# For one poll of a starting engine. Polls are repeated until the start timeout.
_LOOK_TIMEOUT_SECONDS = 2.0
_LOG_TAIL_LINES = 30


class EngineStartFailed(RivetRunnerError):
    """The engine ended, or did not get ready, during its start. The message has the end of its log."""


class _PortTaken(Exception):
    """Another process listens on one of the engine's ports."""


class LocalEngine:
    """A real engine process. Use it in an ``async with`` block.

    ::

        async with LocalEngine() as engine:
            api = EngineApi(engine.endpoint)

    ``config`` overrides the defaults of ``rivet_runner.testing.engine_config``, and ``admin_token`` is short for its
    ``auth.admin_token``. ``port`` is the port of ``endpoint``. By default the engine uses free ports. ``data_dir`` is a
    folder for the engine's data. It is created if it is missing and never removed, so a later engine on it has the same
    actors. By default the data is temporary. ``binary`` defaults to ``RIVET_ENGINE_BINARY``, or else to the binary in the
    nearest ``.engine`` folder. ``start_timeout`` is in seconds. A start normally takes about 0.5.

    The engine ends with the ``async with`` block, and also when this Python process is killed.
    You may start an engine in one event loop and use or close it in another, but not in two tasks at once. It needs a
    POSIX system.
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
        """The URL for runners and clients. Raises `RuntimeError` before the first start and after `close`."""
        if self._ports is None:
            raise RuntimeError("the engine has no endpoint, because it was not started or is closed")
        return f"http://{LOOPBACK}:{self._ports.guard}"

    @property
    def admin_token(self) -> str | None:
        """The token that the engine demands, or `None`. It is known after the first start."""
        return self._admin_token

    @property
    def running(self) -> bool:
        """Whether the engine's process is alive."""
        return self._process is not None and self._process.exit_code() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the latest start. Raises `RuntimeError` before the first start and after `close`."""
        return self._started_process().popen

    @property
    def pid(self) -> int:
        """The process id of the latest start, which is also the id of its process group."""
        return self._started_process().pid

    @property
    def data_dir(self) -> Path:
        """The folder of configuration, log and database. Raises `RuntimeError` before the first start and after `close`."""
        if self._directory is None:
            raise RuntimeError("the engine has no data, because it was not started or is closed")
        return self._directory

    @property
    def log_path(self) -> Path:
        """The file with the output of all starts, oldest first."""
        return self.data_dir / "engine.log"

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """Return the last lines of output since the latest start."""
        return "\n".join(self._log_of_latest_start().splitlines()[-lines:])

    async def start(self) -> None:
        """Start the engine and wait until it is ready for runners and clients.

        After `stop` or `kill`, the engine has the same ports and data as before. Raises `EngineNotFound`,
        `EngineStartFailed`, `RuntimeError` if it is already running, and `ValueError` if ``config`` changes the port.
        A start that fails or is cancelled leaves no process behind. A first start then also leaves no temporary data.
        """
        if self.running:
            raise RuntimeError("the engine is already running")
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
        """Stop the engine with SIGTERM, or with SIGKILL after ``timeout`` seconds. It keeps its data and ports.

        If the engine is not running, this does nothing. After a cancelled stop the engine still ends by itself.
        `close` and the end of the ``async with`` block do not wait for that but kill it.
        """
        if not self.running:
            return
        process = self._started_process()
        process.terminate()
        if not await process.wait(timeout):
            process.kill()

    async def kill(self) -> None:
        """Kill the engine with SIGKILL, like a crash. It keeps its data and ports.

        If the engine is not running, this does nothing.
        """
        self._kill_process()

    async def restart(self) -> None:
        """Stop the engine if it is running, and start it with the same ports and data. Raises as `start` does."""
        await self.stop()
        await self.start()

    def close(self) -> None:
        """Kill the engine and remove its temporary data. This blocks for some milliseconds.

        The end of the ``async with`` block does this. Call it yourself if you have no event loop. A later `start` is
        like the first one.
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
            # Only data that is kept needs an orderly end, which takes time.
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
                # Others already know these ports, so new ones would not help.
                self._ports = kept
                if kept is not None:
                    break
        raise EngineStartFailed(f"another process took a port of the engine during its start\n{self.log_tail()}")

    def _ports_to_use(self) -> EnginePorts:
        if self._ports is None:
            try:
                return choose_ports(self._given_port)
            except OSError as error:
                raise EngineStartFailed(str(error)) from error
        for port in msgspec.structs.astuple(self._ports):
            if not is_free(port):
                raise EngineStartFailed(f"port {port} of {LOOPBACK}, which the engine used before, is in use")
        return self._ports

    def _spawn(self, binary: Path, ports: EnginePorts) -> EngineProcess:
        directory = self.data_dir
        config = engine_config(ports, directory / "database", self._overrides, self._given_token)
        self._admin_token = config.get("auth", {}).get("admin_token")
        config_path = directory / "engine.json"
        # Restrict the mode before the file has the token.
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
                raise EngineStartFailed(f"the engine ended with exit code {code} during its start:\n{self.log_tail()}")
            # An engine whose port is taken keeps trying, and the process that has the port may answer. Only the log
            # tells them apart.
            if f"listening on {LOOPBACK}:{ports.guard}" in log and await _is_ready(api):
                return
            if time.monotonic() > deadline:
                raise EngineStartFailed(f"the engine was not ready within {self._start_timeout:g} s:\n{self.log_tail()}")
            await asyncio.sleep(_POLL_SECONDS)

    def _log_of_latest_start(self) -> str:
        if self._process is None or self._directory is None:
            return ""
        with self.log_path.open("rb") as log:
            log.seek(self._process.log_offset)
            return log.read().decode(errors="replace")

    def _started_process(self) -> EngineProcess:
        if self._process is None:
            raise RuntimeError("the engine has no process, because it was not started or is closed")
        return self._process

    def _kill_process(self) -> None:
        if self._process is not None:
            self._process.kill()


async def _is_ready(api: EngineApi) -> bool:
    try:
        await api.health()
        # The engine rejects runners for good until the namespace exists.
        return any(namespace.name == api.namespace for namespace in await api.list_namespaces())
    except (EngineApiError, HttpExchangeFailed, TimeoutError):
        return False


def _make_directory(given: Path | None) -> Path:
    if given is None:
        return Path(tempfile.mkdtemp(prefix="rivet-engine-"))
    given.mkdir(parents=True, exist_ok=True)
    return given
