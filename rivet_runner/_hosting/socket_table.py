"""The WebSockets of all actors of this runner, by request key."""

from __future__ import annotations

from typing import Final

from rivet_runner._sockets.socket import ClientSocket

__all__ = ["SocketTable"]

MAX_DEPARTED: Final = 4096
"""Clients that left while their socket hibernated. Beyond it the oldest is forgotten."""


class SocketTable:
    """Finds the socket that a tunnel message is for, and remembers clients that left while their socket hibernated.

    The gateway may list such a client with the next start all the same, and nothing would ever come from it.
    """

    __slots__ = ("_departed", "_sockets", "find")

    def __init__(self) -> None:
        self._sockets: dict[bytes, ClientSocket] = {}
        self._departed: dict[bytes, None] = {}
        self.find = self._sockets.get
        """Return the socket with an 8-byte request key, or ``None``."""

    def add(self, ws: ClientSocket) -> None:
        """Messages with its key are for this socket from now on."""
        self._sockets[ws.key] = ws

    def remove(self, ws: ClientSocket) -> None:
        """Nothing is for this socket any more, unless another one has its key by now."""
        if self._sockets.get(ws.key) is ws:
            del self._sockets[ws.key]

    def client_departed(self, key: bytes) -> None:
        """A client has closed whose socket hibernates."""
        self._departed[key] = None
        if len(self._departed) > MAX_DEPARTED:
            del self._departed[next(iter(self._departed))]

    def take_departed(self, key: bytes) -> bool:
        """Return whether this client has departed, and forget it."""
        return self._departed.pop(key, False) is None
