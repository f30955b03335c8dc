"""A client's WebSocket, as the gateway sees it: the queue of messages from the client, and the way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

__all__ = ["ClientClose", "ClientGarbage", "ClientMessage", "ClientPort", "ClientTransport"]


class ClientMessage(msgspec.Struct, frozen=True, gc=False):
    """One message. Text is UTF-8."""

    data: bytes
    binary: bool


class ClientGarbage(msgspec.Struct, frozen=True, gc=False):
    """A text message that is not UTF-8. The engine closes the client for it."""


class ClientClose(msgspec.Struct, frozen=True, gc=False):
    """The client's end: its close frame, or a ``code`` of `None` if the connection broke."""

    code: int | None
    reason: str


class ClientTransport(Protocol):
    """The way of messages to the client."""

    def deliver(self, message: ClientMessage) -> None: ...

    def closed(self, code: int, reason: str) -> None:
        """The engine has closed. Code 1006 means that there was no close frame."""


class ClientPort:
    """The queue from the client, and its transport. ``on_arrival`` is called for everything that is put in."""

    def __init__(self, transport: ClientTransport) -> None:
        self._transport = transport
        self.incoming: deque[ClientMessage | ClientGarbage | ClientClose] = deque()
        self.on_arrival: Callable[[], None] | None = None
        self.on_taken: Callable[[], None] | None = None
        """Called for each message that the gateway takes out."""
        self.is_closed: bool = False
        """Whether the engine has closed the client."""

    def put(self, item: ClientMessage | ClientGarbage | ClientClose) -> None:
        """Queue a message or the close of the client. The queue takes no more after the engine has closed."""
        if self.is_closed:
            return
        self.incoming.append(item)
        if self.on_arrival is not None:
            self.on_arrival()

    def take(self) -> ClientMessage | ClientGarbage | ClientClose:
        """Take the oldest out."""
        item = self.incoming.popleft()
        if self.on_taken is not None:
            self.on_taken()
        return item

    def deliver(self, message: ClientMessage) -> None:
        if not self.is_closed:
            self._transport.deliver(message)

    def close(self, code: int, reason: str) -> None:
        """Close the client. The first close counts."""
        if not self.is_closed:
            self.is_closed = True
            self.incoming.clear()
            self._transport.closed(code, reason)
