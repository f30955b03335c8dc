"""Commands as version 7 counts them: one sequence for each generation of an actor, acknowledged by checkpoints.

After each init the engine repeats every command of this runner that was not acknowledged, sorted by actor. It may also send
a new command twice. A command must be carried out once: a start that is taken for new runs an actor a second time. So a
generation is remembered until it has ended, and the acknowledgement of its last command is known to have arrived.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from rivet_runner._session.event_checkpoints import Generation
from rivet_runner.protocol.v7 import ActorCheckpoint

__all__ = ["CommandCheckpoints"]

MAX_BATCH: Final = 500
"""Checkpoints in one acknowledgement, which the engine carries out in one transaction."""


class CommandCheckpoints:
    """The last command of each generation, and how far the engine knows that it has arrived."""

    def __init__(self) -> None:
        self._last: dict[Generation, int] = {}
        self._unacknowledged: dict[Generation, None] = {}
        self._acknowledged: deque[tuple[float, Generation]] = deque()
        self._under_way: Counter[Generation] = Counter()
        """How often each generation is in ``_acknowledged``."""
        self._ended: set[Generation] = set()

    def __len__(self) -> int:
        """Number of generations that are remembered."""
        return len(self._last)

    @property
    def unacknowledged(self) -> int:
        """Number of generations with a command to acknowledge."""
        return len(self._unacknowledged)

    def receive(self, checkpoint: ActorCheckpoint, *, starts: bool) -> bool:
        """Note a command, and return whether it is new. ``starts`` tells whether it starts the generation."""
        generation = (checkpoint.actor_id, checkpoint.generation)
        # A repeated command means that its acknowledgement has not arrived.
        self._unacknowledged[generation] = None
        last = self._last.get(generation)
        if last is not None and checkpoint.index <= last:
            return False
        self._last[generation] = checkpoint.index
        if last is None and not starts:
            # It never ran here, or has ended and was forgotten: its end will not be reported.
            self._ended.add(generation)
        return True

    def end(self, generation: Generation) -> None:
        """The generation has ended here."""
        if generation in self._last:
            self._ended.add(generation)
            self._forget_if_over(generation)

    def take(self, now: float) -> list[ActorCheckpoint]:
        """The next batch of checkpoints to acknowledge. It is empty if there is none."""
        batch = [*self._unacknowledged][:MAX_BATCH]
        for generation in batch:
            del self._unacknowledged[generation]
            self._acknowledged.append((now, generation))
            self._under_way[generation] += 1
        return [ActorCheckpoint(*generation, self._last[generation]) for generation in batch]

    def confirm_sent_before(self, time: float) -> None:
        """There is evidence that the acknowledgements sent on this connection before ``time`` have arrived."""
        while self._acknowledged and self._acknowledged[0][0] < time:
            _, generation = self._acknowledged.popleft()
            self._under_way[generation] -= 1
            if not self._under_way[generation]:
                del self._under_way[generation]
            self._forget_if_over(generation)

    def resume(self) -> None:
        """The engine knows this runner, but may not have its last acknowledgements: send them again."""
        self._unacknowledged.update(dict.fromkeys(self._under_way))
        self._acknowledged.clear()
        self._under_way.clear()

    def start_over(self) -> None:
        """The engine gave this runner a new id, and knows nothing of the old commands: forget them."""
        self._last.clear()
        self._unacknowledged.clear()
        self._acknowledged.clear()
        self._under_way.clear()
        self._ended.clear()

    def _forget_if_over(self, generation: Generation) -> None:
        waits = generation in self._unacknowledged or generation in self._under_way
        if generation in self._ended and not waits:
            del self._last[generation]
            self._ended.discard(generation)
