"""Tunnel messages on their way out: in order and up to a bound.

A message counts from the moment at which a sender hands it over until the socket gets it. If the engine is unreachable, or
the pace holds messages back, they stay here. At ``max_bytes`` the outbox is full, and senders wait.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Outbox"]

FRAME_OVERHEAD: Final = 64
"""Bytes added to the size of each frame, so that the bound also holds for many tiny messages."""


class Outbox:
    """Encoded tunnel messages that have not left."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self.full: bool = False
        """Whether a sender should wait. An empty outbox takes one message of any size."""
        self._added = 0
        self._taken = 0

    def __len__(self) -> int:
        """Number of messages in the outbox."""
        return len(self._frames)

    @property
    def queued_bytes(self) -> int:
        """Bytes of these messages, with `FRAME_OVERHEAD` for each."""
        return self._bytes

    @property
    def mark(self) -> int:
        """The place behind the newest message; see `flushed`."""
        return self._added

    def flushed(self, mark: int) -> bool:
        """Whether every message before ``mark`` was taken or dropped."""
        return self._taken >= mark

    def add(self, frame: bytes) -> None:
        """Append a message, beyond the bound if need be. Look at `full` before you call this."""
        self._frames.append(frame)
        self._bytes += len(frame) + FRAME_OVERHEAD
        self.full = self._bytes >= self.max_bytes
        self._added += 1

    def take(self, limit: int, byte_limit: int) -> list[bytes]:
        """Up to ``limit`` messages, oldest first, until they have ``byte_limit``.

        The message that exceeds ``byte_limit`` is taken too, so that a large one can leave.
        """
        frames = self._frames
        if limit >= len(frames) and self._bytes <= byte_limit:
            batch = list(frames)
            frames.clear()
            self._bytes = 0
        else:
            batch = []
            size = 0
            while frames and len(batch) < limit and size < byte_limit:
                frame = frames.popleft()
                batch.append(frame)
                size += len(frame)
            self._bytes -= size + FRAME_OVERHEAD * len(batch)
        self.full = bool(frames) and self._bytes >= self.max_bytes
        self._taken += len(batch)
        return batch

    def drop_all(self) -> int:
        """Drop every message and return how many there were."""
        return len(self.take(len(self._frames), self._bytes))
