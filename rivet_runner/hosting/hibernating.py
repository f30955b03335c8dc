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
import contextlib
from typing import TYPE_CHECKING, Final

from rivet_runner.errors import RivetRunnerError
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

__all__ = ["HibernatingSide", "attach_seconds"]

REPAIR_QUEUE: Final = 256
"""A replay is asked for when no more messages than this wait for the handler: what is not processed is replayed too, and the
engine loses what goes beyond about 1,000 at once."""

REPLAY_SECONDS: Final = 5.0
"""How long a replay may take to begin (measured: under 20 ms) before the client is closed."""

ATTACH_SECONDS: Final = 0.15
ATTACH_SECONDS_EACH: Final = 0.005
ATTACH_ROUND_TRIPS: Final = 20
LONGEST_ATTACH_SECONDS: Final = 2.0
"""How long the gateway may take to attach a client: counted from ``Running`` (not from the start command), more where many
are attached at once, and more where the engine is slow, which the last key-value call has shown. Measured: 7 to 29 ms for
one, some 5 ms for each further one, with key-value round trips of 1 to 8 ms."""


def attach_seconds(sockets: int, round_trip: float) -> float:
    """How long to hold back what the actor sends while this many of its clients are being attached."""
    expected = max(ATTACH_SECONDS + ATTACH_SECONDS_EACH * sockets, ATTACH_ROUND_TRIPS * round_trip)
    return min(expected, max(LONGEST_ATTACH_SECONDS, ATTACH_SECONDS_EACH * sockets))


REPLAY_AGAIN_SECONDS: Final = 0.25
"""After this long without the next message the replay is asked for again."""

MAX_HELD_BYTES: Final = 16 * 1024 * 1024


class HibernatingSide:
    """Belongs to one open `WebSocket`; ``stream.last`` is where its client's messages go on."""

    __slots__ = (
        "_changed",
        "_handed",
        "_held_bytes",
        "_host",
        "_processed",
        "_release_timer",
        "_released",
        "_repairing",
        "_replay",
        "_room",
        "_unacknowledged",
        "acknowledged",
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
        self.acknowledged = received
        """The index up to which the gateway was told."""
        self._handed = False
        self._changed = False
        self._unacknowledged = False
        self._repairing = False
        self._room: asyncio.Future[None] | None = None
        self._replay: asyncio.Future[None] | None = None
        self._released: asyncio.Future[None] | None = None
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

    async def released(self) -> None:
        """Wait until nothing is held back."""
        if self.held is not None:
            if self._released is None:
                self._released = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._released)

    def release(self) -> None:
        """The gateway has attached: what was held leaves, in order."""
        if self._release_timer is not None:
            self._release_timer.cancel()
            self._release_timer = None
        held, self.held, self._held_bytes = self.held, None, 0
        self._host.let_go(self)
        released, self._released = self._released, None
        if released is not None and not released.done():
            released.set_result(None)
        for message in held or ():
            self._host.uplink.send_now(message)

    # Repair

    async def fetch_missed(self, sockets: int) -> bool:
        """The engine was away: have the gateway replay what the client may have sent meanwhile.

        It keeps that, and tells nothing of it until the client's next message; and after 30 s it would give the client up.
        With nothing to replay there is no sign that it has attached the client again, so what the actor sends is held for as
        long as that may take, with this many ``sockets`` at once. Returns whether anything came, or is still being repaired:
        then there may be more.
        """
        if self.is_over or self._repairing:
            return not self.is_over
        uplink = self._host.uplink
        connection = uplink.connection_number
        before = self.stream.last
        with contextlib.suppress(RivetRunnerError):
            await self._host.journal.flush()  # what need not be replayed
        if self.is_over or uplink.connection_number != connection:
            return False  # it took until the next connection, on which the same is done anew
        self.hold_back(attach_seconds(sockets, self._host.context.kv_calls.round_trip))
        self._send_replay_request()
        await self.released()
        # The replay goes on for a moment after its first message.
        await asyncio.sleep(ATTACH_SECONDS)
        return self.stream.last != before or self._repairing

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
        # Without it the replay only repeats more than it need; the journal tries again by itself.
        with contextlib.suppress(RivetRunnerError):
            await self._host.journal.flush()
        if self.stream.flow is Flow.FLOWING or self.is_over:
            return True
        self.hold_back(None)
        self.stream.replay_asked()
        self._send_replay_request()
        await self._host.uplink.left(None)
        return await self._replay_begins()

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

    async def _replay_begins(self) -> bool:
        """Wait for the replay's first message.

        A replay is itself a burst, of which the engine may keep only the newest messages; then none is the next one, and it
        is asked for again. A connection that is lost meanwhile is no answer: ask on the next.
        """
        uplink, loop = self._host.uplink, asyncio.get_running_loop()
        connection, deadline = uplink.connection_number, loop.time() + REPLAY_SECONDS
        while self.stream.flow is Flow.REPAIRING and not self.is_over:
            if uplink.connection_number != connection or not uplink.connected:
                self.stream.flow = Flow.GAP
                return True
            if loop.time() >= deadline:
                self.release()
                return False
            self._replay = loop.create_future()
            await asyncio.wait({self._replay}, timeout=REPLAY_AGAIN_SECONDS)
            if not self._replay.done():
                self._send_replay_request()
            self._replay = None
        return True
