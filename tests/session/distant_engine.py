"""An engine at a distance, in virtual numbers: it takes messages one by one, and answers barriers in their turn."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable

from rivet_runner._session.outbox import Outbox
from rivet_runner._session.pace import Pace
from rivet_runner.protocol.v3 import (
    MessageId,
    ToServerKvRequest,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    decode_to_server,
    encode_to_server,
)

__all__ = ["GATEWAY", "DistantEngine", "message"]

GATEWAY = b"gw-1"
TUNNEL = 6
"""The tag of a tunnel message."""


def message(number: int = 0, gateway: bytes = GATEWAY, data: bytes = b"") -> bytes:
    """One encoded tunnel message; ``number`` is its request id."""
    kind = ToServerWebSocketMessage(data, True)
    return encode_to_server(ToServerTunnelMessage(MessageId(gateway, number.to_bytes(4, "big"), 0), kind))


class DistantEngine:
    """Both ends of a wire: `pace` and ``outbox`` here, and an engine that takes ``rate`` messages a second there.

    ``round_trip`` is in seconds. A barrier takes the engine as long as a message. `run` lets time pass.
    """

    def __init__(self, pace: Pace, *, round_trip: float, rate: float) -> None:
        self.pace = pace
        self.outbox = Outbox(2**40)
        self.round_trip = round_trip
        self.rate = rate
        self.now = 1000.0
        self.taken = 0
        """Messages that the engine has taken, or will have with what is under way."""
        self.longest_queue = 0
        """The most messages that waited in the engine at once."""
        self.most_under_way = 0
        self.on_taken: Callable[[], None] | None = None
        """Called when the engine's client has got a message and had the time to say something back."""
        self._waiting: deque[float] = deque()
        """When each message that has arrived will have been taken."""
        self._free_at = self.now
        self._arrived_until = self.now
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._scheduled = 0
        self._next_look = math.inf

    def stall(self, seconds: float) -> None:
        """Take nothing for a while."""
        self._free_at = max(self._free_at, self.now) + seconds

    def forget_peaks(self) -> None:
        self.longest_queue = self.most_under_way = 0

    def add(self, count: int, gateway: bytes = GATEWAY, data: bytes = b"") -> None:
        """Let messages wait in the outbox."""
        frame = message(0, gateway, data)
        for _ in range(count):
            self.outbox.add(gateway, frame)

    def look(self) -> None:
        """Send what may leave now."""
        for frame in self.pace.take(self.outbox, self.now):
            self._carry(frame)
        self.most_under_way = max(self.most_under_way, self.pace.unconfirmed)
        if self.outbox and (look_at := self.now + self.pace.wait(self.now)) < self._next_look:
            self._next_look = look_at
            self.at(look_at, self._timer)

    def at(self, when: float, what: Callable[[], object]) -> None:
        """Do ``what`` at this time, and look what may leave then."""
        self._scheduled += 1
        heapq.heappush(self._events, (when, self._scheduled, what))

    def run(self, seconds: float) -> int:
        """Let time pass; return how many messages have left for the engine meanwhile."""
        before, end = self.taken, self.now + seconds
        self.look()
        while self._events and self._events[0][0] <= end:
            self.now, _, what = heapq.heappop(self._events)
            what()
            self.look()
        self.now = end
        return self.taken - before

    def _timer(self) -> None:
        self._next_look = math.inf

    def _carry(self, frame: bytes) -> None:
        # What left earlier arrives earlier, even if the wire has become shorter meanwhile.
        arrival = self._arrived_until = max(self._arrived_until, self.now + self.round_trip / 2)
        self._free_at = max(self._free_at, arrival) + 1 / self.rate
        back_at = self._free_at + self.round_trip / 2
        if frame[0] != TUNNEL:
            barrier = decode_to_server(frame)
            assert isinstance(barrier, ToServerKvRequest)
            request_id = barrier.request_id
            self.at(back_at, lambda: self.pace.confirm(request_id))
            return
        self.taken += 1
        if self.on_taken is not None:
            self.at(back_at, self.on_taken)
        while self._waiting and self._waiting[0] <= arrival:
            self._waiting.popleft()
        self._waiting.append(self._free_at)
        self.longest_queue = max(self.longest_queue, len(self._waiting))
