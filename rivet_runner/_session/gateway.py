"""How many messages may leave for one gateway: its two windows, its rate, and the replies that its clients wait for.

The reasons for each are in `rivet_runner._session.pace`.
"""

from __future__ import annotations

import math
from typing import Final

from rivet_runner._session.window import Window

__all__ = ["Gateway"]

RING: Final = 1024
"""Messages that a gateway keeps before it overwrites the oldest."""

ENGINE_QUEUE: Final = 256
"""Messages that may wait in the engine."""

ENGINE_QUEUE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of them; a single message that is larger goes alone."""

BURST: Final = 128
"""Unasked messages that may leave at once after a pause."""

MAX_UNASKED: Final = RING - BURST
"""At so many messages beyond the last answered barrier, no unasked one leaves. The rest of the ring is for replies, and for
messages that the engine has taken and the gateway's reader has not."""

MAX_UNDER_WAY_BYTES: Final = 4 * ENGINE_QUEUE_BYTES
"""Bytes beyond the last answered barrier: 160 MB/s at a round trip of 100 ms."""

MAX_OWED: Final = RING // 2
"""Replies that clients may be waiting for. Clients that speak and wait for nothing run this up, so what it lets through at
once, and a burst, must fit into the ring."""


class Gateway:
    """One gateway. Add to ``owed`` for each message that comes from it."""

    __slots__ = ("_counted_at", "_tokens", "messages", "octets", "owed", "windows")

    def __init__(self) -> None:
        self.messages = Window(ENGINE_QUEUE, RING)
        self.octets = Window(ENGINE_QUEUE_BYTES, MAX_UNDER_WAY_BYTES)
        self.windows = (self.messages, self.octets)
        self.owed = 0
        """Replies that are paid for."""
        self._tokens = float(BURST)
        """Unasked messages that may leave."""
        self._counted_at = -math.inf

    @property
    def full(self) -> bool:
        """Whether only a barrier's answer lets any message leave."""
        return self.messages.sent >= self.messages.end or self.octets.sent >= self.octets.end

    @property
    def barred(self) -> bool:
        """Whether only a barrier's answer lets an unasked message leave."""
        return self.full or self.messages.beyond >= MAX_UNASKED

    def room(self, rate: float, now: float) -> int:
        """How many messages may leave ``now``, at ``rate`` unasked ones a second, as long as it is not `full`."""
        self._tokens = tokens = min(BURST, self._tokens + (now - self._counted_at) * rate)
        self._counted_at = now
        if self.owed > MAX_OWED:
            self.owed = MAX_OWED
        messages = self.messages
        if messages.size <= MAX_UNASKED:
            return min(messages.end - messages.sent, self.owed + int(tokens))
        unasked = min(MAX_UNASKED - messages.beyond, int(tokens))
        return min(messages.end - messages.sent, self.owed + max(0, unasked))

    def send(self, count: int, size: int) -> None:
        """``count`` messages of ``size`` bytes leave: those that are owed first."""
        self.messages.sent += count
        self.octets.sent += size
        if count <= self.owed:
            self.owed -= count
        else:
            self._tokens -= count - self.owed
            self.owed = 0

    def until_next(self, rate: float) -> float:
        """Seconds until the rate lets the next unasked message leave."""
        return (1 - self._tokens) / rate
