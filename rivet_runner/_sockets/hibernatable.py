"""The bookkeeping of a hibernatable WebSocket: the order of its messages, its record, and when to hold back.

Three rules of the gateway shape this:

* It keeps each client message until that is acknowledged, and replays its messages on request. So a gap can be repaired
  (`rivet_runner._sockets.repair`).
* It drops the actor's messages while it attaches a client (`rivet_runner._sockets.hold`).
* A bursting client overruns the engine's own queue (about 1,000 messages), which shows here as a gap as well.
"""

from __future__ import annotations

from typing import Final

from rivet_runner._sockets.delivery import Delivery
from rivet_runner._sockets.inbound import Flow, InboundStream, Verdict, ahead
from rivet_runner._sockets.journal import Journal
from rivet_runner._sockets.repair import ActorHibernation, Repair
from rivet_runner._sockets.socket import ClientSocket, SocketState
from rivet_runner.hibernation import HibernationRecord
from rivet_runner.protocol.messages import ToServerWebSocketMessageAck
from rivet_runner.protocol.tunnel_ids import INDEX_SPACE

__all__ = ["Hibernation"]

LEFT_WHILE_AWAY: Final = (1006, "ws.left_while_away")
"""Close code and reason that a handler sees if its client has closed while the engine was away."""

MAX_UNMARKED: Final = 16_384
"""Messages that a handler has and has not marked as processed. With those that are queued, there are fewer than half of the
message indexes, so that indexes can be compared."""


