"""Hibernating clients that the engine may have left out of a start command.

With some versions of the protocol, the engine repeats commands behind its answer to init, and need not look up the list of
such a start again. If it is empty, only the actor's own records tell which clients it had. Such a client may be there or may
have left, so its handler runs when its first message comes, or its close. A client that stays silent keeps its record, and
the next start lists it.

A message may come before the records are loaded, and names no actor. So messages that no socket waits for are kept while
such a start is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rivet_runner.protocol.messages import ToClientWebSocketMessage

__all__ = ["UnlistedClient", "UnlistedClients"]

MAX_EARLY: Final = 1024
MAX_EARLY_BYTES: Final = 4 * 1024 * 1024
"""Messages that are kept for all starts under way, and their bytes. Beyond either, a message stays with the gateway, and the
gap shows when the client's next one comes."""


class UnlistedClient(NamedTuple):
    """A client that may be there. One of the two is called, once."""

    restore: Callable[[list[tuple[int, ToClientWebSocketMessage]]], None]
    """It is there: restore its socket, with its first messages and their indexes."""

    departed: Callable[[], None]
    """It has left."""


class UnlistedClients:
    """Those of all actors of a runner, by 8-byte request key."""

    __slots__ = ("_clients", "_early", "_early_bytes", "_early_count", "_starts")

    def __init__(self) -> None:
        self._clients: dict[bytes, UnlistedClient] = {}
        self._starts = 0
        self._early: dict[bytes, list[tuple[int, ToClientWebSocketMessage]]] = {}
        self._early_count = self._early_bytes = 0

    def __len__(self) -> int:
        """Number of clients that may be there."""
        return len(self._clients)

    def __contains__(self, key: bytes) -> bool:
        """Whether a client with this key may be there."""
        return key in self._clients

    def start_began(self) -> None:
        """An actor starts without a list. Call `start_ended` once its clients were added."""
        self._starts += 1

    def start_ended(self) -> None:
        """Its clients were added, or the start has failed."""
        self._starts -= 1
        if not self._starts:
            self._early.clear()
            self._early_count = self._early_bytes = 0

    def add(self, key: bytes, client: UnlistedClient) -> None:
        """A client may be there. If it has spoken already, it is."""
        early = self._early.pop(key, None)
        if early is None:
            self._clients[key] = client
        else:
            client.restore(early)

    def remove(self, key: bytes) -> None:
        """The actor stops: its clients are for its next generation."""
        self._clients.pop(key, None)

    def message_arrived(self, key: bytes, index: int, message: ToClientWebSocketMessage) -> None:
        """A message has come for which there is no socket."""
        client = self._clients.pop(key, None)
        if client is not None:
            client.restore([(index, message)])
        elif self._starts and self._early_count < MAX_EARLY and self._early_bytes + len(message.data) <= MAX_EARLY_BYTES:
            self._early.setdefault(key, []).append((index, message))
            self._early_count += 1
            self._early_bytes += len(message.data)

    def client_departed(self, key: bytes) -> bool:
        """A client has closed for which there is no socket. Return whether its actor knows it."""
        client = self._clients.pop(key, None)
        if client is not None:
            client.departed()
        return client is not None
