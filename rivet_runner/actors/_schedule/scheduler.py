"""What is scheduled for one actor generation, and its runs.

::

    stored ──► WAITING ──due──► RUNNING ──ended well──► gone, or WAITING for the next tick
                  ▲                │ raised: due again in 2, 4, 8 … s, or given up and reported, then as above
                  └────────────────┤
                  next generation  │ the actor stopped: stays as it is

An entry is stored before it waits, and removed or put forward after its run has ended and the state that the run changed is
stored. So each run happens at least once. The alarm of the actor is never later than the earliest entry: see `WakeUp`. Its
hook starts all runs, and returns when none is left and none comes due soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import weakref
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from rivet_runner.actor import Alarm
from rivet_runner.actors._schedule.arguments import decode_arguments, encode_arguments
from rivet_runner.actors._schedule.attempt import Then, attempt
from rivet_runner.actors._schedule.entry import Entry
from rivet_runner.actors._schedule.host import Method, SchedulerHost
from rivet_runner.actors._schedule.repeating import Repeating
from rivet_runner.actors._schedule.runs import Runs
from rivet_runner.actors._schedule.store import EntryStore
from rivet_runner.actors._schedule.table import Table
from rivet_runner.actors._schedule.times import LAST_MS, milliseconds_of
from rivet_runner.actors._schedule.wake_up import WakeUp
from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors.errors import ScheduleFull
from rivet_runner.errors import KvError, RunnerShutDown

__all__ = ["LONGEST_NAME", "MAX_BYTES", "MAX_ENTRIES", "Scheduler"]

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 8 * 1024 * 1024
"""Entries of one actor, and bytes of all their arguments, which are in memory. Beyond, adding one raises `ScheduleFull`."""

LONGEST_NAME: Final = 256
LARGEST_RETRIES: Final = 1000

SOON_SECONDS: Final = 1.0
"""An entry that is due by then is waited for, which costs less than to set the alarm, and to be called for it again."""

LONGEST_WAIT: Final = 30.0
"""Seconds after which the wall clock is looked at again. It may be set while a program runs, and the loop's clock is not."""

ALARM_RETRY_SECONDS: Final = 5.0
"""After the alarm could not be set. The hook does not return before it is."""

_LIKE_AN_ID: Final = re.compile(r"\d+-\d+")


