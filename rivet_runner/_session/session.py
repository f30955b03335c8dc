"""The runner's side of the protocol as a state machine without I/O.

A connection goes through three phases, and what may be sent depends on nothing else:

::

              connection_opened()           init answered
    DISCONNECTED ───────────────► HANDSHAKING ───────────────► CONNECTED
         ▲                             │                           │
         └──────────────────── connection_lost() ──────────────────┘

* ``DISCONNECTED``: nothing is sent; everything is kept.
* ``HANDSHAKING``: the init message and pings only.
* ``CONNECTED``: first, what the engine has not confirmed of the events (one message of them at a time); then the
  key-value calls without an answer; then the tunnel messages. New ones follow in that same order, so one rule serves both
  the resync and the ordinary turn.

What the engine's init answer says about the *runner id* decides what happens to what was kept. The same id: the engine
still knows this runner, and everything goes on. Another id: the engine has forgotten the runner, its actors were given
away or put to sleep, and nothing about them may be sent any more; the indexes start over.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from rivet_runner._session.events import EventLog
from rivet_runner._session.kv_ledger import KvLedger
from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import Pace
from rivet_runner.protocol.wire import (
    CommandStartActor,
    CommandStopActor,
    CommandWrapper,
    Event,
    KvRequestData,
    KvResponseData,
    ToClientAckEvents,
    ToClientClose,
    ToClientCommands,
    ToClientInit,
    ToClientKvResponse,
    ToClientTunnelMessage,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
    ToServerPing,
    ToServerStopping,
    decode_to_client,
    encode_to_server,
)

__all__ = ["CloseRequested", "Decision", "Initialised", "KvAnswered", "Phase", "Session", "WindowMoved"]


class Phase(enum.Enum):
    """How far the connection has come; see the module's docstring."""

    DISCONNECTED = "disconnected"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"


class Initialised(msgspec.Struct, frozen=True):
    """The engine has answered init. ``forgotten`` is true where it gave this runner a new id."""

    runner_id: str
    forgotten: bool
    dropped_calls: Sequence[int]
    """Key-value calls that belonged to the forgotten runner; nobody will answer them."""


class KvAnswered(msgspec.Struct, frozen=True):
    """A key-value call that somebody waits for has its answer."""

    request_id: int
    data: KvResponseData


class CloseRequested(msgspec.Struct, frozen=True):
    """The engine asks for the connection to be closed."""


class WindowMoved(msgspec.Struct, frozen=True):
    """The engine has worked off messages: more may leave."""


Decision: TypeAlias = (
    ToClientTunnelMessage | CommandStartActor | CommandStopActor | KvAnswered | WindowMoved | Initialised | CloseRequested
)
"""What `Session.receive` asks of the layers above. Commands and tunnel messages are handed on as they came."""

EVENT_SPACING: Final = 0.1
"""Seconds at least between two messages of events. The engine may take closely following ones out of order, and then
ignores the events with the lower indexes for ever (seen: of 500 starts, 12 lost their ``Running``; with this, none)."""

NO_DECISION: Final[list[Decision]] = []
WINDOW_MOVED: Final[list[Decision]] = [WindowMoved()]


