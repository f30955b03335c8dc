"""The way of clients to an engine: its HTTP API, and the requests and WebSockets that its gateway passes on to actors.

A client of typed actors brings one that uses the network. `rivet_runner.testing.SimulatedEngine` has one in memory, which
`rivet_runner._connection.environment` hands to the clients that are made inside its runners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from multidict import CIMultiDict

__all__ = ["ClientTransport", "Reply", "TransportSocket"]


class Reply(NamedTuple):
    """An HTTP response of any status. The body is as it came, so a content coding is not undone."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class TransportSocket(Protocol):
    """A client's end of a WebSocket. One task may receive, and another one send."""

    async def send(self, message: str | bytes, /) -> None:
        """Send text as `str`, binary as `bytes`. Raises `rivet_runner.WebSocketClosed`."""

    async def recv(self) -> str | bytes:
        """Receive the next message. Raises `rivet_runner.WebSocketClosed` after the last. Cancelling loses no message."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait for the close handshake. A second close does nothing."""

    def abort(self) -> None:
        """Drop the connection without a close frame, if it is open still. `recv` notices it."""


class ClientTransport(Protocol):
    """Carries out requests one beside another. ``target`` is path and query, and is sent unchanged.

    It has no timeouts: its user cancels. Cancelling is safe and drops the connection.

    It raises `ConnectionRefusedError` if the engine was not reached, so that nothing was sent, and another `ConnectionError`
    if the connection broke, so that the engine may have the request.
    """

    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply: ...

    async def connect(self, target: str, subprotocols: Sequence[str], headers: Mapping[str, str]) -> TransportSocket: ...

    async def aclose(self) -> None:
        """Close the connections that are kept for the next request."""