class Scheduler:
    """See the module's docstring."""

    def __init__(self, host: SchedulerHost) -> None:
        self._host = host
        self._actor = host.actor
        self._table = Table()
        self._store = EntryStore(host.kv, host.actor.log)
        self._wake_up = WakeUp(host.actor, lambda: self._table.earliest_ms)
        self._runs = Runs(self._actor, self._run, self._look)
        self._added = 0
        self._storing: set[str] = set()
        """Entries that are in the table but not stored yet."""
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._changed = asyncio.Event()
        """Something happened for which the hook of the alarm must look again."""
        self._started = False
        self._stopping = False
        self._over = asyncio.Event()

    # Its life

    async def load(self) -> None:
        """Find what earlier generations have stored. Nothing runs yet. Raises `KvError`."""
        now_ms = self.now_ms()
        for entry in await self._store.load():
            self._table.put(entry.by_clock(now_ms))
        if self._table.earliest_ms is not None:
            await self._wake_up.not_after(self._table.earliest_ms)

    def start(self) -> None:
        """Let runs begin. Before, the alarm's hook waits."""
        self._started = True
        self._changed.set()

    async def stop(self) -> None:
        """Cancel all runs, and wait for them, at most 5 s. They run again in the next generation, and no attempt is counted.

        What is scheduled afterwards is stored, and runs in the next generation too.
        """
        self._stopping = True
        self._changed.set()
        try:
            await self._runs.cancel_all()
            await self._wake_up.rest()
        except (KvError, RunnerShutDown) as error:
            self._actor.log.warning("the alarm could not be set to what is scheduled next: %s", error)
        finally:
            self._over.set()

    async def on_alarm(self, alarm: Alarm) -> None:
        """Run what is due, and return when nothing is left to do soon. See `Runner.on_alarm`."""
        self._wake_up.called()
        while not self._stopping:
            self._changed.clear()
            seconds = self._start_due()
            if seconds > SOON_SECONDS and not self._runs and not self._storing:
                try:
                    await self._wake_up.rest()
                    return
                except KvError as error:
                    self._actor.log.warning("the alarm could not be set, which is tried again: %s", error)
                    seconds = ALARM_RETRY_SECONDS
            await self._change_within(seconds)
        await self._over.wait()
        await self._wake_up.rest()

    def _look(self) -> None:
        self._changed.set()

    async def _change_within(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LONGEST_WAIT)):
                await self._changed.wait()

    def _start_due(self) -> float:
        """Start what is due, and return the seconds until something else is."""
        while self._started and not self._runs.full:
            entry = self._table.first(lambda key: key not in self._runs and key not in self._storing)
            if entry is None:
                break
            wait_ms = entry.due_ms - self.now_ms()
            if wait_ms > 0:
                return wait_ms / 1000
            self._runs.start(entry)
        return LONGEST_WAIT

    # Changes

    async def add(
        self,
        method: Method,
        arguments: Sequence[Any],
        due_ms: int,
        retries: int,
        *,
        name: str = "",
        repeating: Repeating | None = None,
    ) -> str:
        """Store an entry and return its id, which for one that repeats is ``name``. See `Schedule`."""
        entry = self._entry(method, arguments, due_ms, retries, name, repeating)
        async with self._alone(entry.id):
            before = self._table.get(entry.id)
            entry = entry.in_place_of(before)
            if entry is before:
                return entry.id
            self._make_room(entry, before)
            self._table.put(entry)
            self._storing.add(entry.id)
            try:
                await self._wake_up.not_after(entry.due_ms)
                await self._store.put(entry)
            except BaseException:
                self._table.remove(entry.id)
                if before is not None:
                    self._table.put(before)
                raise
            finally:
                self._storing.discard(entry.id)
                self._changed.set()
        return entry.id

    def _entry(
        self, method: Method, arguments: Sequence[Any], due_ms: int, retries: int, name: str, repeating: Repeating | None
    ) -> Entry:
        method_name = self._name_of(method)
        encoded = encode_arguments(method_name, arguments)
        try:
            self._host.bind(method_name, decode_arguments(encoded))
        except ConversionError as error:
            raise TypeError(f"{method_name} cannot be called like that: {error}") from None
        if isinstance(retries, bool) or not isinstance(retries, int) or not 0 <= retries <= LARGEST_RETRIES:
            raise ValueError(f"retries must be a whole number from 0 to {LARGEST_RETRIES}, not {retries!r}")
        if due_ms > LAST_MS:
            raise ValueError("a schedule ends with the year 9999")
        if repeating is not None:
            _check_name(name)
        else:
            self._added += 1
            name = f"{self._actor.generation}-{self._added}"
        return Entry(name, method_name, encoded, due_ms, due_ms, 1, retries, repeating)

    def _name_of(self, method: Method) -> str:
        name: str = getattr(method, "__name__", "")
        own = self._host.method(name)
        if own is None or own != method:
            raise TypeError(f"schedule a method of this actor, such as self.remind, not {method!r}")
        return name

    def _make_room(self, entry: Entry, before: Entry | None) -> None:
        others, size = len(self._table), self._table.size
        if before is not None:
            others, size = others - 1, size - len(before.arguments)
        if others >= MAX_ENTRIES or size + len(entry.arguments) > MAX_BYTES:
            raise ScheduleFull(others, size)

    async def cancel(self, key: str) -> bool:
        """See `Schedule.cancel`."""
        async with self._alone(key):
            if self._table.remove(key) is None:
                return False
            self._runs.cancel(key)
            await self._store.remove(key)
        return True

    def get(self, key: str) -> Entry | None:
        """Return the entry with this id or name."""
        return self._table.get(key)

    def entries(self) -> list[Entry]:
        """Return all entries, the next one first."""
        return [*self._table]

    def now_ms(self) -> int:
        """The time of the runner's clock."""
        return milliseconds_of(self._actor.now())

    # Runs

    async def _run(self, entry: Entry) -> None:
        """Call the method once, and store what becomes of the entry."""
        key = entry.id
        outcome = await attempt(self._host, entry, lambda: self._runs.ending(key), lambda: self._runs.was_cancelled(key))
        self._runs.ending(key)
        now_ms = self.now_ms()
        if outcome.error is None:
            await self._settle(entry, entry.following(now_ms))
            return
        retry = entry.after_failure(now_ms) if outcome.then is Then.RETRY else None
        self._log_failure(entry, outcome.error, None if retry is None else retry.due_ms - now_ms)
        if retry is not None:
            await self._settle(entry, retry)
            return
        await self._settle(entry, None if outcome.then is Then.DROP else entry.following(now_ms))
        await self._host.failed(outcome.error, entry.method)

    def _log_failure(self, entry: Entry, error: Exception, retry_ms: int | None) -> None:
        log, call = self._actor.log, f"the scheduled call {entry.id} of {entry.method}"
        if retry_ms is None:
            log.warning("%s failed in attempt %d, the last", call, entry.attempt)
        else:
            log.warning("%s raised in attempt %d; the next is in %g s", call, entry.attempt, retry_ms / 1000, exc_info=error)

    async def _settle(self, entry: Entry, following: Entry | None) -> None:
        """The run is over: store what follows, unless the entry was cancelled or replaced meanwhile."""
        async with self._alone(entry.id):
            if self._table.get(entry.id) is not entry:
                return
            try:
                if following is None:
                    await self._store.remove(entry.id)
                else:
                    await self._store.put(following)
            except KvError as error:
                self._actor.log.warning(
                    "the end of a run of %s could not be stored, so it may run again: %s", entry.id, error
                )
            if following is None:
                self._table.remove(entry.id)
            else:
                self._table.put(following)

    # Small things

    @contextlib.asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        """Wait for other changes of this entry, so that the store gets them in their order."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a schedule must be a string, not {type(name).__name__}")
    if not name or len(name.encode()) > LONGEST_NAME:
        raise ValueError(f"the name of a schedule has 1 to {LONGEST_NAME} bytes as UTF-8, not {len(name.encode())}")
    if _LIKE_AN_ID.fullmatch(name):
        raise ValueError(f"the name {name!r} looks like the id of a schedule without a name; choose another")
