"""Messages that somebody waits for: the waiting task goes on in the very turn of the event loop that read the message.

An ordinary future resumes its task in the *next* turn, through a callback that the loop queues; in between lies a look at
every socket and timer, which costs more than a short handler does. An `Arrival` keeps the task's callback to itself, and
`Arrivals.resume` calls it once what was read has been handed over. So a handler finds the runner just as it would one turn
later, and what it sends leaves with the read that it answers.
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
    """What one task awaits, and nobody else looks at. Its result alone wakes nobody: `resume_soon` does, or `Arrivals`."""

    __slots__ = ("context", "wakeup")

    context: Context
    wakeup: Callable[[Arrival[T]], object]

    def add_done_callback(self, fn: Callable[[Arrival[T]], object], /, *, context: Context | None = None) -> None:
        """Called by the task that begins to wait, with what lets it go on, and with its own context."""
        assert context is not None
        self.wakeup, self.context = fn, context

    def resume_soon(self) -> None:
        """Let the task go on in the next turn of the event loop."""
        self.get_loop().call_soon(self.wakeup, self, context=self.context)

    def cancel(self, msg: Any | None = None) -> bool:
        """As of any future: the task learns of it in the next turn."""
        cancelled = super().cancel(msg)
        if cancelled:
            self.resume_soon()
        return cancelled


class Arrivals:
    """Whoever got a message from what is being read."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        """The loop whose tasks wait; an `Arrival` needs it."""
        self._arrived: deque[Arrival[Any]] = deque()

    def bring(self, arrival: Arrival[T], message: T) -> None:
        """The message has come; its task goes on with the next `resume`."""
        arrival.set_result(message)
        self._arrived.append(arrival)

    def resume(self) -> bool:
        """Let every task go on whose message has come; false where there was none. Not to be called by a task."""
        arrived = self._arrived
        if not arrived:
            return False
        try:
            while arrived:
                arrival = arrived.popleft()
                arrival.context.run(arrival.wakeup, arrival)
        finally:
            # Only what ends the process comes out of a task's step; the other tasks must be able to end as well.
            while arrived:
                arrived.popleft().resume_soon()
        return True
