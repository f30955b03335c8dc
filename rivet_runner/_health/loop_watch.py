"""A warning while the event loop is blocked: code that does not await stops every actor of the process.

A thread looks at the stack of the loop's thread when the loop's heartbeat is late. The loop cannot do that itself, and after
the block it would be too late: the code that blocked has returned by then.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from typing import Final

from rivet_runner._health.heartbeat import BEAT_SECONDS, Heartbeat

__all__ = ["LoopWatch"]

log = logging.getLogger("rivet_runner")

STOP_SECONDS: Final = 1.0
"""For the thread to end. Only a handler of the warning that blocks can keep it."""

SHOWN_FRAMES: Final = 16
"""Calls of the stack in a warning, the innermost ones."""

HOOKS: Final = {"request": "fetch", "start": "on_actor_start", "stop": "the actor's stop"}
"""What a task of an actor runs, if its name does not say it."""


class LoopWatch:
    """Watches the running event loop from `start` to `stop`, by its ``heartbeat``.

    ``seconds`` is how long the loop may be blocked without a warning. A block that is longer by `BEAT_SECONDS` is noticed in
    any case.
    """

    def __init__(self, heartbeat: Heartbeat, seconds: float) -> None:
        self._heartbeat = heartbeat
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rivet_runner: loop watch", daemon=True)

    def start(self) -> None:
        """Begin to watch. The heartbeat must have been started."""
        self._thread.start()

    def stop(self) -> None:
        """End it. The thread ends within milliseconds, and is waited for."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _watch(self) -> None:
        warned_of: float | None = None
        while (due := self._heartbeat.due) is not None:
            began = time.monotonic()
            pause = max(due + self._seconds - began, BEAT_SECONDS)
            if self._stopped.wait(pause) or self._loop.is_closed():
                return
            # If the wait took much longer, the whole process was stopped meanwhile, this thread too.
            overslept = time.monotonic() - began > pause + self._seconds
            if self._heartbeat.due == due != warned_of and not overslept:
                warned_of = due
                self._warn()

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
