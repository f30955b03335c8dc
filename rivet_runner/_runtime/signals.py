"""`Runner.run`: an event loop, signal handlers for as long as it runs, and the exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Protocol

from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import RunnerShutDown

__all__ = ["SIGNALS", "SIGNAL_STATUS", "Runnable", "loop_factory", "run_until_down"]

log = logging.getLogger("rivet_runner")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

SIGNAL_STATUS: Final = 128
"""A process that a signal ended has this plus the signal's number as its status, by the convention of shells."""

LAST_RESORT_SECONDS: Final = 5.0
"""Seconds after the second signal. An immediate shutdown takes about one."""


class Runnable(Protocol):
    """The part of `rivet_runner.Runner` that is needed to run it."""

    async def start(self) -> None: ...

    async def wait_closed(self) -> None: ...

    async def shutdown(self, immediate: bool = False) -> None: ...


class _Signals:
    """Counts signals: the first asks for a graceful shutdown, any further one for an immediate one."""

    def __init__(self, shut_down: Callable[[bool], None]) -> None:
        self._shut_down = shut_down
        self._before: dict[signal.Signals, Any] = {}
        self.insisted: int | None = None
        self._last_resort: threading.Timer | None = None
        self._seen = 0

    def install(self, loop: asyncio.AbstractEventLoop) -> None:
        for number in SIGNALS:
            # signal.signal and not loop.add_signal_handler: the handlers from before can be put back.
            self._before[number] = signal.signal(number, lambda n, frame: self._arrived(loop, n, frame))

    def restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._last_resort is not None:
            self._last_resort.cancel()

    def _arrived(self, loop: asyncio.AbstractEventLoop, number: int, _: FrameType | None) -> None:
        self._seen += 1
        if self._seen > 1:
            self.insisted = number
            self._make_sure(number)
        loop.call_soon_threadsafe(self._handle, number, self._seen > 1)

    def _make_sure(self, number: int) -> None:
        """End the process even if a hook blocks the event loop, which then cannot shut anything down."""
        if self._last_resort is None:
            self._last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, [SIGNAL_STATUS + number])
            self._last_resort.daemon = True
            self._last_resort.start()

    def _handle(self, number: int, again: bool) -> None:
        name = signal.Signals(number).name
        if again:
            log.warning("%s again: shutting down at once", name)
        else:
            log.info("%s: shutting down; a second signal does it at once", name)
        self._shut_down(again)


def run_until_down(runner: Runnable) -> None:
    """Run ``runner`` on an event loop of its own until it is down. Raises `SystemExit` after a second signal."""
    with asyncio.Runner(loop_factory=loop_factory()) as loop_runner:
        insisted = loop_runner.run(_run(runner))
    if insisted is not None:
        raise SystemExit(SIGNAL_STATUS + insisted)


async def _run(runner: Runnable) -> int | None:
    shutdowns = TaskGroup("signals", log)

    def shut_down(immediate: bool) -> None:
        shutdowns.spawn(runner.shutdown(immediate), name="shutdown by signal")

    signals = _Signals(shut_down)
    signals.install(asyncio.get_running_loop())
    try:
        await _start_and_wait(runner)
        await shutdowns.wait_idle()
    finally:
        signals.restore()
    return signals.insisted


async def _start_and_wait(runner: Runnable) -> None:
    try:
        await runner.start()
    except RunnerShutDown:
        return
    await runner.wait_closed()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The factory of uvloop's event loops, or ``None``, which stands for asyncio's, if it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
