"""The events of one live connection: who waits for them, and what does not fit is dropped."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from rivet_runner.actors._client.names import event_value
from rivet_runner.actors._types.convert import ValueType

__all__ = ["Subscription", "Subscriptions"]

log = logging.getLogger("rivet_runner.actors.client")

T = TypeVar("T")

MAX_EVENTS: Final = 1024
MAX_BYTES: Final = 32 * 1024 * 1024
"""Events of one subscription that wait to be received, and their bytes. The oldest are dropped beyond that."""


class Subscription(Generic[T]):
    """The values of one event, in order: ``async for value in live.on(Room.changed)``.

    It begins with `rivet_runner.actors.live_connection.LiveConnection.on`, and not with the loop. It ends with the
    connection, or with `close`, or when nothing holds it any more. Then the loop ends too, after the values that wait. If
    the connection has ended with an error, the loop raises it.

    If your loop is too slow, 1,024 values or 32 MiB wait. Beyond that the oldest are dropped, and ``missed`` counts them.
    Values that the actor sends while the connection is made again are missed too, and not counted.
    """

    def __init__(self, name: str, kind: ValueType[T] | None, leave: Callable[[Subscription[Any]], None]) -> None:
        self.name: str = name
        """The name of the event."""
        self.missed: int = 0
        """The number of values that were dropped."""
        self._kind = kind
        self._leave = leave
        self._waiting: deque[tuple[list[Any], int]] = deque()
        self._bytes = 0
        self._arrived: asyncio.Future[None] | None = None
        self._ended = False
        self._error: Exception | None = None

    def __repr__(self) -> str:
        return f"<Subscription {self.name!r}: {len(self._waiting)} values wait{', ended' if self._ended else ''}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """Receive the next value, converted to the event's type.

        Raises `ClientError` for a value that does not fit, after which you can go on, and `RuntimeError` if another task
        waits here already. Cancelling loses no value.
        """
        while not self._waiting:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._arrived is not None:
                raise RuntimeError("another task waits for this subscription already: call on() again for a second one")
            self._arrived = asyncio.get_running_loop().create_future()
            try:
                await self._arrived
            finally:
                self._arrived = None
        args, size = self._waiting.popleft()
        self._bytes -= size
        value: T = event_value(self.name, self._kind, args)
        return value

    def close(self) -> None:
        """End it. Values that wait can still be received. A second close does nothing."""
        if not self._ended:
            self._leave(self)
            self.end(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Calls of the connection

    def receive(self, args: list[Any], size: int) -> None:
        self._waiting.append((args, size))
        self._bytes += size
        while len(self._waiting) > MAX_EVENTS or (self._bytes > MAX_BYTES and len(self._waiting) > 1):
            self._bytes -= self._waiting.popleft()[1]
            if not self.missed:
                log.warning("a subscription to %r is too slow: its oldest values are dropped", self.name)
            self.missed += 1
        self._notify()

    def end(self, error: Exception | None) -> None:
        self._ended, self._error = True, error
        self._notify()

    def _notify(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)


class Subscriptions:
    """All subscriptions of a connection, also of one that is being made again. ``change`` tells the actor of them."""

    def __init__(self, change: Callable[[str, bool], None]) -> None:
        self._change = change
        # A subscription that nothing holds any more ends by itself, so this does not hold it either.
        self._of_event: dict[str, list[weakref.ref[Subscription[Any]]]] = {}

    @property
    def names(self) -> list[str]:
        """The events to subscribe to."""
        return [name for name in list(self._of_event) if self._alive(name)]

    def add(self, name: str, kind: ValueType[T] | None) -> Subscription[T]:
        """Begin a subscription, which the actor hears of if it is the first to its event."""
        made = Subscription(name, kind, self._remove)
        if not self._alive(name):
            self._change(name, True)
        self._of_event.setdefault(name, []).append(weakref.ref(made))
        return made

    def receive(self, name: str, args: list[Any], size: int) -> None:
        """Hand an event out. If nothing waits for it any more, the actor hears of that."""
        alive = self._alive(name)
        for subscription in alive:
            subscription.receive(args, size)
        if not alive:
            self._change(name, False)

    def end(self, error: Exception | None) -> None:
        """The connection has ended for good."""
        for name in list(self._of_event):
            for subscription in self._alive(name):
                subscription.end(error)
        self._of_event.clear()

    def _remove(self, subscription: Subscription[Any]) -> None:
        left = [reference for reference in self._of_event.get(subscription.name, ()) if reference() is not subscription]
        if left:
            self._of_event[subscription.name] = left
        elif self._of_event.pop(subscription.name, None) is not None:
            self._change(subscription.name, False)

    def _alive(self, name: str) -> list[Subscription[Any]]:
        found = [subscription for reference in self._of_event.get(name, ()) if (subscription := reference()) is not None]
        if not found:
            self._of_event.pop(name, None)
        return found
