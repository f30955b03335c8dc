"""Tunnel messages on their way out: in order for each gateway and up to a bound.

A message counts from the moment at which a sender hands it over until the socket gets it. If the engine is unreachable, or
the pace holds messages back, they stay here. At ``max_bytes`` the outbox is full, and senders wait.

Each gateway has a queue of its own, so messages that are held back for one gateway do not hold up the others. Each client is
on one gateway, so its messages keep their order. The bound is one for all of them, as it is this process's memory: a gateway
that is held back for so long that its messages fill the outbox makes the senders to every gateway wait.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Mark", "Outbox"]

FRAME_OVERHEAD: Final = 64
"""Bytes added to the size of each frame, so that the bound also holds for many tiny messages."""

MAX_GATEWAYS: Final = 64
"""Empty queues are forgotten beyond this number of gateways."""


class _Queue(deque[bytes]):
    """The messages that wait for one gateway, and how many were taken before."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0


class Mark:
    """A place in the outbox: behind every message that waited when it was made."""

    __slots__ = ("_places",)

    def __init__(self, queues: list[_Queue]) -> None:
        self._places = [(queue, queue.taken + len(queue)) for queue in queues]

    @property
    def passed(self) -> bool:
        """Whether every message before it was taken or dropped."""
        return all(queue.taken >= place for queue, place in self._places)


class Outbox:
    """Encoded tunnel messages that have not left."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._queues: dict[bytes, _Queue] = {}
        self._bytes = 0
        self.full: bool = False
        """Whether a sender should wait. An empty outbox takes one message of any size."""

    def __len__(self) -> int:
        """Number of messages in the outbox. Safe in any thread."""
        return sum(map(len, [*self._queues.values()]))

    def __bool__(self) -> bool:
        return self._bytes > 0

    def __contains__(self, gateway: bytes) -> bool:
        """Whether messages wait for ``gateway``."""
        return bool(self._queues.get(gateway))

    @property
    def queued_bytes(self) -> int:
        """Bytes of all frames, each with its `FRAME_OVERHEAD`."""
        return self._bytes

    @property
    def mark(self) -> Mark:
        """The place behind the newest message of each gateway; see `flushed`."""
        return Mark([queue for queue in self._queues.values() if queue])

    def flushed(self, mark: Mark) -> bool:
        """Whether every message before ``mark`` was taken or dropped."""
        return mark.passed

    def offer(self, gateway: bytes, frame: bytes, beyond_bound: bool = False) -> bool:
        """Append a message to ``gateway``, unless the outbox is full. Return whether it was appended."""
        if self.full and not beyond_bound:
            return False
        try:
            self._queues[gateway].append(frame)
        except KeyError:
            self._open(gateway).append(frame)
        self._bytes += len(frame) + FRAME_OVERHEAD
        self.full = self._bytes >= self.max_bytes
        return True

    def add(self, gateway: bytes, frame: bytes) -> Mark:
        """Append a message to ``gateway``, beyond the bound if need be. Return the place behind it."""
        self.offer(gateway, frame, beyond_bound=True)
        return Mark([self._queues[gateway]])

    def gateways(self) -> list[bytes]:
        """The gateways for which messages wait."""
        return [gateway for gateway, queue in self._queues.items() if queue]

    def take(self, gateway: bytes, limit: int, byte_limit: int) -> tuple[list[bytes], int]:
        """Up to ``limit`` messages to ``gateway``, oldest first, until they have ``byte_limit``; and their bytes.

        The message that exceeds ``byte_limit`` is taken too, so that a large one can leave.
        """
        queue = self._queues[gateway]
        if limit >= len(queue) and self._bytes <= byte_limit:
            batch = list(queue)
            queue.clear()
            size = sum(map(len, batch))
        else:
            batch = []
            size = 0
            while queue and len(batch) < limit and size < byte_limit:
                frame = queue.popleft()
                batch.append(frame)
                size += len(frame)
        queue.taken += len(batch)
        self._bytes -= size + FRAME_OVERHEAD * len(batch)
        self.full = self._bytes >= self.max_bytes and self._bytes > 0
        return batch, size

    def take_all(self) -> list[bytes]:
        """Every message, gateway by gateway."""
        everything: list[bytes] = []
        for gateway in self.gateways():
            everything += self.take(gateway, len(self._queues[gateway]), self._bytes)[0]
        return everything

    def drop_all(self) -> int:
        """Drop every message and return how many there were."""
        return len(self.take_all())

    def _open(self, gateway: bytes) -> _Queue:
        if len(self._queues) >= MAX_GATEWAYS:
            self._queues = {known: queue for known, queue in self._queues.items() if queue}
        queue = self._queues[gateway] = _Queue()
        return queue
