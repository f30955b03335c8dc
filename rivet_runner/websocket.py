"""A client's WebSocket as a hook sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from multidict import CIMultiDictProxy

from rivet_runner.http import Request

__all__ = ["WebSocket"]


class WebSocket(ABC):
    """One client's connection, for one generation of its actor.

    ``request`` is the opening request. ``restored`` tells whether the connection has outlived a sleep of the actor: the
    handler then runs again for a client that noticed nothing. ``close_code`` and ``close_reason`` are ``None`` until either
    side closes the socket.

    The client must offer the subprotocol ``rivet``.

    A hibernatable socket delivers each client message at least once, in order, and skips none. A message counts as processed
    when the handler asks for the next one, or returns. Only then is it stored as processed and acknowledged to the gateway.
    A message is redelivered if its handler is cancelled or the process dies.

    Set ``auto_processed`` to ``False``, before the first `recv`, if you work on several messages at a time. Asking for the
    next message tells nothing then, and you call `mark_processed`.
    """

    __slots__ = ("auto_processed", "close_code", "close_reason", "request", "restored")

    def __init__(self, request: Request) -> None:
        self.request: Request = request
        self.restored: bool = False
        self.auto_processed: bool = True
        self.close_code: int | None = None
        self.close_reason: str | None = None

    # The opening request

    @property
    def path(self) -> str:
        """The path of the opening request, raw, without the query."""
        return self.request.path

    @property
    def query_string(self) -> str:
        """The query of the opening request, without the question mark."""
        return self.request.query_string

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The headers of the opening request. ``sec-websocket-protocol`` may hold a token: do not log it."""
        return self.request.headers

    # Hibernation

    @property
    @abstractmethod
    def hibernatable(self) -> bool:
        """Whether the connection outlives the actor's sleep, as `Runner.can_hibernate` has decided."""

    @property
    @abstractmethod
    def attachment(self) -> bytes:
        """Your own bytes, kept across hibernation: at most 64 KiB, else `ValueError`.

        Assigning stores them within a fraction of a second, and in any case before the actor sleeps.
        """

    @attachment.setter
    @abstractmethod
    def attachment(self, value: bytes) -> None: ...

    # Receiving

    def __aiter__(self) -> Self:
        return self

    @abstractmethod
    async def __anext__(self) -> str | bytes: ...

    @abstractmethod
    async def recv(self) -> str | bytes:
        """Return the next message: ``str`` for text, ``bytes`` for binary.

        Raises `WebSocketClosed` if there will be none: the peer has closed, the runner shuts down, or the socket hibernates
        (``hibernated`` is true then). Raises `RuntimeError` if another task is receiving. Cancelling is safe: no message is
        lost.
        """

    @abstractmethod
    def mark_processed(self, count: int = 1) -> None:
        """Mark the oldest ``count`` delivered messages as processed, if ``auto_processed`` is ``False``.

        A message that was delivered and not marked is delivered again after the actor slept, moved or died. While there is
        one, the actor is not idle (``sleep_after``). The gateway closes the client when its oldest message is unprocessed
        for 30 s. `recv` raises `RuntimeError` while 16,384 delivered messages are not marked.

        It works until `Runner.websocket` has ended, also after the socket hibernates. It does nothing for a socket that
        cannot hibernate, or is closed. Raises `ValueError` if fewer messages are unmarked, and `RuntimeError` if
        ``auto_processed`` is true.
        """

    # Sending

    @abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Send text (``str``) or binary (``bytes``, or another bytes-like object).

        Waits while the runner's outgoing buffer is full. Returning means that the message is on its way, in order. It does
        not mean that the client has it. Raises `WebSocketClosed` once the socket is closed and `PayloadTooLarge` over
        ``max_payload``. Cancelling is safe: the message is either sent or not.
        """

    @abstractmethod
    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection to the client and end its loop. A socket that is closed already stays as it is.

        ``code`` is 1000 to 1003, 1007 to 1014 or 3000 to 4999, else `ValueError`: any other would reach the client as a
        protocol error. ``reason`` is cut to 123 bytes of UTF-8, at a character.
        """
