"""The repair of one socket's gap: replays, asked for one after the other, until nothing is missing.

A repair works off the queue, stores and acknowledges it, and asks the gateway to replay the rest. The engine may lose any
part of a replay, so the repair asks again, with growing patience, and gives the client up at last. Without a connection it
asks for nothing, and a connection that is lost takes its replays with it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rivet_runner._connection.uplink import Uplink
from rivet_runner._observing.statistics import Statistics
from rivet_runner._sockets.hold import Holds
from rivet_runner._sockets.inbound import Flow, InboundStream
from rivet_runner._sockets.journal import Journal
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner._sockets.turns import SHARE, ReplayTurns
from rivet_runner._tasks import TaskGroup
from rivet_runner.protocol.messages import ToServerWebSocketClose

__all__ = ["ActorHibernation", "Repair"]

REPAIR_QUEUE: Final = 256
"""A replay is asked for when no more messages than this wait for the handler. Unprocessed messages are replayed too, and the
engine loses all beyond about 1,000 at once."""

REPAIR_BYTES: Final = 8 * 1024 * 1024
"""If more bytes than this wait for the handler, a replay is asked for when none wait: a queue that is empty has room for any
message, and one that is full of a few large messages does not."""

REPLAY_SECONDS: Final = 0.25
MAX_PATIENCE: Final = 8
MAX_REPLAY_SECONDS: Final = 4.0
"""For a replay to begin (measured: under 20 ms), and for its next message, before it is asked for again. More if the engine
is slow, and twice as long after each replay in vain, up to `MAX_PATIENCE` times: a busy engine answers every request in the
end, and messages that it replays twice are in the way of the others."""

REPLAYS_IN_VAIN: Final = 5
SECONDS_IN_VAIN: Final = 5.0
"""Without the next message, after both of which the client is closed: so many replays in a row, and so long. That is after
some 6 s, or 18 if the engine is very slow. Of a long replay, a busy engine may lose the beginning several times within a
second."""

REPLAY: Final = ToServerWebSocketClose(None, None, True)
"""Asks the gateway to replay, in order, every message that is not acknowledged. The client stays open."""


@dataclass(frozen=True, slots=True)
class ActorHibernation:
    """The parts that the hibernatable sockets of one actor share. Made for the first of them."""

    journal: Journal
    work: TaskGroup
    log: logging.LoggerAdapter[logging.Logger]
    uplink: Uplink
    turns: ReplayTurns
    overrun: Callable[[], None]
    """Told of each gap and of each replay that was longer than expected: messages of other clients may be lost as well."""
    holds: Holds
    protocol: int
    """The version of the runner protocol, for the records."""
    statistics: Statistics

    def ask_for_replay(self, ws: ClientSocket) -> None:
        """Have the gateway replay what it keeps for the client."""
        self.statistics.replays += 1
        ws.send_aside(REPLAY)


class Repair:
    """One repair of one socket, begun when it is made.

    ``unacknowledged`` tells how many messages a replay may bring at most. ``ended`` is called within the repair's last turn,
    so that the next gap starts another one.
    """

    __slots__ = (
        "_ended",
        "_moved",
        "_over",
        "_reconnected",
        "_room",
        "_room_at",
        "_shared",
        "_stream",
        "_task",
        "_unacknowledged",
        "_ws",
    )

    def __init__(
        self,
        ws: ClientSocket,
        stream: InboundStream,
        shared: ActorHibernation,
        unacknowledged: Callable[[], int],
        ended: Callable[[], None],
    ) -> None:
        self._ws = ws
        self._stream = stream
        self._shared = shared
        self._unacknowledged = unacknowledged
        self._ended = ended
        self._moved = False
        """Whether a replay has brought anything since this was last set to false."""
        self._over: asyncio.Future[None] | None = None
        self._reconnected: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._room_at = REPAIR_QUEUE
        """How many messages may wait for the handler when there is room."""
        name = f"{shared.work.name}: repair {ws.path}"
        self._task = shared.work.spawn(self._run(), name=name)

    def cancel(self) -> None:
        """End it: the socket is over."""
        self._task.cancel()

    def moved(self) -> None:
        """A message has come that a replay may have brought."""
        self._moved = True
        if self._stream.flow is Flow.FLOWING or self._stream.replay_is_over:
            self.replay_is_over()

    def replay_is_over(self) -> None:
        """Nothing more comes of this replay."""
        _wake(self._over)

    def reconnected(self) -> None:
        """The connection is another one: what was asked for on the one before does not come."""
        _wake(self._over)
        _wake(self._reconnected)

    def delivered(self, waiting: int) -> None:
        """The handler has got a message, and ``waiting`` more are queued."""
        if waiting <= self._room_at:
            _wake(self._room)

    async def _run(self) -> None:
        now = asyncio.get_running_loop().time
        in_vain, since = 0, now()
        refused = False
        try:
            while self._stream.flow is not Flow.FLOWING:
                last = self._stream.last
                await self._wait_for_room(refused)
                await self._wait_for_connection()
                answered = await self._repair_once(in_vain)
                refused = self._stream.flow is Flow.GAP  # the replay has brought a message that found no room
                if answered and not refused and self._stream.last == last:
                    in_vain += 1
                else:
                    in_vain, since = 0, now()
                if in_vain >= REPLAYS_IN_VAIN and now() - since >= SECONDS_IN_VAIN:
                    self._give_up()
                    break
        finally:
            self._ended()

    def _give_up(self) -> None:
        self._shared.log.warning(
            "the WebSocket %s lacks a message, and the gateway does not send it again; the client is closed with 1008",
            self._ws.path,
        )
        self._ws.release()
        self._ws.close_now(1008, "ws.message_index_skip")

    async def _repair_once(self, in_vain: int) -> bool:
        """Acknowledge what was worked off, and have the rest replayed. Return false if the connection was lost."""
        uplink, turns = self._shared.uplink, self._shared.turns
        await self._shared.journal.flush_before_replay()
        expected = self._unacknowledged()
        async with turns.turn(expected):
            if self._stream.flow is Flow.FLOWING:
                return True
            if not uplink.is_connected:
                return False  # what was sent in the outage would make the replay longer than this turn allows
            connection = uplink.connection_number
            self._ws.hold_back(self._shared.holds, None)
            self._stream.replay_asked()
            self._shared.ask_for_replay(self._ws)
            await uplink.flushed(None)
            seconds = max(REPLAY_SECONDS, turns.attach_seconds(1)) * min(2**in_vain, MAX_PATIENCE)
            arrived = self._stream.arrived
            await self._wait_for_replay(min(seconds, MAX_REPLAY_SECONDS))
            if self._stream.arrived_since(arrived) > max(expected, SHARE):
                self._shared.overrun()  # so did other replays, perhaps
            return uplink.is_on(connection)

    async def _wait_for_replay(self, seconds: float) -> None:
        """Wait until the replay is over, or nothing comes: for ``seconds``, but not for long once it has begun."""
        self._over = asyncio.get_running_loop().create_future()
        patience = math.ceil(seconds / REPLAY_SECONDS)
        try:
            while patience and not self._over.done():
                self._moved = False
                await asyncio.wait({self._over}, timeout=REPLAY_SECONDS)
                patience = 1 if self._moved else patience - 1
        finally:
            self._over = None

    async def _wait_for_connection(self) -> None:
        if not self._shared.uplink.is_connected:
            self._reconnected = asyncio.get_running_loop().create_future()
            try:
                await self._reconnected
            finally:
                self._reconnected = None

    async def _wait_for_room(self, refused: bool) -> None:
        """Wait until little waits for the handler, or nothing if there was no room for the message that is missing."""
        self._room_at = 0 if refused or self._ws.waiting_bytes > REPAIR_BYTES else REPAIR_QUEUE
        if self._ws.waiting > self._room_at:
            self._room = asyncio.get_running_loop().create_future()
            try:
                await self._room
            finally:
                self._room = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
