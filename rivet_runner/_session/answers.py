"""HTTP answers that may have been lost with the connection that carried them.

The engine confirms no tunnel message. An answer that was written to a connection which then broke may never have reached the
gateway, and its client would wait until its own timeout. So the newest answers are kept, and those that had left are sent
again after a reconnect. The gateway (2.3.19) ignores a second answer to a request.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from rivet_runner._session.outbox import Mark

__all__ = ["SentAnswers"]

MAX_ANSWERS: Final = 1024
MAX_BYTES: Final = 4 * 1024 * 1024
"""Answers that are kept, and their bytes. Beyond either, the oldest is forgotten."""

MAX_AGE: Final = 10
"""How often an answer grows older once it has left, until it is forgotten: 30 s. A dead connection is found within 24 s."""


class _Answer:
    __slots__ = ("age", "frame", "gateway", "mark")

    def __init__(self, mark: Mark, gateway: bytes, frame: bytes) -> None:
        self.mark = mark
        self.gateway = gateway
        self.frame = frame
        self.age = 0
        """How often it has grown older since it has left."""


class SentAnswers:
    """The newest answers, each with its place in the outbox."""

    def __init__(self) -> None:
        self._answers: deque[_Answer] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._answers)

    def add(self, mark: Mark, gateway: bytes, frame: bytes) -> None:
        """Keep an encoded answer to ``gateway``. ``mark`` is its place in the outbox."""
        self._answers.append(_Answer(mark, gateway, frame))
        self._bytes += len(frame)
        while len(self._answers) > MAX_ANSWERS or (self._bytes > MAX_BYTES and len(self._answers) > 1):
            self._bytes -= len(self._answers.popleft().frame)

    def grow_older(self) -> None:
        """Three seconds have passed: forget answers that left long ago."""
        for answer in self._answers:
            answer.age += answer.mark.passed
        self._keep([answer for answer in self._answers if answer.age < MAX_AGE])

    def take_lost(self) -> list[tuple[bytes, bytes]]:
        """The connection has broken: take out the answers that had left, oldest first, each after its gateway."""
        lost = [(answer.gateway, answer.frame) for answer in self._answers if answer.mark.passed]
        self._keep([answer for answer in self._answers if not answer.mark.passed])
        return lost

    def drop_all(self) -> None:
        """Forget every answer."""
        self._keep([])

    def _keep(self, answers: list[_Answer]) -> None:
        if len(answers) != len(self._answers):
            self._answers = deque(answers)
            self._bytes = sum(len(answer.frame) for answer in answers)
