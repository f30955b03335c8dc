"""Tunnel messages on their way out: in order, within a bound, at a pace.

A message is counted from the moment a sender hands it over until it is given to the socket. While the engine is away,
or while the pace holds messages back, they stay here; at ``max_bytes`` the outbox is full and senders wait.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Outbox"]

FRAME_OVERHEAD: Final = 64
"""Bytes added for each message to what its frame holds, so that a flood of tiny messages is bounded too."""


class Outbox:
    """Encoded tunnel messages that have not left."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.full = False
        """Whether a sender should wait. One message always fits an empty outbox, however large it is."""
        self._added = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def queued_bytes(self) -> int:
        return self._bytes

    @property
    def mark(self) -> int:
        """The place behind the newest message; see `flushed`."""
        return self._added

    def flushed(self, mark: int) -> bool:
        """Whether every message before ``mark`` was taken (or dropped)."""
        return self._taken >= mark

    def add(self, frame: bytes) -> None:
        """Append a message. The bound is the sender's to keep: look at `full` first."""
        self._frames.append(frame)
        self._bytes += len(frame) + FRAME_OVERHEAD
        self.full = self._bytes >= self.max_bytes
        self._added += 1

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """Up to ``most`` messages, oldest first, until they have ``most_bytes``; the one that exceeds it is among them."""
        frames = self._frames
        if most >= len(frames) and self._bytes <= most_bytes:
            batch = list(frames)
            frames.clear()
            self._bytes = 0
        else:
            batch = []
            size = 0
            while frames and len(batch) < most and size < most_bytes:
                frame = frames.popleft()
                batch.append(frame)
                size += len(frame)
            self._bytes -= size + FRAME_OVERHEAD * len(batch)
        self.full = bool(frames) and self._bytes >= self.max_bytes
        self._taken += len(batch)
        return batch

    def drop_all(self) -> int:
        """Forget everything that waits; return how many messages that were."""
        return len(self.take(len(self._frames), self._bytes))
