"""When the state of an actor is stored, and the messages of clients acknowledged.

::

    an action ends ──► soon() ──save_interval──┐
    await save() ──────────────────────────────┼──► one save ──► messages that had ended before it count as processed
    too many messages wait, or the actor stops ┘

One save runs at a time. Those that ask meanwhile share the next one, so that many callers cost one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rivet_runner.actor import Actor
from rivet_runner.actors._hosting.connections import ConnectionTable
from rivet_runner.errors import KvError

__all__ = ["Saving"]


class Saving:
    """The saves of one actor generation.

    ``store`` stores the state as it is when it is called, or is `None` if the actor has no state. ``failed`` is told of
    errors that no caller waits for.
    """

    __slots__ = ("_actor", "_closed", "_connections", "_failed", "_interval", "_next", "_running", "_store", "_timer")

    def __init__(
        self,
        actor: Actor,
        connections: ConnectionTable,
        store: Callable[[], Awaitable[Any]] | None,
        failed: Callable[[Exception], Awaitable[None]],
        interval: float,
    ) -> None:
        self._actor = actor
        self._connections = connections
        self._store = store
        self._failed = failed
        self._interval = interval
        self._timer: asyncio.Handle | None = None
        self._running: asyncio.Task[Exception | None] | None = None
        self._next: asyncio.Task[Exception | None] | None = None
        self._closed = False

    def soon(self) -> None:
        """Something may have changed the state: store it after the interval."""
        if self._timer is not None or self._closed:
            return
        if self._store is not None:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._due)
        elif self._connections.may_have_changed:
            # At the end of the turn, for all of its actions together.
            self._timer = asyncio.get_running_loop().call_soon(self._due)

    def hurry(self) -> None:
        """Store it as soon as the save that runs has ended."""
        if self._next is None and not self._closed:
            self._stop_timer()
            self._due()

    async def now(self) -> None:
        """Store the state and return when it is stored. Raises the errors of the store. Cancelling is safe."""
        self._stop_timer()
        if self._store is None:
            self._without_state()
            return
        error = await asyncio.shield(self._begin())
        if error is not None:
            raise error

    def close(self) -> None:
        """No timer goes on."""
        self._closed = True
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _without_state(self) -> None:
        """Nothing has to be stored first, except for the records of connections, which are stored with the mark."""
        if self._connections.may_have_changed:
            self._connections.write_records()
            for unprocessed, count in self._connections.take_ended():
                unprocessed.mark_processed(count)

    def _due(self) -> None:
        self._timer = None
        if self._store is None:
            self._without_state()
        else:
            self._actor.spawn(self._save_by_itself(), keep_awake=False)

    async def _save_by_itself(self) -> None:
        error = await asyncio.shield(self._begin())
        if error is not None:
            await self._failed(error)
            if isinstance(error, KvError):
                self.soon()

    def _begin(self) -> asyncio.Task[Exception | None]:
        """The save that begins next. It covers all that has happened until now."""
        if self._next is None:
            self._next = self._actor.spawn(self._save(self._running), keep_awake=False)
        return self._next

    async def _save(self, before: asyncio.Task[Exception | None] | None) -> Exception | None:
        if before is not None:
            await asyncio.wait([before])
        self._running, self._next = self._next, None
        ended = self._connections.take_ended()
        try:
            self._connections.write_records()
            if self._store is not None:
                await self._store()
            for unprocessed, count in ended:
                unprocessed.mark_processed(count)
        except BaseException as error:
            for unprocessed, _ in ended:
                unprocessed.note_end()
            if not isinstance(error, Exception):
                raise
            return error
        finally:
            self._running = None
        return None