class Session:
    """All state of the conversation with one engine. Not thread-safe, not reentrant, and free of clocks.

    ``init`` is the message to send first; its ``last_command_idx`` is filled in for each connection.
    """

    def __init__(self, init: ToServerInit, *, max_buffered: int, pace: Pace) -> None:
        self._init = init
        self.phase = Phase.DISCONNECTED
        self.runner_id: str | None = None
        self.lost_threshold: float | None = None
        """Seconds after which the engine gives up a runner that is away; none until it has said so."""
        self._events = EventLog()
        self.kv = KvLedger()
        self._outbox = Outbox(max_buffered)
        self._pace = pace
        self._control: list[bytes] = []
        self._events_sent_at = -EVENT_SPACING
        self._last_command_idx: int | None = None
        self._acknowledged_command_idx: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the engine has answered init on a connection that is open."""
        return self.phase is Phase.CONNECTED

    # The connection's edges

    def connection_opened(self) -> None:
        """A new connection is open: init is the first thing to send on it."""
        self.phase = Phase.HANDSHAKING
        self._control = []
        self.send_init()

    def send_init(self) -> None:
        """Send init, or send it again while there is no answer; the engine answers each, and the first one counts."""
        if self.phase is Phase.HANDSHAKING:
            init = msgspec.structs.replace(self._init, last_command_idx=self._last_command_idx)
            self._control.append(encode_to_server(init))

    def connection_lost(self) -> None:
        """The connection is gone. Everything that was not confirmed is kept for the next one."""
        self.phase = Phase.DISCONNECTED
        self._control.clear()
        self._pace.reset()

    # From the engine

    def receive(self, frame: bytes) -> list[Decision]:
        """Take in one message; return what is to be done about it, in order.

        Raises `DecodeError` for bytes that are not a message; the session is unchanged then.
        """
        message = decode_to_client(frame)
        kind = type(message)
        if kind is ToClientTunnelMessage:
            self._pace.heard()
            return [message]  # type: ignore[list-item]
        if kind is ToClientKvResponse:
            return self._kv_response(message)  # type: ignore[arg-type]
        if kind is ToClientCommands:
            return self._commands(message.items)  # type: ignore[union-attr]
        if kind is ToClientAckEvents:
            self._events.confirm(message.last_event_idx)  # type: ignore[union-attr]
            return NO_DECISION
        if kind is ToClientInit:
            return self._init_answered(message)  # type: ignore[arg-type]
        assert kind is ToClientClose
        return [CloseRequested()]

    def _init_answered(self, message: ToClientInit) -> list[Decision]:
        if self.phase is Phase.CONNECTED:
            return NO_DECISION
        forgotten = self.runner_id is not None and self.runner_id != message.runner_id
        dropped: Sequence[int] = ()
        if forgotten:
            self._events.start_over(message.last_event_idx)
            self._last_command_idx = self._acknowledged_command_idx = None
            dropped = self.kv.drop_all()
            self._outbox.drop_all()
        else:
            self._events.resume(message.last_event_idx)
            self.kv.resume()
        self.runner_id = message.runner_id
        self.lost_threshold = message.metadata.runner_lost_threshold / 1000
        self.phase = Phase.CONNECTED
        return [Initialised(message.runner_id, forgotten, dropped)]

    def _commands(self, commands: Sequence[CommandWrapper]) -> list[Decision]:
        """The commands that are new; after a reconnect the engine repeats what it is not sure about."""
        decisions: list[Decision] = []
        for command in commands:
            if self._last_command_idx is not None and command.index <= self._last_command_idx:
                continue
            self._last_command_idx = command.index
            decisions.append(command.inner)
        return decisions

    def _kv_response(self, message: ToClientKvResponse) -> list[Decision]:
        if self._pace.confirm(message.request_id):
            return WINDOW_MOVED
        if not self.kv.end(message.request_id):
            return NO_DECISION
        return [KvAnswered(message.request_id, message.data)]

    # To the engine

    def report(self, event: Event) -> None:
        """Tell the engine ``event``, now or after the next init."""
        self._events.add(event)

    @property
    def event_backlog(self) -> int:
        """How many events the engine has not confirmed, sent or not."""
        return len(self._events)

    @property
    def unconfirmed_events(self) -> int:
        """How many events were sent and not confirmed."""
        return self._events.unconfirmed

    @property
    def events_pending(self) -> bool:
        """Whether an event waits to be sent."""
        return self._events.pending

    def call_kv(self, actor_id: str, data: KvRequestData) -> int:
        """Make a key-value call; return the id that its `KvAnswered` will carry."""
        return self.kv.add(actor_id, data)

    def end_call(self, request_id: int) -> bool:
        """End a key-value call for which no task waits any more; false if it had ended before."""
        return self.kv.end(request_id)

    @property
    def unanswered_calls(self) -> int:
        """How many key-value calls have no answer."""
        return len(self.kv)

    def queue(self, frame: bytes) -> None:
        """Send an encoded tunnel message when its turn comes. The bound is the sender's to keep: see `outbox_full`."""
        self._outbox.add(frame)

    @property
    def outbox_full(self) -> bool:
        """Whether a sender should wait before it queues another tunnel message."""
        return self._outbox.full

    @property
    def mark(self) -> int:
        """The place behind the newest tunnel message; see `flushed`."""
        return self._outbox.mark

    def flushed(self, mark: int) -> bool:
        """Whether every tunnel message before ``mark`` was sent (or dropped)."""
        return self._outbox.flushed(mark)

    def ping(self, now_ms: int) -> None:
        """Send a protocol ping; nothing where there is no connection. ``now_ms``: milliseconds since the epoch.

        Commands that were taken in are acknowledged along with it: that only lets the engine forget them.
        """
        if self.phase is not Phase.CONNECTED:
            return
        self._control.append(encode_to_server(ToServerPing(now_ms)))
        if self._last_command_idx is not None and self._last_command_idx != self._acknowledged_command_idx:
            self._control.append(encode_to_server(ToServerAckCommands(self._last_command_idx)))
            self._acknowledged_command_idx = self._last_command_idx

    def stopping(self) -> None:
        """Tell the engine that this runner drains; nothing where there is no connection."""
        if self.phase is Phase.CONNECTED:
            self._control.append(encode_to_server(ToServerStopping()))

    def data_to_send(self, now: float) -> list[bytes]:
        """The messages to send now, in order. ``now`` is in seconds on any clock that only goes forward.

        What comes back is off the session's hands: after a lost connection the events and calls among it are kept and sent
        again, the tunnel messages are not.
        """
        frames, self._control = self._control, []
        if self.phase is not Phase.CONNECTED:
            return frames
        if self._events.pending and now >= self._events_sent_at + EVENT_SPACING:
            frames.append(encode_to_server(ToServerEvents(self._events.take())))
            self._events_sent_at = now
        if self.kv.pending:
            frames += self.kv.take()
        if self._outbox:
            frames += self._pace.take(self._outbox, now)
        return frames

    def wait(self, now: float) -> float | None:
        """Seconds until another look at `data_to_send` is worth it; none where only something new can make it so."""
        if self.phase is not Phase.CONNECTED:
            return None
        wait = self._pace.wait(now) if self._outbox else None
        if self._events.pending:
            for_events = max(0.0, self._events_sent_at + EVENT_SPACING - now)
            wait = for_events if wait is None else min(wait, for_events)
        return wait

    def give_up_waiting(self, now: float) -> bool:
        """Send on if the engine has not taken any tunnel message for too long; return whether that is so."""
        return self._pace.give_up_waiting(now)
