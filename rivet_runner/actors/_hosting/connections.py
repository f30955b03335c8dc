"""The connections of one actor: who is there, and what is kept of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rivet_runner.actors._hosting.connection_record import MAX_STATE_BYTES, StoredConnection, encode_state
from rivet_runner.actors._hosting.unprocessed import ClientMessage, UnprocessedMessages
from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors.connection import Connection
from rivet_runner.websocket import WebSocket

__all__ = ["ConnectionTable", "HostedConnection"]


class HostedConnection(Connection):
    """A `Connection` with the parts that the rooms around it need. One that lives for a call has no ``ws``."""

    __slots__ = (
        "_connected_ms",
        "_id",
        "_params",
        "_state",
        "codec",
        "subscriptions",
        "table",
        "task",
        "unprocessed",
        "ws",
    )

    def __init__(
        self,
        table: ConnectionTable,
        codec: Codec,
        ws: WebSocket | None,
        params: Any,
        state: dict[str, Any],
        connected_ms: int | None = None,
        connection_id: str | None = None,
    ) -> None:
        self.table = table
        self.codec = codec
        self.ws = ws
        self._params = params
        self._state = state
        self._connected_ms = connected_ms
        self._id = connection_id
        self.subscriptions: set[str] | None = None
        """Made for the first: an idle connection is small."""
        self.unprocessed: UnprocessedMessages | None = None
        """Only a hibernatable connection has some, from its first message on."""
        self.task: asyncio.Task[Any] | None = None
        """The task of its handler."""

    def __repr__(self) -> str:
        return f"<Connection {self.id}>"

    @property
    def id(self) -> str:
        if self._id is None:  # the connection of a call needs an id only if the actor asks for it
            self._id = self.table.new_id()
        return self._id

    @property
    def params(self) -> Any:
        return self._params

    @property
    def state(self) -> dict[str, Any]:
        # Any change of it begins here. So a save looks only at the connections whose state was asked for.
        self.table.touched(self)
        return self._state

    @property
    def connected_at(self) -> datetime:
        return datetime.fromtimestamp(self._opened_ms() / 1000, UTC)

    def _opened_ms(self) -> int:
        if self._connected_ms is None:  # as for the id: a call ends soon after it began
            self._connected_ms = self.table.now_ms()
        return self._connected_ms

    @property
    def hibernatable(self) -> bool:
        return self.ws is not None and self.ws.hibernatable

    async def disconnect(self, reason: str = "") -> None:
        if self.ws is not None:
            await self.ws.close(1000, reason)

    def write_record(self) -> None:
        """Keep what the connection needs after a sleep. Raises `TypeError` or `ValueError` if its state cannot be kept."""
        if self.ws is None or not self.ws.hibernatable or self.ws.close_code is not None:
            return
        state = encode_state(plain(self._state))
        if len(state) > MAX_STATE_BYTES:
            raise ValueError(f"the state of {self!r} has {len(state):,} bytes, and at most {MAX_STATE_BYTES:,} are kept")
        record = StoredConnection(self.id, self._opened_ms(), sorted(self.subscriptions or ()), state).encode()
        if record != self.ws.attachment:
            self.ws.attachment = record


class ConnectionTable:
    """The connections of one actor generation, by id, and their subscriptions, by event.

    ``report`` is called with an error and the place where it arose.
    """

    __slots__ = ("_by_id", "_report", "_subscribers", "_touched", "_with_ended", "new_id", "now_ms", "restored", "view")

    def __init__(
        self, new_id: Callable[[], str], now_ms: Callable[[], int], report: Callable[[Exception, str], None]
    ) -> None:
        self._report = report
        self.new_id = new_id
        """Makes the id of a connection."""
        self.now_ms = now_ms
        """Tells the time at which one opens, in milliseconds since the epoch."""
        self._by_id: dict[str, HostedConnection] = {}
        self._subscribers: dict[str, dict[HostedConnection, None]] = {}
        self._touched: dict[HostedConnection, None] = {}
        self._with_ended: dict[UnprocessedMessages, None] = {}
        self.restored: dict[WebSocket, HostedConnection] = {}
        """Those that have come back, until their handlers run."""
        self.view: Mapping[str, Connection] = MappingProxyType(self._by_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def all(self) -> list[HostedConnection]:
        """The open ones."""
        return [*self._by_id.values()]

    def add(self, connection: HostedConnection) -> None:
        """It is open from now on."""
        self._by_id[connection.id] = connection

    def restore(self, connection: HostedConnection, subscriptions: Iterable[str]) -> None:
        """It is open again, as it was before."""
        self.add(connection)
        for event in subscriptions:
            self._subscribe(connection, event)

    def remove(self, connection: HostedConnection) -> None:
        """It is closed. Nothing is kept of it."""
        if self._by_id.get(connection.id) is connection:
            del self._by_id[connection.id]
        self._touched.pop(connection, None)
        for event in connection.subscriptions or ():
            self._forget_subscriber(connection, event)

    # Subscriptions

    def subscribe(self, connection: HostedConnection, event: str) -> None:
        """Send ``event`` to it from now on."""
        self._subscribe(connection, event)
        self._touched[connection] = None

    def _subscribe(self, connection: HostedConnection, event: str) -> None:
        if connection.subscriptions is None:
            connection.subscriptions = set()
        connection.subscriptions.add(event)
        self._subscribers.setdefault(event, {})[connection] = None

    def unsubscribe(self, connection: HostedConnection, event: str) -> None:
        """Send ``event`` to it no more."""
        if connection.subscriptions is not None and event in connection.subscriptions:
            connection.subscriptions.remove(event)
            self._forget_subscriber(connection, event)
            self._touched[connection] = None

    def _forget_subscriber(self, connection: HostedConnection, event: str) -> None:
        subscribers = self._subscribers.get(event)
        if subscribers is not None:
            subscribers.pop(connection, None)
            if not subscribers:
                del self._subscribers[event]

    def subscribers(self, event: str) -> list[HostedConnection]:
        """Those that ``event`` goes to, in the order in which they subscribed."""
        return [*self._subscribers.get(event, ())]

    # Records

    def touched(self, connection: HostedConnection) -> None:
        """Its state may change."""
        if connection.ws is not None:
            self._touched[connection] = None

    @property
    def may_have_changed(self) -> bool:
        """Whether there may be records to write, or messages that have ended."""
        return bool(self._touched or self._with_ended)

    def write_records(self, *, everything: bool = False) -> None:
        """Keep what has changed of each connection, or of ``everything``. A state that cannot be kept is reported."""
        connections = self.all() if everything else [*self._touched]
        self._touched.clear()
        for connection in connections:
            try:
                connection.write_record()
            except (TypeError, ValueError) as error:
                self._report(error, "connection.state")

    # Messages

    def received(self, connection: HostedConnection, message: ClientMessage) -> UnprocessedMessages:
        """A message of a hibernatable ``connection`` has arrived, which the gateway keeps until it is processed."""
        unprocessed = connection.unprocessed
        if unprocessed is None:
            assert connection.ws is not None
            unprocessed = connection.unprocessed = UnprocessedMessages(connection.ws, self._with_ended)
        unprocessed.add(message)
        return unprocessed

    def take_ended(self) -> list[tuple[UnprocessedMessages, int]]:
        """For each connection in which messages have ended since the last call: how many of its oldest ones have.

        If they are not marked as processed after all, call `UnprocessedMessages.note_end` for each.
        """
        if not self._with_ended:
            return []
        counts = [(unprocessed, unprocessed.count_ended()) for unprocessed in self._with_ended]
        self._with_ended.clear()
        return [(unprocessed, count) for unprocessed, count in counts if count]
