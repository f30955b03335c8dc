"""Messages that wait until the gateway has attached a client.

While the gateway attaches a client to an actor, it drops the actor's messages to that client, without a sign. The first
client message is the only proof that the client is attached. So after a restore and during a repair, a socket *holds back*
the actor's messages. A stop of the actor waits until nothing is held back any more.

If no client message comes, time has to tell. It counts only while the engine keeps up, and from when the gateway was asked.
The request may wait in the outbox for another connection or for a slow engine, and on another connection the report that a
restored actor runs leaves once more. And the engine takes the messages of a runner in order, so a slow key-value call keeps
it from what was sent next. If the machine stands still for a while, the engine does too, so such a pause counts as little.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Final, NamedTuple

from rivet_runner._connection.uplink import Uplink
from rivet_runner._session.outbox import Mark
from rivet_runner.protocol.messages import ToServerTunnelMessage, ToServerWebSocketClose

__all__ = ["Hold", "Holds"]

MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of messages that one socket holds back. Beyond it the client is closed with 1013."""

PARTS: Final = 4
"""The seconds of a hold go by in so many timers, each set when the one before has fired. So a pause of the process, however
long, takes the place of one of them only."""


class _Moment(NamedTuple):
    """When a hold began to count: the time, on the event loop's clock, and the place behind what was handed over by then."""

    time: float
    sent: Mark


class Holds:
    """The holds of one actor's sockets, so that a stop can wait for their release.

    ``is_slow`` tells whether the engine has left a call unanswered that was made before a time on the event loop's clock.
    """

    __slots__ = ("_active", "_is_slow", "_released", "closed", "uplink")

    def __init__(self, uplink: Uplink, is_slow: Callable[[float], bool]) -> None:
        self.uplink = uplink
        self._is_slow = is_slow
        self._active: dict[Hold, None] = {}
        self._released: asyncio.Future[None] | None = None
        self.closed = False

    def is_behind(self, moment: _Moment) -> bool:
        """Whether the engine has not taken yet what was handed over before ``moment``."""
        return not moment.sent.passed or self._is_slow(moment.time)

    def add(self, hold: Hold) -> None:
        """A socket begins to hold back."""
        self._active[hold] = None

    def remove(self, hold: Hold) -> None:
        """The hold was released. Removing it again changes nothing."""
        self._active.pop(hold, None)
        if not self._active and self._released is not None and not self._released.done():
            self._released.set_result(None)

    async def released(self) -> None:
        """Wait until no socket holds anything back. Cancelling is safe."""
        if self._active:
            self._released = asyncio.get_running_loop().create_future()
            await self._released

    def release(self) -> None:
        """End every hold now: what was held back leaves."""
        for hold in [*self._active]:
            hold.release()

    def close(self) -> None:
        """The actor has stopped: what is held back never leaves, and no timer goes on."""
        self.closed = True
        for hold in [*self._active]:
            hold.clear()
            hold.release()


class Hold:
    """The messages that one socket holds back, in order, and the timer that calls ``release`` at the latest.

    ``for_fetch`` tells that the hold began with a replay request for which nothing may come. ``for_restore`` tells that it
    began with the report that the actor runs.
    """

    __slots__ = ("_bytes", "_holds", "_messages", "_timer", "for_fetch", "for_restore", "release")

    def __init__(self, holds: Holds, release: Callable[[], None]) -> None:
        self._holds = holds
        self.release = release
        """End it, and send what it holds back."""
        self._messages: list[ToServerTunnelMessage] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.for_fetch = False
        self.for_restore = False
        holds.add(self)

    def add(self, message: ToServerTunnelMessage) -> bool:
        """Hold ``message`` back. Return whether the hold is within its bound. A close always is."""
        self._messages.append(message)
        if isinstance(message.message_kind, ToServerWebSocketClose):
            return True
        self._bytes += len(getattr(message.message_kind, "data", b""))
        return self._bytes <= MAX_HELD_BYTES

    def clear(self) -> None:
        """Drop the messages that it holds back."""
        self._messages.clear()

    def release_after(self, seconds: float | None) -> None:
        """Release it after ``seconds``, in place of any timer from before. ``None`` sets no timer.

        The seconds begin anew while what was handed over before has not left, or the engine is behind with it, and for a
        restored socket also with another connection.
        """
        self._cancel_timer()
        if seconds is not None and not self._holds.closed:
            moment = _Moment(asyncio.get_running_loop().time(), self._holds.uplink.mark)
            self._look_after(seconds, moment, was_behind=False)

    def _look_after(self, seconds: float, moment: _Moment, *, was_behind: bool) -> None:
        connection = self._holds.uplink.connection_number
        look = functools.partial(self._look, seconds, moment, connection, was_behind)
        self._wait(seconds / PARTS, PARTS, look)

    def _wait(self, part: float, parts: int, then: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if parts > 1:
            self._timer = loop.call_later(part, self._wait, part, parts - 1, then)
        else:
            self._timer = loop.call_later(part, then)

    def _look(self, seconds: float, moment: _Moment, connection: int, was_behind: bool) -> None:
        cut = self.for_restore and not self._holds.uplink.is_on(connection)
        behind = cut or self._holds.is_behind(moment)
        if behind or was_behind:
            self._look_after(seconds, moment, was_behind=behind)
        else:
            self.release()

    def end(self) -> list[ToServerTunnelMessage]:
        """End the hold. Return the messages that it held back, in order."""
        self._cancel_timer()
        self._holds.remove(self)
        return self._messages

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
