"""The alarm of one actor generation: set, stored, called, tried again.

::

               set                    due, and the actor has started
    NONE ─────────────► SET ─────────────────────────────────────────► CALLING
     ▲                   ▲  │ set: replaced                               │
     │                   │  │                                             │ the hook
     ├── cleared ────────│──┘                                             │
     │                   └── raised: due again in 2, 4, 8 … s ────────────┤
     │                   └── another was set meanwhile ───────────────────┤
     └── returned, or raised too often ───────────────────────────────────┘

The stored record is the truth: it is written before `Actor.set_alarm` returns, and removed after the hook has returned. So a
runner that is killed in between leaves an alarm that the next generation calls.

The engine's own alarm wakes the actor. While the actor is awake, the engine (2.3.19) drops an alarm that comes due. If the
runner was killed by then, and the actor is to sleep after a crash, nothing would wake it. So while it is awake, the engine
is told of a time by which it has found out that the runner is lost, and of the due time itself when the actor stops. It is
told before the time is stored: a wake-up in vain does no harm, and one that is missing would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from rivet_runner._alarms.record import AlarmRecord, load_alarm, store_alarm
from rivet_runner._alarms.timer import AlarmTimer, Wait
from rivet_runner._kv.store import KvStore
from rivet_runner._tasks import is_being_cancelled
from rivet_runner.actor import Actor, Alarm
from rivet_runner.errors import KvError, RecordError, RunnerShutDown

__all__ = ["ActorAlarm", "AlarmHook", "AlarmOwner", "time_of"]

FIRST_RETRY_SECONDS: Final = 2
LONGEST_RETRY_SECONDS: Final = 3600
"""From the first failed attempt to the next. Each further one waits twice as long, up to an hour."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(milliseconds: int) -> datetime:
    """The time so many milliseconds after the epoch, in UTC, at most the last one that Python knows."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


class AlarmOwner(Protocol):
    """What an alarm needs of its actor generation."""

    @property
    def actor(self) -> Actor: ...

    @property
    def kv_store(self) -> KvStore: ...

    @property
    def seconds_until_lost(self) -> float:
        """How long after the end of this process, at the latest, the engine puts the actor to sleep or elsewhere."""

    def report_alarm(self, due_ms: int | None) -> None:
        """Tell the engine when to wake the actor."""

    async def alarm_reported(self) -> None:
        """Wait until what was told has left for the engine."""

    def spawn_alarm_call(self, call: Coroutine[Any, Any, None]) -> None:
        """Run a call of the hook as work of the actor."""


@dataclass(frozen=True, slots=True)
class AlarmHook:
    """What the alarms of one runner share. ``retries`` is how often a call that raised is repeated."""

    call: Callable[[Actor, Alarm], Awaitable[None]]
    retries: int
    timer: AlarmTimer
    now_ms: Callable[[], int]


class ActorAlarm:
    """See the module's docstring. Without a ``hook`` nothing is stored or called, and the alarm only wakes the actor."""

    __slots__ = ("_calling", "_hook", "_lock", "_owner", "_record", "_renewal", "_started", "_wait")

    def __init__(self, owner: AlarmOwner, hook: AlarmHook | None) -> None:
        self._owner = owner
        self._hook = hook
        self._record: AlarmRecord | None = None
        self._calling: AlarmRecord | None = None
        self._started = False
        self._wait: Wait | None = None
        """For the hook to be called."""
        self._renewal: Wait | None = None
        """For the engine to be told of a later time."""
        self._lock: asyncio.Lock | None = None

    @property
    def time(self) -> datetime | None:
        """The time that was set, unless the hook is being called for it."""
        if self._record is None or self._record is self._calling:
            return None
        return time_of(self._record.scheduled_ms)

    @property
    def due_ms(self) -> int | None:
        """When the actor must be awake, in milliseconds since the epoch, also while the hook is being called."""
        return None if self._record is None else self._record.due_ms

    @property
    def is_stored(self) -> bool:
        """Whether a hook is called, so that an alarm stays until its call has returned."""
        return self._hook is not None

    # Its life

    async def load(self) -> None:
        """Find the alarm of an earlier generation. Raises `KvError`."""
        if self._hook is not None:
            try:
                self._record = await load_alarm(self._owner.kv_store)
            except RecordError as error:
                self._owner.actor.log.error("the stored alarm cannot be read, so it is not called: %s", error)
            if self._record is not None:
                self._tell(self._hook, self._record.due_ms)

    def start(self) -> None:
        """The actor has started: an alarm that is due is called from now on."""
        self._started = True
        self._wait_for_it()

    def stop(self) -> None:
        """Call nothing more in this generation, and tell the engine nothing more by itself."""
        self._started = False
        self._wait_for_it()
        self._cancel(self._renewal)

    # Setting

    async def set(self, due_ms: int | None) -> None:
        """See `Actor.set_alarm`."""
        record = None if due_ms is None else AlarmRecord(due_ms, due_ms, 1)
        if self._hook is None:
            self._record = record
            self._owner.report_alarm(due_ms)
            return
        async with self._storing():
            await self._replace(self._hook, record)
        await self._owner.alarm_reported()

    async def _replace(self, hook: AlarmHook, record: AlarmRecord | None) -> None:
        before = self._record
        if record is not None:
            self._tell(hook, record.due_ms)
        try:
            await store_alarm(self._owner.kv_store, record)
        except BaseException:
            if before is not None and record is not None:  # either may be the one that is stored
                self._tell(hook, min(before.due_ms, record.due_ms))
            raise
        if record is None:
            self._cancel(self._renewal)
            self._owner.report_alarm(None)
        self._record = record
        self._wait_for_it()

    def _tell(self, hook: AlarmHook, due_ms: int) -> None:
        """Tell the engine when to wake the actor if this process has ended by then. See the module's docstring."""
        self._cancel(self._renewal)
        lost_ms = round(1000 * self._owner.seconds_until_lost)
        soon = hook.now_ms() + lost_ms
        told = due_ms if due_ms > soon + lost_ms else max(due_ms, soon) + lost_ms
        self._owner.report_alarm(told)
        self._renewal = hook.timer.call_at(told - lost_ms, lambda: self._tell(hook, due_ms))

    def _cancel(self, wait: Wait | None) -> None:
        if self._hook is not None and wait is not None:
            self._hook.timer.cancel(wait)

    def _storing(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    # Calling

    def _wait_for_it(self) -> None:
        if self._hook is None:
            return
        self._cancel(self._wait)
        self._wait = None
        if self._started and self._record is not None and self._calling is None:
            self._wait = self._hook.timer.call_at(self._record.due_ms, self._is_due)

    def _is_due(self) -> None:
        self._wait = None
        assert self._hook is not None
        assert self._record is not None
        self._calling = self._record
        self._owner.spawn_alarm_call(self._call(self._hook, self._record))

    async def _call(self, hook: AlarmHook, record: AlarmRecord) -> None:
        """Call the hook once. A call that is cancelled, because the actor stops, is made again in the next generation."""
        try:
            try:
                await hook.call(self._owner.actor, Alarm(time_of(record.scheduled_ms), record.attempt))
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
                    raise
                await self._called(hook, record, self._next_attempt(hook, record, error))
            else:
                await self._called(hook, record, None)
        except (KvError, RunnerShutDown) as error:
            self._owner.actor.log.warning(
                "the end of an alarm's call could not be stored, so it may be called again: %s", error
            )
        finally:
            self._calling = None
            self._wait_for_it()

    def _next_attempt(self, hook: AlarmHook, record: AlarmRecord, error: BaseException) -> AlarmRecord | None:
        log, attempt = self._owner.actor.log, record.attempt
        if self._record is not record:
            log.error("on_alarm raised, and the alarm was set or cleared anew meanwhile; no further attempt", exc_info=error)
            return None
        if attempt > hook.retries:
            log.error("on_alarm raised in attempt %d, the last; the alarm is dropped", attempt, exc_info=error)
            return None
        seconds = min(FIRST_RETRY_SECONDS**attempt, LONGEST_RETRY_SECONDS)
        log.error("on_alarm raised in attempt %d; the next is in %d s", attempt, seconds, exc_info=error)
        return AlarmRecord(record.scheduled_ms, hook.now_ms() + 1000 * seconds, attempt + 1)

    async def _called(self, hook: AlarmHook, record: AlarmRecord, following: AlarmRecord | None) -> None:
        """The hook has returned: store the next attempt, or remove the alarm, unless it was set or cleared anew."""
        async with self._storing():
            if self._record is record:
                try:
                    await self._replace(hook, following)
                except (KvError, RunnerShutDown):
                    self._record = following  # what is stored is called again by the next generation at the latest
                    raise