class Hibernation(Delivery):
    """The `Delivery` of one open `ClientSocket`. ``stream.last`` is the index after which its client's messages go on."""

    __slots__ = (
        "_changed",
        "_deferred_from",
        "_delivered",
        "_processed",
        "_repair",
        "_shared",
        "_unacknowledged",
        "_ws",
        "stream",
        "was_used",
    )

    def __init__(self, ws: ClientSocket, shared: ActorHibernation, received: int) -> None:
        self._ws = ws
        self._shared = shared
        self.stream = InboundStream(received)
        self.is_over = False
        self.acknowledged = received
        self.was_used = False
        """Whether the handler has got a message yet."""
        self._processed = received
        self._delivered = 0
        """How many messages the handler has that are not processed: the ones after ``_processed``."""
        self._changed = False
        self._unacknowledged = False
        self._deferred_from: int | None = None
        """The acknowledgement that the gateway was sent last, while further ones are deferred."""
        self._repair: Repair | None = None

    @property
    def key(self) -> bytes:
        return self._ws.key

    @property
    def path(self) -> str:
        return self._ws.path

    @property
    def journal(self) -> Journal:
        """Stores the records of this socket's actor."""
        return self._shared.journal

    # Messages from the client

    @property
    def is_handling(self) -> bool:
        """Whether the handler has a message that is not processed."""
        return self._delivered > 0

    def receive(self, index: int) -> bool:
        verdict = self.stream.receive(index)
        if verdict is Verdict.GAP:
            self._start_repair()
            self._shared.overrun()
        elif verdict is Verdict.AHEAD:
            if self._repair is not None and self.stream.replay_is_over:
                self._repair.replay_is_over()
        elif self._ws.hold is not None or self._repair is not None:
            self._replay_may_have_come(verdict)
        if verdict is not Verdict.DELIVER:
            return False
        if not self._unacknowledged:
            self._unacknowledged = True
            self.journal.received(self)
        return True

    def _replay_may_have_come(self, verdict: Verdict) -> None:
        """A message that a replay may have brought shows that the gateway has attached the client.

        But if nothing is missing, a new message may have been on its way before the request.
        """
        hold = self._ws.hold
        new = self.stream.flow is Flow.FLOWING and verdict is Verdict.DELIVER
        if hold is not None and not (hold.for_fetch and new):
            self._ws.release()
        if self._repair is not None:
            self._repair.moved()

    def no_room(self) -> None:
        self.stream.refuse()
        self._start_repair()

    def mark_delivered(self, waiting: int) -> None:
        self._delivered += 1
        self.was_used = True
        if self._repair is not None:
            self._repair.delivered(waiting)

    def mark_all_processed(self) -> None:
        # For each message of a plain loop, so without further calls.
        delivered = self._delivered
        if delivered:
            self._delivered = 0
            self._processed = (self._processed + delivered) % INDEX_SPACE
            if not self._changed:
                self.changed()

    def mark_processed(self, count: int) -> None:
        if self._ws.state is SocketState.CLOSED:
            return
        if not 0 <= count <= self._delivered:
            raise ValueError(f"{count} messages cannot be marked as processed: {self._delivered} delivered ones are not")
        if count:
            self._delivered -= count
            self._processed = (self._processed + count) % INDEX_SPACE
            self._to_journal()  # also after the socket hibernates: the actor's stop stores it

    def check_unmarked(self) -> None:
        if self._delivered >= MAX_UNMARKED:
            raise RuntimeError(f"{self._delivered} delivered messages of this WebSocket are not marked as processed")

    # The record

    def changed(self) -> None:
        if not self.is_over:
            self._to_journal()

    def _to_journal(self) -> None:
        if not self._changed:
            self._changed = True
            self.journal.changed(self)

    def record(self) -> HibernationRecord:
        self._changed = False
        ws = self._ws
        target, headers = ws.request.wire_form()
        return HibernationRecord(
            key=ws.key,
            target=target,
            headers=headers,
            attachment=ws.attachment,
            received=self._processed,
            sent=ws.sent_index,
            protocol=self._shared.protocol,
        )

    def acknowledge(self, received: int) -> bool:
        if received != self.acknowledged:
            self.acknowledged = received
            if self._deferred_from is None:
                self._ws.send_aside(ToServerWebSocketMessageAck(received))
        self._unacknowledged = received != self.stream.last
        return not self._unacknowledged

    def defer_acknowledgements(self) -> None:
        """Send no acknowledgement until `send_deferred`. Records are stored meanwhile."""
        if self._deferred_from is None:
            self._deferred_from = self.acknowledged

    def send_deferred(self) -> None:
        """Send the acknowledgement that was deferred, if any, and each one at once from now on."""
        told, self._deferred_from = self._deferred_from, None
        if told is not None and told != self.acknowledged:
            self._ws.send_aside(ToServerWebSocketMessageAck(self.acknowledged))

    def ended(self, *, closed: bool) -> None:
        self.is_over = True
        self.send_deferred()
        if self._repair is not None:
            self._repair.cancel()
            if self._ws.hold is not None:
                self._ws.hold_back(self._shared.holds, self._shared.turns.attach_seconds(1))
        if closed:
            self.journal.ended(self)

    # Lost messages

    def reconnected(self) -> None:
        """The connection to the engine is another one."""
        if self._repair is not None:
            self._repair.reconnected()

    def hold_back(self, seconds: float | None) -> None:
        """The socket is being restored: hold back the actor's messages until a client message arrives.

        If ``seconds`` is not ``None``, hold them back no longer than that on one connection.
        """
        self._ws.hold_back(self._shared.holds, seconds)
        assert self._ws.hold is not None
        self._ws.hold.for_restore = True

    def is_settled(self, heard: int | None) -> bool:
        """Whether nothing need be fetched: all up to a message after ``heard`` has come, or a repair will bring it."""
        return self.is_over or self.stream.flow is not Flow.FLOWING or (heard is not None and self.stream.last != heard)

    def fetch_missed(self, seconds: float) -> None:
        """Have the gateway replay all that it keeps for the client.

        If there is nothing to replay, no sign shows that the gateway has attached the client again. So the actor's messages
        are held back for as many ``seconds`` as that may take.
        """
        self._shared.ask_for_replay(self._ws)
        self._ws.hold_back(self._shared.holds, seconds)  # the seconds count from when the request has left
        assert self._ws.hold is not None
        self._ws.hold.for_fetch = True

    @property
    def replayable(self) -> int:
        """How many messages a replay may bring: those that are not acknowledged."""
        newest = self.stream.last if self.stream.flow is Flow.FLOWING else self.stream.furthest
        return ahead(newest, self.acknowledged if self._deferred_from is None else self._deferred_from)

    def client_departed(self) -> None:
        """The client has closed while the engine was away: its handler ends as if the close had come now."""
        self._shared.log.info("the client of the WebSocket %s left while the engine was away", self.path)
        self._ws.peer_closed(*LEFT_WHILE_AWAY)

    def _start_repair(self) -> None:
        if self._repair is None:
            self._repair = Repair(self._ws, self.stream, self._shared, lambda: self.replayable, self._repaired)

    def _repaired(self) -> None:
        self._repair = None
