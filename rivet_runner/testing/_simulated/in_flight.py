"""One open client request, as the gateway's table holds it, and the client messages that wait for an acknowledgement."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

import msgspec

from rivet_runner.protocol.v3 import (
    ToClientWebSocketMessage,
    ToServerResponseAbort,
    ToServerResponseStart,
    ToServerTunnelMessageKind,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from rivet_runner.testing._simulated.actor_spec import ActorSignal

__all__ = ["DropReason", "InFlightRequest", "InFlightState", "PendingMessages"]

INDEXES: Final = 1 << 16
HALF: Final = 32_767


class InFlightState(enum.Enum):
    """The progress of a request. Each state accepts only the messages of `ACCEPTED`."""

    AWAITING_RESPONSE = "awaiting response"
    AWAITING_OPEN = "awaiting open"
    ACTIVE = "active"
    CLOSED = "closed"


ACCEPTED: Final[dict[InFlightState, dict[type, InFlightState]]] = {
    InFlightState.AWAITING_RESPONSE: {
        ToServerResponseStart: InFlightState.CLOSED,
        ToServerResponseAbort: InFlightState.CLOSED,
    },
    InFlightState.AWAITING_OPEN: {
        ToServerWebSocketOpen: InFlightState.ACTIVE,
        ToServerWebSocketClose: InFlightState.CLOSED,
    },
    InFlightState.ACTIVE: {
        ToServerWebSocketMessage: InFlightState.ACTIVE,
        ToServerWebSocketMessageAck: InFlightState.ACTIVE,
        ToServerWebSocketClose: InFlightState.CLOSED,
    },
    InFlightState.CLOSED: {},
}
"""State and message to the next state. Every other message is dropped silently: a message before the open, a second
response, the chunks of a response."""


class DropReason(enum.Enum):
    """The reason for which the gateway gives a request up. Its value is the error that the client sees."""

    GARBAGE_COLLECTED = "guard.websocket_garbage_collected"
    TUNNEL_PING_TIMEOUT = "guard.websocket_tunnel_ping_timeout"


class _Pending(msgspec.Struct, frozen=True):
    index: int
    message: ToClientWebSocketMessage
    sent_ts: int


class PendingMessages:
    """Client messages of a hibernatable WebSocket, until they are acknowledged.

    ``total_size`` counts every byte that the client ever sent: the engine never lowers it.
    """

    def __init__(self) -> None:
        self.messages: list[_Pending] = []
        self.total_size: int = 0

    def add(self, index: int, message: ToClientWebSocketMessage, now: int) -> None:
        self.messages.append(_Pending(index, message, now))
        self.total_size += len(message.data)

    def acknowledge(self, index: int) -> None:
        """Keep the messages after ``index``, on a circle of 65,536."""
        self.messages = [
            pending for pending in self.messages if pending.index != index and (pending.index - index) % INDEXES < HALF
        ]

    @property
    def oldest_ts(self) -> int | None:
        return self.messages[0].sent_ts if self.messages else None


class InFlightRequest:
    """The record of one request. It outlives retries and the actor's sleep.

    ``handler`` gets the runner's messages. They are lost while there is no handler. ``on_drop`` is called if the gateway
    gives the request up.
    """

    def __init__(self, key: bytes, actor_id: str, runner_id: str, state: InFlightState) -> None:
        self.key = key
        self.actor_id = actor_id
        self.runner_id = runner_id
        self.state: InFlightState = state
        self.stopping: bool = False
        self.pending: PendingMessages | None = None
        self.last_keepalive_ts = 0
        self.handler: Callable[[ToServerTunnelMessageKind], None] | None = None
        self.on_drop: Callable[[DropReason], None] | None = None
        self.early: list[ToServerTunnelMessageKind | ActorSignal] = []
        """Messages and signals right behind the open, before the client was attached."""
        self._next_index = 0

    @property
    def hibernatable(self) -> bool:
        return self.pending is not None

    @property
    def attached(self) -> bool:
        """Whether the request is a WebSocket that a client and an actor use at the moment."""
        return self.state is InFlightState.ACTIVE and self.on_drop is not None

    def take_index(self) -> int:
        """The index of the next message to the runner."""
        index = self._next_index
        self._next_index = (index + 1) % INDEXES
        return index

    def receive(self, message: ToServerTunnelMessageKind) -> bool:
        """Take a message of the runner. Returns whether the state accepts it and there was a handler."""
        next_state = ACCEPTED[self.state].get(type(message))
        if next_state is None or self.handler is None:
            return False
        self.state = next_state
        self.handler(message)
        return True

    def drop(self, reason: DropReason) -> None:
        """Give the request up, and call ``on_drop``."""
        self.stopping = True
        if self.on_drop is not None:
            self.on_drop(reason)

    def release(self) -> None:
        """Remove the handler, for now or for good."""
        self.handler = self.on_drop = None
