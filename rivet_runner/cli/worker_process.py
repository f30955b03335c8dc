"""The process of a worker, as the command sees it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

import msgspec

from rivet_runner.cli.channel import Channel, Drain, Failed, FromWorker, Loaded, Start, State
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.worker import WorkerOptions

__all__ = ["Ended", "WorkerProcess", "end_all"]

LAST_RESORT_SECONDS: Final = 5.0
"""From an immediate drain until a worker is killed. An immediate shutdown takes about one."""


class Ended(msgspec.Struct, frozen=True):
    """How a worker has ended. ``status`` is negative for the signal that killed it."""

    status: int
    failure: Failed | None

    @property
    def reason(self) -> str:
        """A few words for a line."""
        if self.failure is not None:
            return self.failure.message
        if self.status < 0:
            return f"killed by {signal.Signals(-self.status).name}"
        return f"ended with status {self.status}"


class WorkerProcess:
    """One process with one runner. ``name`` is for lines about it.

    Each future has a result, and never an exception: `None` in ``loaded`` and ``connected`` if the process ended before.
    Shield them: cancelling one would hide its result from the others that wait.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, channel: Channel[FromWorker]) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.pid: int = process.pid
        self.state: State = State()
        self.loaded: asyncio.Future[Loaded | None] = loop.create_future()
        self.connected: asyncio.Future[State | None] = loop.create_future()
        self.ended: asyncio.Future[Ended] = loop.create_future()
        self.connected_at: float | None = None
        """The time of the event loop at which it was first connected."""
        self._process = process
        self._channel = channel
        self._failure: Failed | None = None
        self._following = asyncio.create_task(self._follow(), name=f"{name}: follow")

    @classmethod
    async def spawn(
        cls,
        name: str,
        target: str,
        environment: Mapping[str, str],
        options: WorkerOptions,
        reports: socket.socket | None = None,
    ) -> WorkerProcess:
        """Start a process, which loads its runner and then waits for `start`. Cancelling leaves no process.

        It sends its reports over ``reports``, if that is given. The caller closes that.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            channel = await Channel.open(ours, msgspec.json.Decoder(FromWorker))
            descriptors = [theirs.fileno()]
            if reports is not None:
                descriptors.append(reports.fileno())
                options = msgspec.structs.replace(options, reports=reports.fileno())
            text = msgspec.json.encode(options).decode()
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "rivet_runner.cli.worker",
                    target,
                    str(theirs.fileno()),
                    text,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=descriptors,
                    # Ctrl-C reaches the command alone, which then drains its workers in order.
                    start_new_session=True,
                )
            except BaseException:
                await channel.close()
                raise
        return cls(name, process, channel)

    async def wait_loaded(self) -> Loaded:
        """Wait until its runner is made. Raises `CommandError` if that failed."""
        return await asyncio.shield(self.loaded) or _raise(await asyncio.shield(self.ended))

    async def wait_connected(self) -> State:
        """Wait until the engine has accepted its runner. Raises `CommandError` if that failed."""
        return await asyncio.shield(self.connected) or _raise(await asyncio.shield(self.ended))

    def start(self, timeout: float | None) -> None:
        """Have the runner connect, within ``timeout`` seconds if that is a number."""
        self._channel.send(Start(timeout))

    def drain(self, immediate: bool = False) -> None:
        """Ask the process to shut its runner down and to end."""
        if self.loaded.done():
            self._channel.send(Drain(immediate))
        elif not self.ended.done():
            self._process.terminate()

    def kill(self) -> None:
        """End the process as it is."""
        if not self.ended.done():
            self._process.kill()

    async def _follow(self) -> None:
        while (message := await self._channel.receive()) is not None:
            match message:
                case Loaded():
                    self.loaded.set_result(message)
                case State():
                    self._changed(message)
                case Failed():
                    self._failure = message
        status = await self._process.wait()
        await self._channel.close()
        self.state = State()
        self.ended.set_result(Ended(status, self._failure))
        for future in (self.loaded, self.connected):
            if not future.done():
                future.set_result(None)

    def _changed(self, state: State) -> None:
        self.state = state
        if state.connected and not self.connected.done():
            self.connected_at = asyncio.get_running_loop().time()
            self.connected.set_result(state)


def _raise(ended: Ended) -> NoReturn:
    raise CommandError(ended.reason, details=None if ended.failure is None else ended.failure.details)


async def end_all(processes: Iterable[WorkerProcess], hurried: asyncio.Event) -> None:
    """Drain processes, and return when they have ended, however often the caller is cancelled meanwhile.

    ``hurried``, and any cancellation, has them shut down immediately. A process that has not ended 5 s later is killed.
    """
    alive = [process for process in processes if not process.ended.done()]
    for process in alive:
        process.drain()
    ending = asyncio.gather(*(process.ended for process in alive))
    hurrying = asyncio.create_task(_hurry(alive, hurried), name="hurry")
    cancelled = False
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            cancelled = True
            hurried.set()
    hurrying.cancel()
    if cancelled:
        raise asyncio.CancelledError


async def _hurry(processes: Iterable[WorkerProcess], hurried: asyncio.Event) -> None:
    await hurried.wait()
    for process in processes:
        process.drain(immediate=True)
    await asyncio.sleep(LAST_RESORT_SECONDS)
    for process in processes:
        process.kill()
