"""What all parts of a run share."""

from __future__ import annotations

from collections import Counter
from random import Random

from rivet_runner.testing import SimulatedEngine

__all__ = ["World"]


class World:
    """One run: its engine and its chance, and the numbers that make messages and values distinct."""

    def __init__(self, engine: SimulatedEngine, seed: int) -> None:
        self.engine = engine
        self.trace = engine.trace
        self.note = engine.trace.add
        self.random = Random(f"load {seed}")
        self.calm = False
        """Whether hooks are quick and do not raise any more."""
        self.killed: set[str] = set()
        """The processes that were killed. They do nothing more, so what they do is not noted."""
        self.values: Counter[str] = Counter()
        self.replies: Counter[str] = Counter()
        self.serves = 0
        self.requests = 0

    def happens(self, chance: float) -> bool:
        return not self.calm and self.random.random() < chance

    def next_value(self, actor_id: str) -> int:
        self.values[actor_id] += 1
        return self.values[actor_id]

    def next_reply(self, client: str) -> int:
        self.replies[client] += 1
        return self.replies[client]
