"""Whether an actor is idle, and for how long: then it is asked to sleep.

Requests, plain WebSockets, background tasks, calls of ``on_alarm`` and ``keep_awake`` blocks are activity. Hibernating
WebSockets do not count, since they outlive the sleep. But a message of such a client begins the time anew: an actor that
slept between two messages of a lively client would do little else than stop and start. That costs nothing for each message,
because it is looked at only when the time is over.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

__all__ = ["Activity", "IdleActor"]


class IdleActor(Protocol):
    """What the activity of an actor is judged by."""

    @property
    def is_busy(self) -> bool:
        """Whether something keeps it awake."""

    @property
    def heard(self) -> int | None:
        """A number that changes with the messages of hibernating WebSockets, or ``None`` while one is being handled."""

    def ask_to_sleep(self) -> None: ...


class Activity:
    """The time of one actor generation without any activity, after which it is asked to sleep."""

    __slots__ = ("_actor", "_heard_before", "_idle_since", "_loop", "_seconds", "_timer")

    def __init__(self, actor: IdleActor, seconds: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._actor = actor
        self._seconds = seconds
        self._heard_before: int | None = None
        self._idle_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def seconds(self) -> float | None:
        """The time without activity, or ``None`` if the actor stays awake."""
        return self._seconds

    @seconds.setter
    def seconds(self, value: float | None) -> None:
        """The time begins anew."""
        self._seconds = value
        if self._heard_before is not None:
            self.start()

    def is_idle(self) -> None:
        """The last thing that kept the actor awake has ended."""
        self._idle_since = self._loop.time()
        if self._timer is None and self._heard_before is not None:
            self._look_in(self._seconds)

    def start(self) -> None:
        """The actor has started."""
        self._cancel_timer()
        self._idle_since = self._loop.time()
        self._heard_before = self._actor.heard or 0
        self._look_in(self._seconds)

    def stop(self) -> None:
        """The actor stops."""
        self._heard_before = None
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float | None) -> None:
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._actor.is_busy or self._seconds is None:
            return  # the end of it looks again
        heard = self._actor.heard
        if heard != self._heard_before:
            self._heard_before = heard or 0
            self._idle_since = self._loop.time()
        left = self._idle_since + self._seconds - self._loop.time()
        if left > 0:
            self._look_in(left)
        else:
            self._actor.ask_to_sleep()
