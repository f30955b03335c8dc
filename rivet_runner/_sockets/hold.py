"""Messages that wait until the gateway has attached a client.

While the gateway attaches a client to an actor, it drops the actor's messages to that client, without a sign. The first
client message is the only proof that the client is attached. So after a restore and during a repair, a socket *holds back*
the actor's messages. A stop of the actor waits until nothing is held back any more.

If no client message comes, time has to tell. It counts only while the engine keeps up: the engine takes the messages of a
runner in order, and a slow key-value call keeps it from what was sent next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from rivet_runner.protocol.messages import ToServerTunnelMessage, ToServerWebSocketClose

__all__ = ["Hold", "Holds"]

MAX_HELD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of messages that one socket holds back. Beyond it the client is closed with 1013."""


class Holds:
    """The holds of one actor's sockets, so that a stop can wait for their release.

    ``is_behind`` tells whether the engine has not taken yet what was sent at a time, on the event loop's clock.
    """

    __slots__ = ("_active", "_released", "is_behind")

    def __init__(self, is_behind: Callable[[float], bool]) -> None:
        self.is_behind = is_behind
        self._active: set[Hold] = set()
        self._released: asyncio.Future[None] | None = None

    def add(self, hold: Hold) -> None:
        """A socket begins to hold back."""
        self._active.add(hold)

    def remove(self, hold: Hold) -> None:
        """The hold was released. Removing it again changes nothing."""
        self._active.discard(hold)
        if not self._active and self._released is not None and not self._released.done():
            self._released.set_result(None)

    async def released(self) -> None:
        """Wait until no socket holds anything back. Cancelling is safe."""
        if self._active:
            self._released = asyncio.get_running_loop().create_future()
            await self._released


class Hold:
    """The messages that one socket holds back, in order, and the timer that releases them at the latest.

    ``for_fetch`` tells that the hold began with a replay request for which nothing may come.
    """

    __slots__ = ("_bytes", "_holds", "_messages", "_timer", "for_fetch")

    def __init__(self, holds: Holds) -> None:
        self._holds = holds
        self._messages: list[ToServerTunnelMessage] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self.for_fetch = False
        holds.add(self)

    def add(self, message: ToServerTunnelMessage) -> bool:
        """Hold ``message`` back. Return whether the hold is within its bound. A close always is."""
        self._messages.append(message)
        if isinstance(message.message_kind, ToServerWebSocketClose):
            return True
        self._bytes += len(getattr(message.message_kind, "data", b""))
        return self._bytes <= MAX_HELD_BYTES

    def release_after(self, seconds: float | None, release: Callable[[], None]) -> None:
        """Call ``release`` after ``seconds``, in place of any timer from before. ``None`` sets no timer.

        While the engine is behind, the seconds begin anew.
        """
        self._cancel_timer()
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._due, release, seconds, loop.time(), False)

    def _due(self, release: Callable[[], None], seconds: float, began: float, was_behind: bool) -> None:
        behind = self._holds.is_behind(began)
        if behind or was_behind:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(seconds, self._due, release, seconds, began, behind)
        else:
            release()

    def end(self) -> list[ToServerTunnelMessage]:
        """End the hold. Return the messages that it held back, in order."""
        self._cancel_timer()
        self._holds.remove(self)
        return self._messages

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
