"""What a hibernatable WebSocket has beyond a plain one: the order of its messages, its record, and when to hold back.

Three rules of the gateway shape this:

* it keeps each client message until that is acknowledged, and replays what it has when asked
  (``ToServerWebSocketClose{hibernate: true}``), so a gap is repaired and not fatal;
* while it attaches a client to an actor, it drops what the actor sends, without a sign; the first client message is the
  only proof that it has attached. So after a restore and during a repair, what the actor sends is *held*;
* a bursting client overruns the engine's own queue (about 1,000 messages), which shows here as a gap as well.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from rivet_runner._sockets.inbound import Flow, InboundStream, Verdict
from rivet_runner._sockets.index import ahead, next_index
from rivet_runner.hibernation import HibernationRecord
from rivet_runner.protocol.wire import (
    MessageId,
    ToServerTunnelMessage,
    ToServerWebSocketClose,
    ToServerWebSocketMessageAck,
)

if TYPE_CHECKING:
    from rivet_runner._hosting.generation import Generation
    from rivet_runner._sockets.journal import Journal
    from rivet_runner.websocket import WebSocket

__all__ = ["Hibernation"]

REPAIR_QUEUE: Final = 256
"""A replay is asked for when no more messages than this wait for the handler: what is not processed is replayed too, and the
engine loses what goes beyond about 1,000 at once."""

REPLAY_SECONDS: Final = 0.25
MAX_PATIENCE: Final = 8
LONGEST_REPLAY_SECONDS: Final = 4.0
"""For a replay to begin (measured: under 20 ms), and for its next message; then it is asked for again. More where the engine
is slow, and twice as long after each that was in vain, up to `MAX_PATIENCE` times: a busy engine answers every request in
the end, and whatever it replays twice is in the way of the others."""

REPLAYS_IN_VAIN: Final = 5
"""Replays in a row that did not bring the next message, after which the client is closed: after some 6 s, or 18 where the
engine is very slow."""

MAX_HELD_BYTES: Final = 16 * 1024 * 1024


class Hibernation:
    """Belongs to one open `WebSocket`; ``stream.last`` is where its client's messages go on."""

    __slots__ = (
        "_changed",
        "_fetching",
        "_flowing",
        "_handed",
        "_held_bytes",
        "_host",
        "_moved",
        "_processed",
        "_release_timer",
        "_repairing",
        "_room",
        "_unacknowledged",
        "acknowledged",
        "held",
        "is_over",
        "stream",
        "was_used",
        "ws",
    )

    def __init__(self, ws: WebSocket, host: Generation, received: int) -> None:
        self.ws = ws
        self._host = host
        self.stream = InboundStream(received)
        self.is_over = False
        self.was_used = False
        """Whether the handler has got a message yet."""
        self.held: list[ToServerTunnelMessage] | None = None
        self._held_bytes = 0
        self._processed = received
        self.acknowledged = received
        """The index up to which the gateway was told."""
        self._handed = False
        self._changed = False
        self._unacknowledged = False
        self._fetching = False
        """Whether it is for a fetch that something is held back, if so."""
        self._repairing: asyncio.Task[Any] | None = None
        self._moved = False
        """Whether a replay has brought anything since this was last set to false."""
        self._flowing: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._release_timer: asyncio.TimerHandle | None = None

    @property
    def key(self) -> bytes:
        return self.ws._key

    @property
    def journal(self) -> Journal:
        return self._host.journal

    @property
    def path(self) -> str:
        return self.ws.path

    # Messages from the client

    def receive(self, index: int) -> bool:
        """Judge an arriving message; whether it is to be delivered."""
        verdict = self.stream.receive(index)
        if verdict is Verdict.GAP:
            self._ask_for_replay()
            self._host.services.replays.overrun()
        elif verdict is not Verdict.AHEAD and (self.held is not None or self._flowing is not None):
            self._replay_moves(verdict)
        if verdict is not Verdict.DELIVER:
            return False
        if not self._unacknowledged:
            self._unacknowledged = True
            self.journal.received(self)
        return True

    def _replay_moves(self, verdict: Verdict) -> None:
        """A message that a replay may have brought, and then the gateway has attached the client.

        But where nothing is missing, a new message may as well have been on its way before the request.
        """
        self._moved = True
        flowing = self.stream.flow is Flow.FLOWING
        if self.held is not None and not (self._fetching and flowing and verdict is Verdict.DELIVER):
            self.release()
        if flowing and self._flowing is not None and not self._flowing.done():
            self._flowing.set_result(None)

    def no_room(self) -> None:
        """The message that was just accepted does not fit: leave it with the gateway, and fetch it when there is room."""
        self.stream.refuse()
        self._ask_for_replay()

    def mark_delivered(self, waiting: int) -> None:
        """The handler has the next message in its hands; ``waiting`` more are queued."""
        self._handed = self.was_used = True
        if self._room is not None and waiting <= REPAIR_QUEUE and not self._room.done():
            self._room.set_result(None)

    def mark_processed(self) -> None:
        """The handler asks for its next message: the one in its hands is processed."""
        if self._handed:
            self._handed = False
            self._processed = next_index(self._processed)
            self.changed()

    # The record

    def changed(self) -> None:
        """There is something new to store."""
        if not self._changed and not self.is_over:
            self._changed = True
            self.journal.changed(self)

    def record(self) -> HibernationRecord:
        """What to store now."""
        self._changed = False
        ws = self.ws
        return HibernationRecord(
            key=ws._key,
            target=ws.request._target,
            headers=dict(ws.request._headers),
            attachment=ws._attachment,
            received=self._processed,
            sent=ws._sent_index,
        )

    def acknowledge(self, received: int) -> bool:
        """The record with ``received`` is stored: tell the gateway. Returns whether nothing is left to acknowledge."""
        ws = self.ws
        if received != self.acknowledged:
            self.acknowledged = received
            # An acknowledgement takes no index of its own: the record that it follows would be wrong by one.
            self._host.uplink.send_now(
                ToServerTunnelMessage(
                    MessageId(ws._gateway_id, ws._request_id, ws._sent_index), ToServerWebSocketMessageAck(received)
                )
            )
        self._unacknowledged = received != self.stream.last
        return not self._unacknowledged

    def ended(self, *, closed: bool) -> None:
        """The socket is closed for good, or only this generation's hold on it has ended."""
        self.is_over = True
        if self._repairing is not None:
            self._repairing.cancel()
            if self.held is not None:
                self.hold_back(self._host.services.replays.attach_seconds(1))
        if closed:
            self.journal.ended(self)

    # Holding back

    def hold_back(self, seconds: float | None) -> None:
        """Keep what the actor sends until a client message arrives, or for ``seconds``."""
        self._fetching = False
        if self.held is None:
            self.held = []
            self._host.hold(self)
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None
        if seconds is not None:
            self._release_timer = asyncio.get_running_loop().call_later(seconds, self.release)

    def hold(self, message: ToServerTunnelMessage) -> None:
        """Keep ``message`` for later, in order."""
        assert self.held is not None
        self.held.append(message)
        if isinstance(message.message_kind, ToServerWebSocketClose):
            return
        self._held_bytes += len(getattr(message.message_kind, "data", b""))
        if self._held_bytes > MAX_HELD_BYTES:
            self.ws._close(1013, "ws.send_queue_full")

    def release(self) -> None:
        """The gateway has attached: what was held leaves, in order."""
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None
        held, self.held, self._held_bytes = self.held, None, 0
        self._host.let_go(self)
        for message in held or ():
            self._host.uplink.send_now(message)

    # Repair

    def is_settled(self, heard: int | None) -> bool:
        """Whether nothing need be fetched: all up to a message after ``heard`` has come, or a repair will bring it."""
        return self.is_over or self.stream.flow is not Flow.FLOWING or (heard is not None and self.stream.last != heard)

    def fetch_missed(self, seconds: float) -> None:
        """Have the gateway replay what it keeps for the client, whatever that is.

        With nothing to replay there is no sign that it has attached the client again, so what the actor sends is held for as
        many ``seconds`` as that may take.
        """
        self.hold_back(seconds)
        self._fetching = True
        self._send_replay_request()

    def _ask_for_replay(self) -> None:
        if self._repairing is None:
            name = f"actor {self._host.actor.id}: repair {self.path}"
            self._repairing = self._host.work.spawn(self._repair(), name=name)

    async def _repair(self) -> None:
        in_vain = 0
        try:
            while self.stream.flow is not Flow.FLOWING and in_vain < REPLAYS_IN_VAIN:
                last = self.stream.last
                answered = await self._repair_once(in_vain)
                in_vain = in_vain + 1 if answered and self.stream.last == last else 0
            if in_vain == REPLAYS_IN_VAIN:
                self._give_up()
        finally:
            self._repairing = None

    def _give_up(self) -> None:
        self._host.actor.log.warning(
            "the WebSocket %s lacks a message, and the gateway does not send it again; the client is closed with 1008",
            self.path,
        )
        self.release()
        self.ws._close(1008, "ws.message_index_skip")

    async def _repair_once(self, in_vain: int) -> bool:
        """Work off what is queued, acknowledge it, and have the rest replayed; false where the connection was lost."""
        await self._wait_for_room()
        uplink, replays = self._host.uplink, self._host.services.replays
        await self.journal.flush_before_replay()
        async with replays.turn(ahead(self.stream.furthest, self.acknowledged)):
            if self.stream.flow is Flow.FLOWING:
                return True
            connection = uplink.connection_number
            self.hold_back(None)
            self.stream.replay_asked()
            self._send_replay_request()
            await uplink.flushed(None)
            seconds = max(REPLAY_SECONDS, replays.attach_seconds(1)) * min(2**in_vain, MAX_PATIENCE)
            await self._replayed(min(seconds, LONGEST_REPLAY_SECONDS))
            return uplink.is_on(connection)

    async def _replayed(self, seconds: float) -> None:
        """Wait until nothing is missing any more, or nothing comes: for ``seconds``, but not for long once it has begun."""
        self._flowing = asyncio.get_running_loop().create_future()
        patience = math.ceil(seconds / REPLAY_SECONDS)
        try:
            while patience and not self._flowing.done():
                self._moved = False
                await asyncio.wait({self._flowing}, timeout=REPLAY_SECONDS)
                patience = 1 if self._moved else patience - 1
        finally:
            self._flowing = None

    def _send_replay_request(self) -> None:
        ws = self.ws
        identity = MessageId(ws._gateway_id, ws._request_id, ws._sent_index)
        self._host.uplink.send_now(ToServerTunnelMessage(identity, ToServerWebSocketClose(None, None, True)))

    async def _wait_for_room(self) -> None:
        if self.ws._waiting > REPAIR_QUEUE:
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None
