"""The runner's side of the protocol as a state machine without I/O.

A `Dialect` speaks one version of the protocol: it has the phase of the connection, the events and the commands. The session
adds the parts that all versions share: key-value calls, tunnel messages, and the pace at which they leave.

On a connection whose init is answered, unconfirmed events leave first, then key-value calls without an answer, then tunnel
messages. New ones follow in the same order, so one rule serves both the resync and an ordinary turn.

The *runner id* in the engine's answer to init decides about everything that was kept. If the id is the same, the engine
still knows this runner, and everything goes on. If it is another id, the engine has forgotten the runner. It has given the
actors away or put them to sleep, so nothing about them may be sent any more, and the indexes start over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from rivet_runner._session.answers import SentAnswers
from rivet_runner._session.dialect import (
    ActorEvent,
    CloseRequested,
    Dialect,
    InitAnswered,
    KvAnswered,
    Phase,
    SharedMessage,
    StartActor,
    StopActor,
)
from rivet_runner._session.kv_ledger import KvLedger
from rivet_runner._session.outbox import Mark, Outbox
from rivet_runner._session.pace import Pace
from rivet_runner.protocol.messages import KvRequestData, ToClientTunnelMessage

__all__ = ["Decision", "Initialised", "Session", "WindowMoved"]


class Initialised(msgspec.Struct, frozen=True):
    """The engine has answered init. ``forgotten`` is ``True`` if it gave this runner a new id."""

    runner_id: str
    forgotten: bool
    dropped_calls: Sequence[int]
    """Key-value calls of the forgotten runner, which the engine will not answer."""


class WindowMoved(msgspec.Struct, frozen=True):
    """The engine has taken messages, so more may leave."""


Decision: TypeAlias = (
    ToClientTunnelMessage | StartActor | StopActor | KvAnswered | WindowMoved | Initialised | CloseRequested
)
"""A result of `Session.receive`, for the layers above. Tunnel messages are handed on as they came."""

WINDOW_MOVED: Final = WindowMoved()


class Session:
    """All state of the conversation with one engine. It is not thread-safe, not reentrant, and has no clock.

    ``max_buffered`` is the bound of the outbox in bytes.
    """

    def __init__(self, dialect: Dialect, *, max_buffered: int, pace: Pace) -> None:
        self._dialect = dialect
        self._decode = dialect.decode
        self.encode: Callable[[SharedMessage], bytes] = dialect.encode
        """Encode a tunnel message. Raises `TypeError` or `ValueError` that names the field."""
        self.lost_threshold: float | None = None
        """Seconds without a connection after which the engine counts this runner as lost. ``None`` before the first init."""
        self.stop_threshold: float | None = None
        """Seconds after a stop command for which the engine waits for the actor. ``None`` if it has not told."""
        self.drain_grace: float | None = None
        """Seconds that the engine leaves the runners of a serverless pool to drain. ``None`` for any other pool, or if the
        engine has not told."""
        self._kv = KvLedger(dialect.encode)
        self._outbox = Outbox(max_buffered)
        self.offer: Callable[[bytes, bytes], bool] = self._outbox.offer
        """Queue an encoded tunnel message to a gateway, unless the outbox is full. Return whether it was queued."""
        self._answers = SentAnswers()
        self._pace = pace

    @property
    def phase(self) -> Phase:
        """How far the connection has come."""
        return self._dialect.phase

    @property
    def connected(self) -> bool:
        """Whether the engine has answered init on a connection that is open."""
        return self._dialect.phase is Phase.CONNECTED

    @property
    def runner_id(self) -> str | None:
        """The engine's id for this runner, from the first init on."""
        return self._dialect.runner_id

    @property
    def has_delete_range(self) -> bool:
        """Whether the engine can delete a range of keys in one call."""
        return self._dialect.has_delete_range

    @property
    def deletion_lag(self) -> float:
        """Seconds after a stop command within which the key-value store of a deleted actor may still answer."""
        return self._dialect.deletion_lag

    # The connection's edges

    def connection_opened(self) -> None:
        """A new connection is open. Init is the first message on it."""
        self._dialect.connection_opened()

    def send_init(self) -> None:
        """Send init, or send it again if it has no answer yet. The first answer counts."""
        self._dialect.send_init()

    def connection_lost(self) -> None:
        """The connection is gone. Everything that the engine has not confirmed is kept for the next connection."""
        self._dialect.connection_lost()
        self._pace.reset()

    # From the engine

    def receive(self, frame: bytes) -> list[Decision]:
        """Take in one message and return decisions, to be carried out in order.

        Raises `DecodeError` for bytes that are not a message. The session is unchanged then.
        """
        message = self._decode(frame)
        if type(message) is ToClientTunnelMessage:
            self._pace.credit_reply(message.message_id.gateway_id)
            return [message]
        decisions: list[Decision] = []
        for received in self._dialect.take_in(message):
            if type(received) is InitAnswered:
                decisions.append(self._init_answered(received))
            elif type(received) is not KvAnswered:
                decisions.append(received)  # type: ignore[arg-type]
            elif self._pace.confirm(received.request_id):
                decisions.append(WINDOW_MOVED)
            elif self._kv.end(received.request_id):
                decisions.append(received)
        return decisions

    def _init_answered(self, answer: InitAnswered) -> Initialised:
        dropped: Sequence[int] = ()
        if answer.forgotten:
            dropped = self._kv.drop_all()
            self.drop_tunnel_messages()
        else:
            self._kv.resume()
            for gateway, frame in self._answers.take_lost():
                self.queue_answer(gateway, frame)
        self.lost_threshold = answer.lost_threshold
        self.stop_threshold = answer.stop_threshold
        self.drain_grace = answer.drain_grace
        return Initialised(answer.runner_id, answer.forgotten, dropped)

    def drop_tunnel_messages(self) -> None:
        """Forget the tunnel messages that have not left: the engine has given away the actors that sent them.

        An open or an answer that left later could reach an attempt that another runner serves.
        """
        self._outbox.drop_all()
        self._answers.drop_all()

    # To the engine

    def report(self, actor_id: str, generation: int, event: ActorEvent) -> None:
        """Report ``event`` of an actor to the engine, now or after the next init."""
        self._dialect.report(actor_id, generation, event)

    def generation_ended(self, actor_id: str, generation: int) -> None:
        """A generation of an actor has ended here, so it reports nothing more."""
        self._dialect.generation_ended(actor_id, generation)

    @property
    def overdue_events(self) -> int:
        """Number of events that the engine could have confirmed, or that could not be sent yet."""
        return self._dialect.overdue_events

    @property
    def wants_new_init(self) -> bool:
        """Whether too many events are unconfirmed, and the answer to another init would tell which ones the engine has."""
        return self._dialect.wants_new_init

    @property
    def events_pending(self) -> bool:
        """Whether an event is waiting to be sent."""
        return self._dialect.events_pending

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

    def queue(self, gateway: bytes, frame: bytes) -> None:
        """Queue an encoded tunnel message to ``gateway``, beyond the bound if need be."""
        self._outbox.add(gateway, frame)

    def queue_answer(self, gateway: bytes, frame: bytes) -> None:
        """Queue an encoded HTTP answer. It is sent again if the connection breaks soon after it has left."""
        self._answers.add(self._outbox.add(gateway, frame), gateway, frame)

    @property
    def outbox_full(self) -> bool:
        """Whether a sender should wait before it queues another tunnel message."""
        return self._outbox.full

    @property
    def outbox_size(self) -> tuple[int, int]:
        """Tunnel messages in the outbox, and their bytes. Safe in any thread."""
        return len(self._outbox), self._outbox.queued_bytes

    @property
    def mark(self) -> Mark:
        """The place behind the newest tunnel message; see `flushed`."""
        return self._outbox.mark

    def flushed(self, mark: Mark) -> bool:
        """Whether every tunnel message before ``mark`` was sent or dropped."""
        return self._outbox.flushed(mark)

    def keep_alive(self, now_ms: int) -> None:
        """Call this every 3 s. It proves that the runner is alive, if the version of the protocol wants that unasked.

        ``now_ms`` is in milliseconds since the epoch. Without a connection, this does nothing.
        """
        if self.connected:
            self._answers.grow_older()
            self._dialect.keep_alive(now_ms)

    def keep_draining(self) -> None:
        """Have the engine wait on for a runner that drains. Without a connection, this does nothing.

        The engine (2.3.19) evicts a draining runner about 15 s after its last message to the runner's workflow, and starts
        its actors elsewhere.
        """
        self._dialect.keep_draining()

    def stopping(self) -> None:
        """Tell the engine that this runner drains, if there is a connection."""
        self._dialect.stopping()

    def data_to_send(self, now: float) -> list[bytes]:
        """The messages to send now, in order. ``now`` is in seconds, on any clock that only goes forward.

        If the connection is lost afterwards, the session sends the events, calls and HTTP answers among them again, but not
        the other tunnel messages.
        """
        frames = self._dialect.frames_to_send(now)
        if self._dialect.phase is not Phase.CONNECTED:
            return frames
        if self._kv.pending:
            frames += self._kv.take()
        frames += self._pace.take(self._outbox, now)
        return frames

    def wait(self, now: float) -> float | None:
        """Seconds until `data_to_send` may return messages that it holds back now. ``None`` if it holds none back."""
        wait = self._dialect.wait(now)
        if self._outbox and self._dialect.phase is Phase.CONNECTED:
            for_tunnel = self._pace.wait(now)
            wait = for_tunnel if wait is None else min(wait, for_tunnel)
        return wait

    def give_up_waiting(self, now: float) -> bool:
        """If the engine has taken no tunnel message for too long, stop waiting for it and return ``True``."""
        return self._pace.give_up_waiting(now)
