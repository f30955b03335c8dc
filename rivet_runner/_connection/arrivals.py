"""Messages that a task is waiting for: the task goes on in the turn of the event loop that read its message.

An ordinary future resumes its task in the *next* turn, through a callback that the loop queues. Between the turns the loop
polls every socket and timer, which costs more than a short handler does. An `Arrival` keeps the task's callback to itself,
and `Arrivals.resume` calls it at the end of the read. So a handler finds the runner in the same state as one turn later, and
its reply leaves together with the others of the read.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Generic, TypeVar

__all__ = ["Arrival", "Arrivals"]

T = TypeVar("T")


class Arrival(asyncio.Future[T], Generic[T]):
    """A future for one task alone. Setting its result does not resume the task: `resume_soon` does, or `Arrivals.resume`."""

    __slots__ = ("context", "wakeup")

    context: Context
    wakeup: Callable[[Arrival[T]], object]

    def add_done_callback(self, fn: Callable[[Arrival[T]], object], /, *, context: Context | None = None) -> None:
        """Called by the task when it begins to wait, with its wake-up and its own context."""
        assert context is not None
        self.wakeup, self.context = fn, context

    def resume_soon(self) -> None:
        """Resume the task in the next turn of the event loop."""
        self.get_loop().call_soon(self.wakeup, self, context=self.context)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel, as for any future. The task is resumed in the next turn."""
        cancelled = super().cancel(msg)
        if cancelled:
            self.resume_soon()
        return cancelled


class Arrivals:
    """The tasks that got a message from the read under way."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        """The loop of the waiting tasks, for `Arrival`."""
        self._arrived: deque[Arrival[Any]] = deque()

    def bring(self, arrival: Arrival[T], message: T) -> None:
        """Give ``message`` to the task that awaits ``arrival``. The next `resume` resumes it."""
        arrival.set_result(message)
        self._arrived.append(arrival)

    def resume(self) -> bool:
        """Resume every task whose message has come. Returns ``False`` if there was none. Do not call it from a task."""
        arrived = self._arrived
        if not arrived:
            return False
        try:
            while arrived:
                arrival = arrived.popleft()
                arrival.context.run(arrival.wakeup, arrival)
        finally:
            # Only KeyboardInterrupt and SystemExit leave a task's step. The other tasks must be able to end as well.
            while arrived:
                arrived.popleft().resume_soon()
        return True
