"""How fast tunnel messages may leave: as fast as the engine works them off, as far as that can be known.

Each gateway keeps 1,024 messages from runners in a ring and overwrites the oldest, without a sign, when its one reader of
that ring falls behind; and it never says that it has taken one out. Three rules together keep below that:

* **a window**: the engine takes one runner's messages strictly in order, and answers key-value calls. So such a call is a
  *barrier*: when it is answered, the engine has taken everything before it. At most one window of messages goes beyond the
  last barrier that was answered. This is what slows down for a busy engine.
* **a rate**: the barrier says nothing of the gateway behind, which forwards to the clients. So no more leave in a second
  than a gateway on a busy machine of two cores was seen to forward without loss.
* **replies are free**: whatever comes in from a client or a request pays for one message going out. Conversations hold
  each other's pace; only what an actor says unasked (a broadcast, a burst) meets the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID, REQUEST_IDS
from rivet_runner._session.outbox import Outbox
from rivet_runner.protocol.wire import KvGetRequest, ToServerKvRequest, encode_to_server

__all__ = ["Pace"]

WINDOW: Final = 256
"""Messages beyond the last barrier that was answered."""

STEP: Final = 64
"""Messages from one barrier to the next: with four of them in a window, it need not run dry while answers are under way."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""Bytes beyond the last barrier that was answered; a single message that is larger goes alone."""

BURST: Final = 128
"""Messages that may leave at once after a pause."""

TICK: Final = 0.002
"""Seconds between two looks while the rate holds messages back; some twenty leave at each."""

NO_ACTOR: Final = "none"
"""For a barrier while there is no actor: the engine answers any call, with an error where it must. It may take long over an
error (a third of a second was seen), so a barrier asks for an actor that is there."""

PATIENCE: Final = 30.0
"""Seconds without an answer to a barrier after which messages leave all the same: the wait must end some day."""


class Pace:
    """Decides how many messages may leave. ``rate`` is in messages a second; 0 lets everything through at once.

    ``some_actor`` names an actor of this runner, if there is one; barriers ask for a key of it. Times are in seconds, on any
    clock that goes forward.
    """

    def __init__(self, rate: float, some_actor: Callable[[], str | None]) -> None:
        self._rate = rate
        self._some_actor = some_actor
        self._sent = 0
        self._confirmed = 0
        self._next_barrier_at = STEP
        self._barriers: dict[int, tuple[int, int]] = {}
        self._sent_bytes = 0
        self._confirmed_bytes = 0
        self._next_id = FIRST_BARRIER_ID
        self._tokens = float(BURST)
        self._counted_at = 0.0
        self._barred_since: float | None = None

    @property
    def unconfirmed(self) -> int:
        """How many messages the engine may not have taken yet."""
        return self._sent - self._confirmed

    def reset(self) -> None:
        """The connection has ended, and with it whatever was on its way."""
        self._barriers.clear()
        self._confirmed, self._confirmed_bytes = self._sent, self._sent_bytes
        self._next_barrier_at = self._sent + STEP
        self._barred_since = None

    def heard(self) -> None:
        """A message has come in through the tunnel: a reply to it is free."""
        if self._tokens < BURST:
            self._tokens += 1

    def confirm(self, request_id: int) -> bool:
        """A key-value answer has come; whether it was that of a barrier."""
        if request_id < FIRST_BARRIER_ID:
            return False
        mark = self._barriers.pop(request_id, None)
        if mark is not None:
            self._confirmed, self._confirmed_bytes = max((self._confirmed, self._confirmed_bytes), mark)
            self._barred_since = None
        return True

    def take(self, outbox: Outbox, now: float) -> list[bytes]:
        """The frames that may leave now, barriers among them."""
        if not self._rate:
            return outbox.take(len(outbox), outbox.queued_bytes)
        self._tokens = min(BURST, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        frames: list[bytes] = []
        while outbox and (room := self._room()) > 0:
            batch = outbox.take(room, WINDOW_BYTES - self._sent_bytes + self._confirmed_bytes)
            self._sent += len(batch)
            self._sent_bytes += sum(map(len, batch))
            self._tokens -= len(batch)
            frames += batch
            if self._sent == self._next_barrier_at or self._barred:
                frames.append(self._barrier())
        if outbox and self._barred and self._barred_since is None:
            self._barred_since = now
        return frames

    def wait(self, now: float) -> float:
        """Seconds until another look is worth it, for messages that `take` has left; a barrier's answer may come before."""
        if not self._rate:
            return 0.0
        if self._barred_since is not None:
            return max(0.0, self._barred_since + PATIENCE - now)
        return max(TICK, (1 - self._tokens) / self._rate)

    def give_up_waiting(self, now: float) -> bool:
        """If no barrier was answered for `PATIENCE` seconds, take them all as answered and return true."""
        if self._barred_since is None or now < self._barred_since + PATIENCE:
            return False
        self.reset()
        return True

    @property
    def _barred(self) -> bool:
        """Whether only a barrier's answer lets more messages leave."""
        return self._sent - self._confirmed >= WINDOW or self._sent_bytes - self._confirmed_bytes >= WINDOW_BYTES

    def _room(self) -> int:
        """How many messages may leave before another look."""
        if self._barred:
            return 0
        return min(WINDOW - self._sent + self._confirmed, self._next_barrier_at - self._sent, int(self._tokens))

    def _barrier(self) -> bytes:
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id + 1 < REQUEST_IDS else FIRST_BARRIER_ID
        self._barriers[request_id] = self._sent, self._sent_bytes
        self._next_barrier_at = self._sent + STEP
        return encode_to_server(ToServerKvRequest(self._some_actor() or NO_ACTOR, request_id, KvGetRequest([b""])))
