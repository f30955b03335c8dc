"""The pace at which tunnel messages leave: no faster than the engine takes them, as far as a runner can know.

Each gateway keeps 1,024 messages from runners in a ring, which has one reader. If the reader falls behind, the ring
overwrites the oldest messages without a sign. The gateway never says that it has taken a message out. Three rules together
keep a runner below that limit:

* **A window.** The engine takes the messages of one runner strictly in order, and answers key-value calls. So a key-value
  call serves as a *barrier*: with its answer, the engine has taken every message before it. At most one window of messages
  leaves beyond the last answered barrier. This rule slows the runner down for a busy engine.
* **A rate.** A barrier tells nothing about the gateway, which forwards to the clients. So the messages a second stay below
  the rate that a gateway on a busy machine of two cores forwarded without loss.
* **Free replies.** Each message that comes in from a client or a request pays for one message out. So a conversation sets
  its own pace. The rate limits only messages that an actor sends unasked, such as broadcasts and bursts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rivet_runner._session.kv_ledger import FIRST_BARRIER_ID, REQUEST_IDS
from rivet_runner._session.outbox import Outbox
from rivet_runner.protocol.wire import KvGetRequest, ToServerKvRequest, encode_to_server

__all__ = ["Pace"]

WINDOW: Final = 256
"""Messages beyond the last answered barrier."""

STEP: Final = 64
"""Messages from one barrier to the next. A window has four, so it does not run dry while their answers are under way."""

WINDOW_BYTES: Final = 4 * 1024 * 1024
"""Bytes beyond the last answered barrier. A single larger message leaves alone."""

BURST: Final = 128
"""Messages that may leave at once after a pause."""

MIN_WAIT: Final = 0.002
"""Seconds between two flushes while the rate holds messages back. About twenty messages leave at each."""

NO_ACTOR: Final = "none"
"""The actor id of a barrier if the runner has no actor. The engine answers any call, if need be with an error. An error can
take long (a third of a second was seen), so a barrier names a real actor if there is one."""

BARRIER_TIMEOUT: Final = 30.0
"""Seconds without an answer to a barrier. After that messages leave all the same, so that a lost answer blocks them for a
bounded time."""


class Pace:
    """Decides how many messages may leave.

    ``rate`` is in messages a second. With 0 every message leaves at once. ``some_actor`` returns the id of an actor of this
    runner, or ``None``. Barriers ask for a key of that actor. Times are in seconds, on any clock that only goes forward.
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

    def reset(self) -> None:
        """The connection has ended. The messages that were on their way are gone, so the window is empty."""
        self._barriers.clear()
        self._confirmed, self._confirmed_bytes = self._sent, self._sent_bytes
        self._next_barrier_at = self._sent + STEP
        self._barred_since = None

    def credit_reply(self) -> None:
        """A message came in through the tunnel. It pays for one message out."""
        if self._tokens < BURST:
            self._tokens += 1

    def confirm(self, request_id: int) -> bool:
        """Move the window if a key-value answer is that of a barrier; return whether it is."""
        if request_id < FIRST_BARRIER_ID:
            return False
        mark = self._barriers.pop(request_id, None)
        if mark is not None:
            self._confirmed, self._confirmed_bytes = max((self._confirmed, self._confirmed_bytes), mark)
            self._barred_since = None
        return True

    def take(self, outbox: Outbox, now: float) -> list[bytes]:
        """The frames that may leave now, with barriers among them."""
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
        """Seconds until `take` may return messages that it has left behind. A barrier's answer may come before."""
        if not self._rate:
            return 0.0
        if self._barred_since is not None:
            return max(0.0, self._barred_since + BARRIER_TIMEOUT - now)
        return max(MIN_WAIT, (1 - self._tokens) / self._rate)

    def give_up_waiting(self, now: float) -> bool:
        """If no barrier was answered for `BARRIER_TIMEOUT` seconds, treat all as answered and return ``True``."""
        if self._barred_since is None or now < self._barred_since + BARRIER_TIMEOUT:
            return False
        self.reset()
        return True

    @property
    def _barred(self) -> bool:
        """Whether the window is full, so that only a barrier's answer lets more messages leave."""
        return self._sent - self._confirmed >= WINDOW or self._sent_bytes - self._confirmed_bytes >= WINDOW_BYTES

    def _room(self) -> int:
        """Number of messages that may leave before the next barrier."""
        if self._barred:
            return 0
        return min(WINDOW - self._sent + self._confirmed, self._next_barrier_at - self._sent, int(self._tokens))

    def _barrier(self) -> bytes:
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id + 1 < REQUEST_IDS else FIRST_BARRIER_ID
        self._barriers[request_id] = self._sent, self._sent_bytes
        self._next_barrier_at = self._sent + STEP
        return encode_to_server(ToServerKvRequest(self._some_actor() or NO_ACTOR, request_id, KvGetRequest([b""])))
