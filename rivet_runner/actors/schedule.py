"""What a typed actor does later: once, or again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVarTuple, Unpack

from rivet_runner._alarms.actor_alarm import time_of
from rivet_runner.actors._schedule.arguments import decode_arguments
from rivet_runner.actors._schedule.entry import Entry
from rivet_runner.actors._schedule.repeating import Cron, Every
from rivet_runner.actors._schedule.scheduler import Scheduler
from rivet_runner.actors._schedule.times import milliseconds_of, span_of

__all__ = ["Schedule", "Scheduled"]

Ts = TypeVarTuple("Ts")

RETRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Something that is scheduled. See `Schedule`.

    ``name`` is `None` unless it repeats, and else the same as ``id``. ``at`` is when ``method`` is called next, in UTC. It
    has passed if the call is under way. ``attempt`` is 1 for the first call, and 1 more after each one that raised.
    ``args`` are plain data: a struct that you passed is a dict here.
    """

    id: str
    name: str | None
    method: str
    args: tuple[Any, ...]
    at: datetime
    attempt: int


class Schedule:
    """Calls methods of the actor later, whether it is awake then or not. You get it as ``self.schedule``.

    Each method that adds something takes a method of the actor and its arguments. The method need not be an action. The
    arguments must fit its annotations, have a form in CBOR, and take at most 64 KiB. When the call returns, they are
    stored. ``retries`` is how often a run that raises is repeated, after 2, 4, 8 … s, at most an hour. Then your
    ``on_error`` is called.

    A run happens at least once, and may happen again if the process dies before its end is stored: let that do no harm. It
    has no time limit and keeps the actor awake. If the actor stops in the middle, the run is cancelled, and begins again in
    the next generation. An actor has at most 10,000 entries, and 256 runs side by side.

    The methods that add or cancel raise `KvError` if the store cannot be written, `ScheduleFull`, `TypeError` or
    `ValueError`. After a `KvError`, or if you cancel the call, the change may have been stored or not.
    """

    __slots__ = ("_scheduler",)

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    async def after(
        self,
        delay: float | timedelta,
        method: Callable[[Unpack[Ts]], Awaitable[Any]],
        *args: *Ts,
        retries: int = RETRIES,
    ) -> str:
        """Call ``method`` once after ``delay``, in seconds or as a timedelta. Return an id for `cancel` and `get`.

        The time follows the wall clock. A delay that is not positive is over at once.
        """
        due_ms = self._scheduler.now_ms() + max(span_of(delay), 0)
        return await self._scheduler.add(method, args, due_ms, retries)

    async def at(
        self,
        when: datetime,
        method: Callable[[Unpack[Ts]], Awaitable[Any]],
        *args: *Ts,
        retries: int = RETRIES,
    ) -> str:
        """Call ``method`` once at ``when``, an aware datetime. A time in the past is due at once. Return an id."""
        return await self._scheduler.add(method, args, milliseconds_of(when), retries)

    async def every(
        self,
        name: str,
        interval: float | timedelta,
        method: Callable[[Unpack[Ts]], Awaitable[Any]],
        *args: *Ts,
        retries: int = RETRIES,
    ) -> str:
        """Call ``method`` each ``interval``, in seconds or as a timedelta, from one interval from now on. Return ``name``.

        The ticks keep their distance however long a run takes. Ticks during a run, or between its retries, are skipped.
        Ticks that were missed, because no runner was there, run once.

        ``name`` has at most 256 bytes, and another `every` or `cron` with it replaces this one. If the ticks are the same,
        the next one stays, so you may call this at each start. A run that is under way goes on.
        """
        every = Every(span_of(interval))
        every.check()
        due_ms = every.tick_after(now_ms := self._scheduler.now_ms(), now_ms)
        return await self._scheduler.add(method, args, due_ms, retries, name=name, repeating=every)

    async def cron(
        self,
        name: str,
        expression: str,
        method: Callable[[Unpack[Ts]], Awaitable[Any]],
        *args: *Ts,
        tz: str = "UTC",
        retries: int = RETRIES,
    ) -> str:
        """Call ``method`` at the times of a cron ``expression``. Return ``name``. Otherwise as `every`.

        The expression has five fields, minute, hour, day of the month, month and day of the week, or six with the second
        first. ``tz`` is the time zone of its hours, such as ``"Europe/Berlin"``. At a change of the clocks, a call at a
        fixed hour happens once: later, if that hour does not exist, and in the first of two such hours.
        """
        cron = Cron(expression, tz)
        cron.check()
        due_ms = cron.tick_after(0, self._scheduler.now_ms())
        if due_ms is None:
            raise ValueError(f"the cron expression {expression!r} has no time within the next 50 years")
        return await self._scheduler.add(method, args, due_ms, retries, name=name, repeating=cron)

    async def cancel(self, id_or_name: str) -> bool:
        """Remove what is scheduled, for good. Return whether there was anything.

        A run of it that is under way is cancelled, but not waited for. A run that cancels itself goes on to its end.
        """
        return await self._scheduler.cancel(id_or_name)

    async def get(self, id_or_name: str) -> Scheduled | None:
        """Return what is scheduled, also while it runs, or `None`."""
        entry = self._scheduler.get(id_or_name)
        return None if entry is None else _scheduled(entry)

    async def list(self) -> list[Scheduled]:
        """Return all that is scheduled, also what runs, the earliest first."""
        return [_scheduled(entry) for entry in self._scheduler.entries()]


def _scheduled(entry: Entry) -> Scheduled:
    name = None if entry.repeating is None else entry.id
    arguments = tuple(decode_arguments(entry.arguments))
    return Scheduled(entry.id, name, entry.method, arguments, time_of(entry.due_ms), entry.attempt)
