"""The pace at which tunnel messages leave: as fast as the engine takes them, as far as a runner can know.

**Overflow.** Each gateway keeps 1,024 messages from runners in a ring. If the one reader of that ring falls behind, the
gateway overwrites the oldest without a sign, and it never says that it has taken one out.

**Measure.** The engine takes one runner's messages strictly in order, and answers key-value calls. So such a call is a
*barrier*: its answer says that the engine has handed everything before it to the rings. The shortest recent round trip of a
barrier is the wire (`rivet_runner._session.round_trips`). Messages beyond the wire's share of what is under way wait in the
engine (`rivet_runner._session.window`).

**Bounds**, for each gateway, and the policy at each:

* *The engine's queue.* `ENGINE_QUEUE` messages and `ENGINE_QUEUE_BYTES` may wait in the engine, on top of what the wire
  holds. At the bound, messages wait in the outbox for the answer to a barrier. So a slow engine gets fewer messages at a
  time, and a distant one does not. After `BARRIER_TIMEOUT` seconds without any answer the messages leave all the same.
* *The ring.* No more than `RING` messages are beyond the last answered barrier, however far the engine is. If the network or
  the engine stalls, all of them may arrive at once, and still fit into the ring. From `MAX_UNASKED` on, only replies leave.
* *The rate.* A barrier says nothing of the reader behind the ring. So unasked messages (a broadcast, a burst) leave at no
  more than ``rate`` a second, and `BURST` at once after a pause. A gateway on a busy machine of two cores was seen to
  forward the default rate without loss. At the bound, messages wait for the next tick.
* *Replies.* A client that waits for its reply holds its own pace. So each message that comes in pays for one that goes
  out, however late, up to `MAX_OWED` of them. Replies meet the windows and not the rate.

**Many gateways.** An engine has one gateway for each of its hosts, and each has a ring of its own. So windows, rate and
replies are counted for each gateway. A barrier confirms messages to all of them, because they share one connection.

**Head of line.** A gateway at a bound holds back its own messages only, and messages to the others pass them. Each client
still gets its messages in order, because it stays with one gateway. The outbox is the gateways' common bound: if the
messages of one fill it, every sender waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from rivet_runner._session.gateway import Gateway
from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID, REQUEST_IDS
from rivet_runner._session.outbox import Outbox
from rivet_runner._session.round_trips import RoundTrips
from rivet_runner._session.window import Place
from rivet_runner.protocol.messages import KvGetRequest, ToServerKvRequest

__all__ = ["Pace"]

STEP: Final = 64
"""Messages from one barrier to the next. The smallest window has four of them, and need not run dry while answers are under
way."""

MIN_WAIT: Final = 0.002
"""Seconds between two flushes while the rate holds messages back. About twenty messages leave at each."""

NO_ACTOR: Final = "none"
"""The actor id of a barrier if the runner has no actor. The engine answers any call, if need be with an error. An error can
take long (a third of a second was seen), so a barrier names a real actor if there is one."""

BARRIER_TIMEOUT: Final = 30.0
"""Seconds without an answer to a barrier. After that messages leave all the same, so that a lost answer blocks them for a
bounded time."""

MAX_GATEWAYS: Final = 64
"""At this number, gateways to which nothing is under way are forgotten. Replies that were owed to them meet the rate."""


class _Barrier(NamedTuple):
    """A key-value call under way, and how far the windows had come that have moved since the one before."""

    sent_at: float
    places: list[Place]
    small: bool
    """Whether few messages were under way to each of these gateways."""


class Pace:
    """Decides how many messages may leave.

    ``rate`` is in messages a second. With 0 every message leaves at once. ``some_actor`` returns the id of an actor of this
    runner, or ``None``. Barriers ask for a key of that actor, and ``encode`` turns them into messages. Times are in seconds,
    on any clock that only goes forward.
    """

    def __init__(
        self, rate: float, some_actor: Callable[[], str | None], encode: Callable[[ToServerKvRequest], bytes]
    ) -> None:
        self._rate = rate
        self._encode = encode
        self._some_actor = some_actor
        self._round_trips = RoundTrips()
        self._gateways: dict[bytes, Gateway] = {}
        self._barriers: dict[int, _Barrier] = {}
        self._next_id = FIRST_BARRIER_ID
        self._since_barrier = 0
        self._touched: set[Gateway] = set()
        """Gateways that got messages since the last barrier."""
        self._answered: list[int] = []
        """Barriers whose answers have come since the last look."""
        self._barred_since: float | None = None
        self._look_at = math.inf

    @property
    def unconfirmed(self) -> int:
        """Number of messages that the engine may not have taken yet."""
        return sum(gateway.messages.beyond for gateway in self._gateways.values())

    def reset(self) -> None:
        """The connection has ended. The messages that were on their way are gone, so the windows are empty."""
        self._barriers.clear()
        self._answered.clear()
        self._touched.clear()
        self._since_barrier = 0
        self._barred_since = None
        self._round_trips = RoundTrips()
        for gateway in self._gateways.values():
            for window in gateway.windows:
                window.reset()

    def credit_reply(self, gateway: bytes) -> None:
        """A message came in from ``gateway``. It pays for one message out."""
        try:
            self._gateways[gateway].owed += 1
        except KeyError:
            self._meet(gateway).owed += 1

    def confirm(self, request_id: int) -> bool:
        """Note a key-value answer, and return whether it is that of a barrier. The windows move with the next `take`."""
        if request_id < FIRST_BARRIER_ID:
            return False
        if request_id in self._barriers:
            self._answered.append(request_id)
        return True

    def take(self, outbox: Outbox, now: float) -> list[bytes]:
        """The frames that may leave now, with barriers among them.

        Call it soon after `confirm`, even if nothing waits: the round trip of a barrier ends here.
        """
        if not self._rate:
            return outbox.take_all()
        if self._answered:
            self._settle(now)
        frames: list[bytes] = []
        self._look_at = math.inf
        if outbox:
            for gateway in outbox.gateways():
                self._take(gateway, outbox, frames, now)
        return frames

    def wait(self, now: float) -> float:
        """Seconds until `take` may return messages that it has left behind. A barrier's answer may come before."""
        return max(0.0, self._look_at - now) if self._rate else 0.0

    def give_up_waiting(self, now: float) -> bool:
        """If no barrier was answered for `BARRIER_TIMEOUT` seconds, treat all as answered and return ``True``."""
        if self._barred_since is None or now < self._barred_since + BARRIER_TIMEOUT:
            return False
        self.reset()
        return True

    def _meet(self, gateway: bytes) -> Gateway:
        if len(self._gateways) >= MAX_GATEWAYS:
            self._gateways = {key: known for key, known in self._gateways.items() if known.messages.beyond}
        known = self._gateways[gateway] = Gateway()
        return known

    def _take(self, key: bytes, outbox: Outbox, frames: list[bytes], now: float) -> None:
        """Move the messages that may leave for one gateway from ``outbox`` to ``frames``."""
        gateway = self._gateways.get(key) or self._meet(key)
        room, octets = gateway.room(self._rate, now), gateway.octets
        while room > 0 and octets.sent < octets.end:
            batch, size = outbox.take(key, min(room, STEP - self._since_barrier), octets.end - octets.sent)
            room -= len(batch)
            gateway.send(len(batch), size)
            frames += batch
            self._touched.add(gateway)
            self._since_barrier += len(batch)
            if self._since_barrier >= STEP or gateway.full:
                frames.append(self._barrier(now))
            if key not in outbox:
                return
        self._hold(gateway, frames, now)

    def _hold(self, gateway: Gateway, frames: list[bytes], now: float) -> None:
        """Messages stay in the outbox: see to it that there is another look."""
        if not gateway.barred:
            look_at = now + max(MIN_WAIT, gateway.until_next(self._rate))
        else:
            if not self._barriers:  # the window has shrunk below what is under way, or an answer was lost
                frames.append(self._barrier(now))
            if self._barred_since is None:
                self._barred_since = now
            look_at = self._barred_since + BARRIER_TIMEOUT
        self._look_at = min(self._look_at, look_at)

    def _barrier(self, now: float) -> bytes:
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id + 1 < REQUEST_IDS else FIRST_BARRIER_ID
        places: list[Place] = []
        small = True
        for gateway in self._touched:
            places += gateway.messages.place(), gateway.octets.place()
            small = small and gateway.messages.small
        self._barriers[request_id] = _Barrier(now, places, small)
        self._touched.clear()
        self._since_barrier = 0
        return self._encode(ToServerKvRequest(self._some_actor() or NO_ACTOR, request_id, KvGetRequest([b""])))

    def _settle(self, now: float) -> None:
        """Barriers were answered: the engine has taken everything before them."""
        for request_id in self._answered:
            while request_id in self._barriers:
                earliest = next(iter(self._barriers))
                barrier = self._barriers.pop(earliest)
                if earliest == request_id:
                    self._learn(barrier, now)
                else:  # its own answer was lost
                    for window, sent, _ in barrier.places:
                        window.confirm(sent)
        self._answered.clear()
        self._barred_since = None

    def _learn(self, barrier: _Barrier, now: float) -> None:
        """Divide the messages under way when ``barrier`` left into the wire's and the engine's."""
        self._round_trips.add(now - barrier.sent_at, now, small=barrier.small)
        share = self._round_trips.wire_share
        if share is None:
            self._probe(barrier)
            return
        for window, sent, beyond in barrier.places:
            window.learn(sent, beyond, share)

    def _probe(self, barrier: _Barrier) -> None:
        """``barrier`` was answered, and the wire is not known any more: make room to measure it."""
        for window, sent, _ in barrier.places:
            window.confirm(sent)
        for gateway in self._gateways.values():
            for window in gateway.windows:
                window.probe()
