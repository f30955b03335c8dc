"""The messages of one hibernatable connection that the gateway still keeps: which may be acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Protocol

from rivet_runner.websocket import WebSocket

__all__ = ["ENDED", "ClientMessage", "UnprocessedMessages"]

MAX_MESSAGES: Final = 1024
"""Of one connection. Beyond it no more are received until some are stored as processed."""

HURRY_FROM: Final = 256
"""New messages, after which the state is stored at once."""


class ClientMessage(Protocol):
    """A message that the actor works on. ``ended`` is true once it need not come again after a crash."""

    ended: bool


class _Ended:
    ended = True


ENDED: Final[ClientMessage] = _Ended()
"""A message that took no time."""


class UnprocessedMessages:
    """In order of arrival. Only the oldest ones, up to the first that has not ended, count as processed.

    ``with_ended`` is shared by all connections of an actor: it has those in which a message has ended since a save began.
    """

    __slots__ = ("_messages", "_new", "_room", "_with_ended", "_ws")

    def __init__(self, ws: WebSocket, with_ended: dict[UnprocessedMessages, None]) -> None:
        self._ws = ws
        self._with_ended = with_ended
        self._messages: deque[ClientMessage] = deque()
        self._new = 0
        """Messages since the last hurry."""
        self._room: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: ClientMessage) -> None:
        """The handler has received one more."""
        self._messages.append(message)
        self._new += 1

    def note_end(self) -> None:
        """A message has ended, so the next save counts."""
        self._with_ended[self] = None

    def hurries(self) -> bool:
        """Whether so many have come that their state should be stored soon. Asking begins the count anew if so."""
        if self._new < HURRY_FROM:
            return False
        self._new = 0
        return True

    @property
    def full(self) -> bool:
        """Whether there are so many that no more should be received."""
        return len(self._messages) >= MAX_MESSAGES

    async def room(self) -> None:
        """Return once there are few enough. Cancelling is safe."""
        while self.full:
            if self._room is None:
                self._room = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._room)

    def count_ended(self) -> int:
        """How many of the oldest have ended."""
        count = 0
        for message in self._messages:
            if not message.ended:
                break
            count += 1
        return count

    def mark_processed(self, count: int) -> None:
        """The state behind the oldest ``count`` is stored."""
        for _ in range(count):
            self._messages.popleft()
        self._ws.mark_processed(count)
        self._new = min(self._new, len(self._messages))
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
