"""The actor's one alarm, which stands for all entries."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Final

from rivet_runner._alarms.actor_alarm import time_of
from rivet_runner.actor import Actor
from rivet_runner.actors._schedule.times import milliseconds_of

__all__ = ["WakeUp"]

NEVER: Final = math.inf
"""The time of an alarm that is not set."""


class WakeUp:
    """Keeps the alarm no later than the earliest entry, which counts until its run has ended.

    A call of the alarm's hook that does not return counts as an alarm in the past: if the process dies, or the actor stops,
    the next generation is called at once. So while the hook waits for runs, nothing needs to be set. ``earliest`` tells when
    the earliest entry is due, in milliseconds since the epoch. Methods raise what `Actor.set_alarm` raises.
    """

    __slots__ = ("_actor", "_earliest", "_in_call", "_lock", "_set_ms")

    def __init__(self, actor: Actor, earliest: Callable[[], int | None]) -> None:
        self._actor = actor
        self._earliest = earliest
        self._lock = asyncio.Lock()
        alarm = actor.alarm
        self._set_ms: float = NEVER if alarm is None else milliseconds_of(alarm)
        self._in_call = False

    def called(self) -> None:
        """The hook is being called. This may be before the call that has set the alarm has returned."""
        self._in_call = True

    async def not_after(self, due_ms: int) -> None:
        """Set the alarm to ``due_ms`` if it is later."""
        async with self._lock:
            if not self._in_call and due_ms < self._set_ms:
                await self._actor.set_alarm(time_of(due_ms))
                self._set_ms = due_ms

    async def rest(self) -> None:
        """Set the alarm to the earliest entry, or clear it. The hook may return afterwards."""
        async with self._lock:
            earliest_ms = self._earliest()
            due_ms = NEVER if earliest_ms is None else earliest_ms
            if self._in_call or due_ms != self._set_ms:
                await self._actor.set_alarm(None if earliest_ms is None else time_of(earliest_ms))
                self._set_ms, self._in_call = due_ms, False
