"""Hears of the server's end when it begins, not when it is over.

A server that is asked to stop (uvicorn, hypercorn) first waits until every response has ended, and only then sends
``lifespan.shutdown``. The response to ``/start`` ends when its runner is down, and the runner goes down when the server
stops: each would wait for the other. An application inside another one is not sent ``lifespan.shutdown`` at all. What starts
a stop is a signal, so that is listened to:

* only while there is a runner, only in the main thread (elsewhere there are no signals), and only where somebody else
  handles the signal in Python already: a process that dies of SIGTERM at once goes on to do so;
* the handler that was there is called as before, for each signal; ours only takes note;
* when nobody listens any more, that handler is put back, unless a third one has taken its place meanwhile.

Signal handlers belong to the process, so there is one of these for all applications in it.
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
    """One who wants to know. ``notify`` is called on the event loop, with whether it is not the first signal."""

    def __init__(self, loop: asyncio.AbstractEventLoop, notify: Callable[[bool], None]) -> None:
        self._loop = loop
        self._notify = notify
        self._seen = 0

    def arrived(self) -> None:
        self._seen += 1
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify, self._seen > 1)


class StopSignals:
    """The listeners of a process, and the handlers that they need."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._ours: dict[signal.Signals, tuple[Handler, Handler]] = {}
        """For each signal our handler, and the one that was there before."""

    def listen(self, notify: Callable[[bool], None]) -> Listener:
        """Call ``notify`` for each signal from now on, until `forget`. To be called on the event loop."""
        listener = Listener(asyncio.get_running_loop(), notify)
        self._listeners.append(listener)
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._install(number)
        return listener

    def forget(self, listener: Listener) -> None:
        """The opposite of `listen`."""
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
            # One that was replaced may be called by its successor's successor still: then it only passes on.
            if number in self._ours and self._ours[number][0] is handle:
                for listener in self._listeners:
                    listener.arrived()
            before(arrived, frame)

        signal.signal(number, handle)
        self._ours[number] = (handle, before)


STOP_SIGNALS: Final = StopSignals()
