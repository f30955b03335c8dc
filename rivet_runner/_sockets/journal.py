"""Processed messages, stored and then acknowledged: one journal for each actor.

The order is the guarantee. A message that is acknowledged is gone from the gateway, so the record that says "processed"
must be stored first. A message counts as processed only when its handler has asked for the next. A crash between any two of
these steps delivers a message again and never loses one.

Sockets that change are collected and written together, a fraction of a second later: one put serves many sockets and many
messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import Final

from rivet_runner._sockets.delivery import Delivery
from rivet_runner._tasks import TaskGroup
from rivet_runner.errors import RecordError, RivetRunnerError
from rivet_runner.hibernation import HibernationRecord, HibernationStore

__all__ = ["Journal"]

log = logging.getLogger("rivet_runner.hibernation")

DEBOUNCE_SECONDS: Final = 0.25
"""Between the first change and the put. The gateway waits 30 s for an acknowledgement, so this is a matter of cost alone."""

RETRY_SECONDS: Final = 1.0
"""After a put that failed."""

STORE_SECONDS: Final = 1.0
"""For records to be stored before a replay. A replay that repeats more is better than a late one."""

RECENT_SECONDS: Final = 0.05

CLOCK_SLACK: Final = 0.01
"""Seconds by which a timer may seem to fire early."""

LATE_SECONDS: Final = 25.0
"""The gateway closes a client whose message is not acknowledged for 30 s. Code that works for long on purpose acknowledges
before, as typed actors do after 20 s."""


class Journal:
    """The records of one actor's open hibernatable sockets, on their way to the store."""

    def __init__(self, store: HibernationStore, tasks: TaskGroup, actor_log: logging.LoggerAdapter[logging.Logger]) -> None:
        self._store = store
        self._tasks = tasks
        self._log = actor_log
        self._changed: dict[Delivery, None] = {}
        self._ended: dict[bytes, None] = {}
        self._unacknowledged: dict[Delivery, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._late_timer: asyncio.TimerHandle | None = None
        self._writing = asyncio.Lock()
        self._acknowledged_at = float("-inf")
        self._closed = False

    def changed(self, delivery: Delivery) -> None:
        """``delivery`` has something new to store. It says so once until that is stored."""
        self._changed[delivery] = None
        self._ended.pop(delivery.key, None)  # of the socket that this one has replaced
        self._schedule(DEBOUNCE_SECONDS)

    def ended(self, delivery: Delivery) -> None:
        """The socket is closed for good: its record goes."""
        self._changed.pop(delivery, None)
        self._unacknowledged.pop(delivery, None)
        self.forget(delivery.key)

    def forget(self, key: bytes) -> None:
        """Remove the record with this request key."""
        self._ended[key] = None
        self._schedule(DEBOUNCE_SECONDS)

    def received(self, delivery: Delivery) -> None:
        """``delivery`` has its first message that is not acknowledged. It says so once until all of them are."""
        loop = asyncio.get_running_loop()
        self._unacknowledged[delivery] = loop.time()
        if self._late_timer is None and not self._closed:
            self._late_timer = loop.call_later(LATE_SECONDS, self._look_for_late)

    @property
    def acknowledged_recently(self) -> bool:
        """Whether an acknowledgement may still be on its way to the gateway."""
        return asyncio.get_running_loop().time() - self._acknowledged_at < RECENT_SECONDS

    def flush_soon(self) -> None:
        """Do not wait for the debounce: the actor is about to sleep."""
        if self._changed or self._ended:
            self._schedule(0.0)

    async def load_all(self) -> dict[bytes, HibernationRecord | RecordError]:
        """Return the records from before. Errors of the store pass through."""
        return await self._store.load_all()

    async def flush(self) -> None:
        """Store and acknowledge everything that was processed up to now.

        Errors of the store pass through, and unstored records stay for the next flush. Cancelling is safe.
        """
        async with self._writing:
            await self._write()

    async def flush_before_replay(self) -> None:
        """Flush, for `STORE_SECONDS` at most: acknowledged messages need no replay.

        Raises nothing. An error of the store is logged when the journal tries again.
        """
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STORE_SECONDS):
                await self.flush()

    def close(self) -> None:
        """The actor has stopped: no timer goes on."""
        self._closed = True
        for timer in (self._timer, self._late_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._late_timer = None

    async def _write(self) -> None:
        ended, self._ended = self._ended, {}
        changed, self._changed = self._changed, {}
        try:
            if changed:
                records = [delivery.record() for delivery in changed]
                await self._store.save_many(records)
                for delivery, record in zip(changed, records, strict=True):
                    self._stored(delivery, record.received)
                changed = {}
            if ended:
                await self._store.delete([*ended])
                ended = {}
        finally:
            # Unstored records go back, before those that have changed meanwhile.
            self._changed = {delivery: None for delivery in changed if not delivery.is_over} | self._changed
            self._ended = ended | self._ended

    def _stored(self, delivery: Delivery, received: int) -> None:
        self._acknowledged_at = asyncio.get_running_loop().time()
        progress = received != delivery.acknowledged
        if delivery.acknowledge(received):
            self._unacknowledged.pop(delivery, None)
        elif progress and delivery in self._unacknowledged:
            self._unacknowledged[delivery] = asyncio.get_running_loop().time()

    def _schedule(self, delay: float) -> None:
        if self._timer is not None and not delay:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(delay, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._tasks.spawn(self._flush_logged(), name=f"{self._tasks.name}: store hibernation records")

    async def _flush_logged(self) -> None:
        try:
            await self.flush()
        except RivetRunnerError as error:
            self._log.warning("hibernation records could not be stored, trying again: %s", error)
            self._schedule(RETRY_SECONDS)
        except Exception:
            self._log.exception("the hibernation store raised, trying again")
            self._schedule(RETRY_SECONDS)
        if self._changed or self._ended:
            self._schedule(DEBOUNCE_SECONDS)

    def _look_for_late(self) -> None:
        self._late_timer = None
        if self._closed or not self._unacknowledged:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        waiting = {delivery: since for delivery, since in self._unacknowledged.items() if since < math.inf}
        for delivery, since in waiting.items():
            if now - since >= LATE_SECONDS - CLOCK_SLACK:
                self._unacknowledged[delivery] = math.inf  # told once
                self._log.warning(
                    "a message on the WebSocket %s has been unprocessed for %.0f s; the gateway closes the client at 30 s",
                    delivery.path,
                    now - since,
                )
        oldest = min(waiting.values(), default=now)
        self._late_timer = loop.call_later(max(1.0, LATE_SECONDS - (now - oldest)), self._look_for_late)
