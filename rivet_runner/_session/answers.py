"""HTTP answers that may have been lost with the connection that carried them.

The engine confirms no tunnel message. An answer that was written to a connection which then broke may never have reached the
gateway, and its client would wait until its own timeout. So the newest answers are kept, and those that had left are sent
again after a reconnect. The gateway (2.3.19) ignores a second answer to a request.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["SentAnswers"]

MAX_ANSWERS: Final = 1024
MAX_BYTES: Final = 4 * 1024 * 1024
"""Answers that are kept, and their bytes. Beyond either, the oldest is forgotten."""

MAX_AGE: Final = 10
"""Pings for which an answer is kept: 30 s. A dead connection is found within 24 s."""


class SentAnswers:
    """The newest answers, each with its place in the outbox: the number of messages before and including it."""

    def __init__(self) -> None:
        self._answers: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._marks: deque[int] = deque(maxlen=MAX_AGE)

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, place: int, frame: bytes) -> None:
        """Keep an encoded answer that was put into the outbox at ``place``."""
        self._answers.append((place, frame))
        self._bytes += len(frame)
        while len(self._answers) > MAX_ANSWERS or (self._bytes > MAX_BYTES and len(self._answers) > 1):
            self._forget_oldest()

    def ping(self, place: int) -> None:
        """A ping is sent, and ``place`` is that of the newest message which has left: forget answers that are too old."""
        if len(self._marks) == MAX_AGE:
            while self._answers and self._answers[0][0] <= self._marks[0]:
                self._forget_oldest()
        self._marks.append(place)

    def take_lost(self, place: int) -> list[bytes]:
        """The connection has broken after everything up to ``place`` had left: the answers among it, oldest first."""
        lost = []
        while self._answers and self._answers[0][0] <= place:
            lost.append(self._answers[0][1])
            self._forget_oldest()
        return lost

    def drop_all(self) -> None:
        """Forget every answer."""
        self._answers.clear()
        self._marks.clear()
        self._bytes = 0

    def _forget_oldest(self) -> None:
        self._bytes -= len(self._answers.popleft()[1])
