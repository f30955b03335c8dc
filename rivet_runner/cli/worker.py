"""The program of a worker: one process with one runner, which the command starts and ends.

``python -m rivet_runner.cli.worker TARGET DESCRIPTOR OPTIONS``, where DESCRIPTOR is its end of the channel.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import traceback
from typing import Final, Protocol, runtime_checkable

import msgspec

from rivet_runner._runtime.signals import loop_factory
from rivet_runner.cli.channel import Channel, Drain, Failed, Loaded, Start, State, ToWorker, send_before_the_loop
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.reporting import report_over
from rivet_runner.cli.targets import contradiction, load_runner
from rivet_runner.errors import EngineRejected, RunnerEvicted, RunnerShutDown
from rivet_runner.runner import Runner

__all__ = ["WorkerOptions", "main"]

log: Final = logging.getLogger("rivet_runner.cli")

FAILED: Final = 3
"""The exit status of a worker whose runner has failed."""

LOOK_SECONDS: Final = 0.1
"""Between two looks at the state of the runner, which tells it only if asked."""


class WorkerOptions(msgspec.Struct, frozen=True):
    """What a worker is told beside its target. ``given`` names the options that its environment stands for."""

    name: str
    log_level: str
    given: frozenset[str] = frozenset()
    reports: int | None = None
    """The descriptor of a socket for reports, if the command answers probes."""


@runtime_checkable
class _HasActions(Protocol):
    """A runner of typed actors. Their package needs an extra, so it is not imported here."""

    def action_parameters(self) -> dict[str, dict[str, list[str]]]: ...


def main(arguments: list[str]) -> int:
    """Load the runner, run it until it is down, and return the exit status."""
    target, descriptor, text = arguments
    options = msgspec.json.decode(text, type=WorkerOptions)
    end = socket.socket(fileno=int(descriptor))
    try:
        runner = load_runner(target)
        line = contradiction(target, runner.config, options.given)
        if line is not None:
            raise CommandError(line)
    except CommandError as error:
        send_before_the_loop(end, Failed("load", str(error), error.details))
        return error.status
    # The module may have set up the logging of its program itself.
    if not logging.getLogger().handlers:
        form = f"%(asctime)s %(levelname)s {options.name}%(name)s: %(message)s"
        logging.basicConfig(level=options.log_level.upper(), format=form)
    if options.reports is not None:
        report_over(socket.socket(fileno=options.reports))
    with asyncio.Runner(loop_factory=loop_factory()) as loop:
        return loop.run(_work(runner, end))


async def _work(runner: Runner, end: socket.socket) -> int:
    channel = await Channel.open(end, msgspec.json.Decoder(ToWorker))
    config = runner.config
    actions = runner.action_parameters() if isinstance(runner, _HasActions) else None
    channel.send(Loaded(config.runner_name, config.runner_key, [*config.prepopulate_actor_names], actions))
    work = _Work(runner, channel)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.drain)
    try:
        failure = await work.run()
        if failure is not None:
            channel.send(failure)
    finally:
        await channel.close()
    return 0 if failure is None else FAILED


class _Work:
    """One runner, from the command's word to start to its end."""

    def __init__(self, runner: Runner, channel: Channel[ToWorker]) -> None:
        self._runner = runner
        self._channel = channel
        self._told: asyncio.Future[Start | None] = asyncio.get_running_loop().create_future()
        self._draining = False
        self._shutdowns: set[asyncio.Task[None]] = set()

    async def run(self) -> Failed | None:
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._report())]
        try:
            start = await self._told
            failure = None if start is None else await self._run_runner(start)
            await asyncio.gather(*self._shutdowns)
            return failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def drain(self, immediate: bool = False) -> None:
        """Shut the runner down. Further calls may hurry it."""
        self._draining = True
        if not self._told.done():
            self._told.set_result(None)
            return
        task = asyncio.create_task(self._runner.shutdown(immediate), name="shutdown of the runner")
        self._shutdowns.add(task)
        task.add_done_callback(self._shutdowns.discard)

    async def _run_runner(self, start: Start) -> Failed | None:
        try:
            async with asyncio.timeout(start.timeout) as timeout:
                await self._runner.start()
        except RunnerShutDown:
            return None
        except TimeoutError as error:
            return Failed("start", _no_engine(self._runner, start) if timeout.expired() else str(error))
        except EngineRejected as error:
            return Failed("start", str(error))
        except Exception as error:
            return _failed(error)
        try:
            await self._runner.wait_closed()
        except RunnerEvicted as error:
            return Failed("evicted", str(error))
        except Exception as error:
            return _failed(error)
        return None

    async def _listen(self) -> None:
        """Do as the command says. Without a command, drain."""
        while True:
            match await self._channel.receive():
                case Start() as start:
                    if not self._told.done():
                        self._told.set_result(start)
                case Drain(immediate):
                    self.drain(immediate)
                case None:
                    if not self._draining:
                        log.warning("the command that started this process has ended; the runner shuts down")
                        self.drain()
                    return

    async def _report(self) -> None:
        """Tell the state whenever it has changed."""
        last = State()
        while True:
            runner = self._runner
            state = State(runner.connected, self._draining, runner.runner_id, len(runner.actors))
            if state != last:
                self._channel.send(state)
                last = state
            await asyncio.sleep(LOOK_SECONDS)


def _no_engine(runner: Runner, start: Start) -> str:
    return (
        f"the engine at {runner.config.endpoint} did not accept this runner within {start.timeout:g} s: is it running? "
        "Start one with `rivet-runner dev`, or correct --endpoint (RIVET_ENDPOINT)"
    )


def _failed(error: Exception) -> Failed:
    text = " ".join(str(error).split())
    return Failed("failed", f"{type(error).__name__}: {text}", traceback.format_exc().rstrip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
