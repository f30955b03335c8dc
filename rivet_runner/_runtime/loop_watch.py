"""A warning while the event loop is blocked: code that does not await stops every actor of the process.

A thread asks the loop for a sign of life, and looks at the stack of the loop's thread if there is none in time. The loop
cannot do that itself, and after the block it would be too late: the code that blocked has returned by then.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import Final

__all__ = ["LoopWatch"]

log = logging.getLogger("rivet_runner")

SIGNS_IN_LIMIT: Final = 4
"""Signs of life that are asked for within the limit. A block that is a quarter longer is noticed in any case."""

STOP_SECONDS: Final = 1.0
"""For the thread to end. Only a handler of the warning that blocks can keep it."""

SHOWN_FRAMES: Final = 16
"""Calls of the stack in a warning, the innermost ones."""

HOOKS: Final = {"request": "fetch", "start": "on_actor_start", "stop": "the actor's stop"}
"""What a task of an actor runs, if its name does not say it."""


class LoopWatch:
    """Watches the running event loop from `start` to `stop`. ``seconds`` is how long it may be blocked without a warning."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._seconds = seconds
        self._sign = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rivet_runner: loop watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End it. The thread ends within milliseconds, and is waited for."""
        self._stopped.set()
        self._sign.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _watch(self) -> None:
        pause = self._seconds / SIGNS_IN_LIMIT
        while not self._stopped.wait(pause):
            sign = self._sign = threading.Event()
            if self._stopped.is_set():
                return  # `stop` may have set the sign before this one, and waits for this thread
            try:
                self._loop.call_soon_threadsafe(sign.set)
            except RuntimeError:
                return  # the loop is closed
            asked = time.monotonic()
            if not sign.wait(self._seconds):
                # If it took much longer, the whole process was stopped meanwhile, this thread too.
                if time.monotonic() - asked < 2 * self._seconds:
                    self._warn()
                sign.wait()

    def _warn(self) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None:
            return
        stack = "".join(traceback.format_stack(frame)[-SHOWN_FRAMES:])
        log.warning(
            "the event loop has been blocked for more than %g s by %s, and with it every actor here; await, or use "
            "asyncio.to_thread for code that cannot:\n%s",
            self._seconds,
            self._culprit(),
            stack.rstrip(),
        )

    def _culprit(self) -> str:
        task = asyncio.current_task(self._loop)
        if task is None:
            return "a callback outside of any task"
        actor, separator, what = task.get_name().rpartition(": ")
        return f"{HOOKS.get(what, what)} of {actor}" if separator else f"the task {what!r}"
