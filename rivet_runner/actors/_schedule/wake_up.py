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

IN_CALL: Final = -math.inf


class WakeUp:
    """Keeps the alarm no later than the earliest entry, which counts until its run has ended.

    A call of the alarm's hook that does not return counts as an alarm in the past: if the process dies, or the actor stops,
    the next generation is called at once. So while the hook waits for runs, nothing needs to be set. ``earliest`` tells when
    the earliest entry is due, in milliseconds since the epoch. Methods raise what `Actor.set_alarm` raises.
    """

    __slots__ = ("_actor", "_earliest", "_lock", "_set_ms")

    def __init__(self, actor: Actor, earliest: Callable[[], int | None]) -> None:
        self._actor = actor
        self._earliest = earliest
        self._lock = asyncio.Lock()
        alarm = actor.alarm
        self._set_ms: float = math.inf if alarm is None else milliseconds_of(alarm)
        """When the alarm is due. Infinite if none is set."""

    def called(self) -> None:
        """The hook is being called."""
        self._set_ms = IN_CALL

    async def not_after(self, due_ms: int) -> None:
        """Set the alarm to ``due_ms`` if it is later."""
        async with self._lock:
            if due_ms < self._set_ms:
                await self._actor.set_alarm(time_of(due_ms))
                self._set_ms = due_ms

    async def rest(self) -> None:
        """Set the alarm to the earliest entry, or clear it. The hook may return afterwards."""
        async with self._lock:
            due_ms = self._earliest()
            if due_ms is None:
                if self._set_ms != math.inf:
                    await self._actor.set_alarm(None)
                    self._set_ms = math.inf
            elif due_ms != self._set_ms:
                await self._actor.set_alarm(time_of(due_ms))
                self._set_ms = due_ms
