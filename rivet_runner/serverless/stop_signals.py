"""Notices that the server stops when the stop begins.

When uvicorn or hypercorn stop, they first wait for all responses, and only then send ``lifespan.shutdown``. The
response to ``/start`` ends when its runner is down, and the runner goes down when the server stops, so each would
wait for the other. A mounted application gets no ``lifespan.shutdown`` at all. But a stop begins with a signal, so
this module listens for signals:

* Handlers are set only while there is a runner, only in the main thread, which gets the signals, and only if the program
  already handles the signal in Python. A process that dies of SIGTERM still does.
* Each signal still calls the previous handler. The handler of this module only takes note.
* The previous handler is restored when there are no listeners left, unless another handler has been set meanwhile.

Signal handlers belong to the process, so all applications in it share one `StopSignals`.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from rivet_runner._runtime.signals import SIGNALS

__all__ = ["STOP_SIGNALS", "Listener", "StopSignals"]

Handler = Callable[[int, FrameType | None], Any]


class Listener:
    """A callback for signals. ``notify`` runs on the event loop, with `True` if the signal is not the first one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, notify: Callable[[bool], None]) -> None:
        self._loop = loop
        self._notify = notify
        self._seen = 0

    def arrived(self) -> None:
        self._seen += 1
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify, self._seen > 1)


class StopSignals:
    """The listeners of a process and the signal handlers that they need."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._ours: dict[signal.Signals, tuple[Handler, Handler]] = {}
        """For each signal our handler and the previous one."""

    def listen(self, notify: Callable[[bool], None]) -> Listener:
        """Call ``notify`` for each signal until `forget`. Call this on the event loop."""
        listener = Listener(asyncio.get_running_loop(), notify)
        self._listeners.append(listener)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._install(number)
        return listener

    def forget(self, listener: Listener) -> None:
        """Undo `listen`."""
        self._listeners.remove(listener)
        if not self._listeners and threading.current_thread() is threading.main_thread():
            for number, (ours, before) in self._ours.items():
                if signal.getsignal(number) is ours:
                    signal.signal(number, before)
            self._ours.clear()

    def _install(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        if not callable(before) or (number in self._ours and before is self._ours[number][0]):
            return

        def handle(arrived: int, frame: FrameType | None) -> None:
            # A later handler may still call one of ours that we have replaced, which then only calls the previous one.
            if number in self._ours and self._ours[number][0] is handle:
                for listener in self._listeners:
                    listener.arrived()
            before(arrived, frame)

        signal.signal(number, handle)
        self._ours[number] = (handle, before)


STOP_SIGNALS: Final = StopSignals()
