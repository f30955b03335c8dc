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
from typing import TYPE_CHECKING, Final

from rivet_runner.hibernation.inbound import Flow, InboundStream, Verdict
from rivet_runner.hibernation.index import next_index
from rivet_runner.hibernation.record import HibernationRecord
from rivet_runner.protocol.wire import (
    MessageId,
    ToServerTunnelMessage,
    ToServerWebSocketClose,
    ToServerWebSocketMessageAck,
)

if TYPE_CHECKING:
    from rivet_runner.hosting.actor_host import ActorHost
    from rivet_runner.websocket import WebSocket

__all__ = ["HibernatingSide"]

REPAIR_QUEUE: Final = 256
"""A replay is asked for when no more messages than this wait for the handler: what is not processed is replayed too, and the
engine loses what goes beyond about 1,000 at once."""

REPLAY_SECONDS: Final = 5.0
"""How long a replay may take to begin (measured: under 20 ms) before the client is closed."""

ATTACH_SECONDS: Final = 0.15
"""After this long the gateway has attached a restored socket (measured: 80 to 100 ms)."""

MAX_HELD_BYTES: Final = 16 * 1024 * 1024


class HibernatingSide:
    """Belongs to one open `WebSocket`; ``stream.last`` is where its client's messages go on."""

    __slots__ = (
        "_acknowledged",
        "_changed",
        "_handed",
        "_held_bytes",
        "_host",
        "_processed",
        "_release_timer",
        "_repairing",
        "_replay",
        "_room",
        "_unacknowledged",
        "held",
        "is_over",
        "stream",
        "was_used",
        "ws",
    )

    def __init__(self, ws: WebSocket, host: ActorHost, received: int) -> None:
        self.ws = ws
        self._host = host
        self.stream = InboundStream(received)
        self.is_over = False
        self.was_used = False
        """Whether the handler has got a message yet."""
        self.held: list[ToServerTunnelMessage] | None = None
        self._held_bytes = 0
        self._processed = received
        self._acknowledged = received
        self._handed = False
        self._changed = False
        self._unacknowledged = False
        self._repairing = False
        self._room: asyncio.Future[None] | None = None
        self._replay: asyncio.Future[None] | None = None
        self._release_timer: asyncio.TimerHandle | None = None

    @property
    def key(self) -> bytes:
        return self.ws._key

    @property
    def path(self) -> str:
        return self.ws.path

    # Messages from the client

    def accepts(self, index: int) -> bool:
        """Judge an arriving message; whether it is to be delivered."""
        verdict = self.stream.receive(index)
        if verdict is Verdict.GAP:
            self._ask_for_replay()
        elif self.held is not None and verdict is not Verdict.AHEAD:
            self.release()
            if self._replay is not None and not self._replay.done():
                self._replay.set_result(None)
        if verdict is not Verdict.DELIVER:
            return False
        if not self._unacknowledged:
            self._unacknowledged = True
            self._host.journal.received(self)
        return True

    def no_room(self) -> None:
        """The message that was just accepted does not fit: leave it with the gateway, and fetch it when there is room."""
        self.stream.refuse()
        self._ask_for_replay()

    def handed_out(self, waiting: int) -> None:
        """The handler has the next message in its hands; ``waiting`` more are queued."""
        self._handed = self.was_used = True
        if self._room is not None and waiting <= REPAIR_QUEUE and not self._room.done():
            self._room.set_result(None)

    def handler_asks(self) -> None:
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
            self._host.journal.changed(self)

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
        if received != self._acknowledged:
            self._acknowledged = received
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
        for waiter in (self._room, self._replay):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        if closed:
            self._host.journal.ended(self)

    # Holding back

    def hold_back(self, seconds: float | None) -> None:
        """Keep what the actor sends until a client message arrives, or for ``seconds``."""
        if self.held is None:
            self.held = []
            self._host.holding.add(self)
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

    def _ask_for_replay(self) -> None:
        if not self._repairing:
            self._repairing = True
            self._host.work.spawn(self._repair(), name=f"actor {self._host.actor.id}: repair {self.path}")

    async def _repair(self) -> None:
        try:
            while self.stream.flow is not Flow.FLOWING and not self.is_over:
                if not await self._repair_once():
                    self.ws._close(1008, "ws.message_index_skip")
        finally:
            self._repairing = False

    async def _repair_once(self) -> bool:
        """Work off what is queued, acknowledge it, and have the rest replayed; false where no replay came."""
        await self._wait_for_room()
        await self._host.journal.flush()
        if self.stream.flow is Flow.FLOWING or self.is_over:
            return True
        self.hold_back(None)
        self.stream.replay_asked()
        uplink, ws = self._host.uplink, self.ws
        uplink.send_now(
            ToServerTunnelMessage(
                MessageId(ws._gateway_id, ws._request_id, ws._sent_index), ToServerWebSocketClose(None, None, True)
            )
        )
        await uplink.left(None)
        return await self._replay_begins()

    async def _wait_for_room(self) -> None:
        if len(self.ws._queue) > REPAIR_QUEUE:
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None

    async def _replay_begins(self) -> bool:
        """Wait for the replay's first message. A connection that is lost meanwhile is no answer: ask again on the next."""
        uplink = self._host.uplink
        connection = uplink.connection_number
        if self.stream.flow is Flow.REPAIRING:
            self._replay = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(REPLAY_SECONDS):
                    await self._replay
            except TimeoutError:
                pass
            finally:
                self._replay = None
        if self.stream.flow is not Flow.REPAIRING or self.is_over:
            return True
        if uplink.connection_number != connection or not uplink.connected:
            self.stream.flow = Flow.GAP
            return True
        self.release()
        return False
