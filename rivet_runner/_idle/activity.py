"""Whether an actor is idle, and for how long: then it is asked to sleep.

Requests, plain WebSockets, background tasks, calls of ``on_alarm`` and ``keep_awake`` blocks begin and end here. Hibernating
WebSockets do not count, since they outlive the sleep. But a message of such a client begins the time anew: an actor that
slept between two messages of a lively client would do little else than stop and start. That costs nothing for each message,
because it is looked at only when the time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

__all__ = ["Activity"]


class Activity:
    """The activity of one actor generation.

    ``fall_asleep`` is called after ``seconds`` without any. ``heard`` returns a number that changes with the messages of
    hibernating WebSockets, or ``None`` while one is being handled.
    """

    __slots__ = ("_busy", "_fall_asleep", "_heard", "_heard_before", "_idle_since", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float, fall_asleep: Callable[[], None], heard: Callable[[], int | None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._fall_asleep = fall_asleep
        self._heard = heard
        self._heard_before: int | None = None
        self._busy = 0
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Something begins that keeps the actor awake."""
        self._busy += 1

    def end(self) -> None:
        """It ends."""
        self._busy -= 1
        if not self._busy:
            self._idle_since = self._loop.time()
            if self._timer is None and self._heard_before is not None:
                self._look_in(self._seconds)

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep the actor awake for a block."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def start(self) -> None:
        """The actor has started."""
        self._idle_since = self._loop.time()
        self._heard_before = self._heard() or 0
        self._look_in(self._seconds)

    def stop(self) -> None:
        """The actor stops."""
        self._heard_before = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._busy:
            return  # the end of it looks again
        heard = self._heard()
        if heard != self._heard_before:
            self._heard_before = heard or 0
            self._idle_since = self._loop.time()
        left = self._idle_since + self._seconds - self._loop.time()
        if left > 0:
            self._look_in(left)
        else:
            self._fall_asleep()
