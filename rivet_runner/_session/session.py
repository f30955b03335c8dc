"""The runner's side of the protocol as a state machine without I/O.

A connection goes through three phases. The phase alone decides which messages may be sent:

::

              connection_opened()           init answered
    DISCONNECTED ───────────────► HANDSHAKING ───────────────► CONNECTED
         ▲                             │                           │
         └──────────────────── connection_lost() ──────────────────┘

* ``DISCONNECTED``: the session sends nothing and keeps everything.
* ``HANDSHAKING``: the session sends init, and nothing else.
* ``CONNECTED``: the session sends unconfirmed events first (one message of them at a time), then key-value calls without an
  answer, then tunnel messages. New ones follow in the same order, so one rule serves both the resync and an ordinary turn.

The *runner id* in the engine's answer to init decides about everything that was kept. If the id is the same, the engine
still knows this runner, and everything goes on. If it is another id, the engine has forgotten the runner. It has given the
actors away or put them to sleep, so nothing about them may be sent any more, and the indexes start over.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from rivet_runner._session.answers import SentAnswers
from rivet_runner._session.event_spacing import EventSpacing
from rivet_runner._session.events import EventLog
from rivet_runner._session.kv_ledger import KvLedger
from rivet_runner._session.outbox import Mark, Outbox
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
    """How far the connection has come. See the drawing at the top of this module."""

    DISCONNECTED = "disconnected"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"


class Initialised(msgspec.Struct, frozen=True):
    """The engine has answered init. ``forgotten`` is ``True`` if it gave this runner a new id."""

    runner_id: str
    forgotten: bool
    dropped_calls: Sequence[int]
    """Key-value calls of the forgotten runner, which the engine will not answer."""


class KvAnswered(msgspec.Struct, frozen=True):
    """A key-value call under way has its answer."""

    request_id: int
    data: KvResponseData


class CloseRequested(msgspec.Struct, frozen=True):
    """The engine has asked this runner to close the connection."""


class WindowMoved(msgspec.Struct, frozen=True):
    """The engine has taken messages, so more may leave."""


Decision: TypeAlias = (
    ToClientTunnelMessage | CommandStartActor | CommandStopActor | KvAnswered | WindowMoved | Initialised | CloseRequested
)
"""A result of `Session.receive`, for the layers above. Commands and tunnel messages are handed on as they came."""

NO_DECISION: Final[list[Decision]] = []
WINDOW_MOVED: Final[list[Decision]] = [WindowMoved()]


class Session:
    """All state of the conversation with one engine. It is not thread-safe, not reentrant, and has no clock.

    ``init`` is the first message on each connection. The session fills in its ``last_command_idx``. ``max_buffered`` is the
    bound of the outbox in bytes.
    """

    def __init__(self, init: ToServerInit, *, max_buffered: int, pace: Pace) -> None:
        self._init = init
        self.phase: Phase = Phase.DISCONNECTED
        self.runner_id: str | None = None
        self.lost_threshold: float | None = None
        """Seconds without a connection after which the engine counts this runner as lost. ``None`` before the first init."""
        self._events = EventLog()
        self._kv = KvLedger()
        self._outbox = Outbox(max_buffered)
        self._answers = SentAnswers()
        self._pace = pace
        self._control: list[bytes] = []
        self._event_spacing = EventSpacing()
        self._last_command_idx: int | None = None
        self._acknowledged_command_idx: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the engine has answered init on a connection that is open."""
        return self.phase is Phase.CONNECTED

    # The connection's edges

    def connection_opened(self) -> None:
        """A new connection is open. Init is the first message on it."""
        self.phase = Phase.HANDSHAKING
        self._control = []
        self.send_init()

    def send_init(self) -> None:
        """Send init, or send it again if it has no answer yet. The engine answers each init, and the first answer counts."""
        if self.phase is Phase.HANDSHAKING:
            init = msgspec.structs.replace(self._init, last_command_idx=self._last_command_idx)
            self._control.append(encode_to_server(init))

    def connection_lost(self) -> None:
        """The connection is gone. Everything that the engine has not confirmed is kept for the next connection."""
        self.phase = Phase.DISCONNECTED
        self._control.clear()
        self._pace.reset()

    # From the engine

    def receive(self, frame: bytes) -> list[Decision]:
        """Take in one message and return decisions, to be carried out in order.

        Raises `DecodeError` for bytes that are not a message. The session is unchanged then.
        """
        message = decode_to_client(frame)
        kind = type(message)
        if kind is ToClientTunnelMessage:
            self._pace.credit_reply(message.message_id.gateway_id)  # type: ignore[union-attr]
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
            dropped = self._kv.drop_all()
            self._outbox.drop_all()
            self._answers.drop_all()
        else:
            self._events.resume(message.last_event_idx)
            self._kv.resume()
            for answer in self._answers.take_lost():
                self.queue_answer(answer)
        self.runner_id = message.runner_id
        self.lost_threshold = message.metadata.runner_lost_threshold / 1000
        self.phase = Phase.CONNECTED
        return [Initialised(message.runner_id, forgotten, dropped)]

    def _commands(self, commands: Sequence[CommandWrapper]) -> list[Decision]:
        """The new commands. After a reconnect, the engine repeats commands that may not have arrived."""
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
        if not self._kv.end(message.request_id):
            return NO_DECISION
        return [KvAnswered(message.request_id, message.data)]

    # To the engine

    def report(self, event: Event) -> None:
        """Report ``event`` to the engine, now or after the next init."""
        self._events.add(event)

    @property
    def event_backlog(self) -> int:
        """Number of events that the engine has not confirmed, sent or not."""
        return len(self._events)

    @property
    def unconfirmed_events(self) -> int:
        """Number of events that were sent and not confirmed."""
        return self._events.unconfirmed

    @property
    def events_pending(self) -> bool:
        """Whether an event is waiting to be sent."""
        return self._events.pending

    def call_kv(self, actor_id: str, data: KvRequestData) -> int:
        """Make a key-value call and return the id that its `KvAnswered` will carry."""
        return self._kv.add(actor_id, data)

    def end_call(self, request_id: int) -> bool:
        """Forget a key-value call that was answered or given up. Returns ``False`` if it had ended before."""
        return self._kv.end(request_id)

    @property
    def unanswered_calls(self) -> int:
        """Number of key-value calls without an answer."""
        return len(self._kv)

    def queue(self, frame: bytes) -> None:
        """Queue an encoded tunnel message, beyond the bound if need be. Look at `outbox_full` before you call this."""
        self._outbox.add(frame)

    def queue_answer(self, frame: bytes) -> None:
        """Queue an encoded HTTP answer. It is sent again if the connection breaks soon after it has left."""
        self._answers.add(self._outbox.add_marked(frame), frame)

    @property
    def outbox_full(self) -> bool:
        """Whether a sender should wait before it queues another tunnel message."""
        return self._outbox.full

    @property
    def mark(self) -> Mark:
        """The place behind the newest tunnel message; see `flushed`."""
        return self._outbox.mark

    def flushed(self, mark: Mark) -> bool:
        """Whether every tunnel message before ``mark`` was sent or dropped."""
        return self._outbox.flushed(mark)

    def ping(self, now_ms: int) -> None:
        """Send a protocol ping if there is a connection. ``now_ms`` is in milliseconds since the epoch.

        The new commands are acknowledged along with it. That only lets the engine forget them, so it is not urgent.
        """
        if self.phase is not Phase.CONNECTED:
            return
        self._answers.ping()
        self._control.append(encode_to_server(ToServerPing(now_ms)))
        if self._last_command_idx is not None and self._last_command_idx != self._acknowledged_command_idx:
            self._control.append(encode_to_server(ToServerAckCommands(self._last_command_idx)))
            self._acknowledged_command_idx = self._last_command_idx

    def keep_draining(self) -> None:
        """Have the engine wait on for a runner that drains. Without a connection, this does nothing.

        The engine (2.3.19) evicts a draining runner about 15 s after its last message to the runner's workflow, and starts
        its actors elsewhere. Pings never reach that workflow. An acknowledgement of commands does, also a repeated one.
        """
        if self.phase is Phase.CONNECTED and self._last_command_idx is not None:
            self._control.append(encode_to_server(ToServerAckCommands(self._last_command_idx)))

    def stopping(self) -> None:
        """Tell the engine that this runner drains, if there is a connection."""
        if self.phase is Phase.CONNECTED:
            self._control.append(encode_to_server(ToServerStopping()))

    def data_to_send(self, now: float) -> list[bytes]:
        """The messages to send now, in order. ``now`` is in seconds, on any clock that only goes forward.

        If the connection is lost afterwards, the session sends the events, calls and HTTP answers among them again, but not
        the other tunnel messages.
        """
        frames, self._control = self._control, []
        if self.phase is not Phase.CONNECTED:
            return frames
        if self._events.pending and self._event_spacing.may_send(now):
            frames.append(encode_to_server(ToServerEvents(self._events.take())))
            self._event_spacing.sent(now)
        if self._kv.pending:
            frames += self._kv.take()
        frames += self._pace.take(self._outbox, now)
        return frames

    def wait(self, now: float) -> float | None:
        """Seconds until `data_to_send` may return messages that it holds back now. ``None`` if it holds none back."""
        if self.phase is not Phase.CONNECTED:
            return None
        wait = self._pace.wait(now) if self._outbox else None
        if self._events.pending:
            for_events = self._event_spacing.wait(now)
            wait = for_events if wait is None else min(wait, for_events)
        return wait

    def give_up_waiting(self, now: float) -> bool:
        """If the engine has taken no tunnel message for too long, stop waiting for it and return ``True``."""
        return self._pace.give_up_waiting(now)
