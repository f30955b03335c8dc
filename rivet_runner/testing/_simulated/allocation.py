"""The allocation index of one runner name: it chooses a runner for an actor, and queues actors that find no slot."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from rivet_runner.testing._simulated.settings import EngineSettings

__all__ = ["AllocationIndex", "Candidate"]

MILLI: Final = 1_000


class Candidate(Protocol):
    """A runner, as allocation sees it."""

    @property
    def runner_id(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def remaining_millislots(self) -> int: ...

    @property
    def last_ping_ts(self) -> int: ...

    def take_slot(self, actor_id: str) -> None: ...


class AllocationIndex:
    """The runners that take actors, and the actors that wait for one in the order in which they came."""

    def __init__(self, now: Callable[[], int], random: Random, settings: EngineSettings) -> None:
        self._now = now
        self._random = random
        self._settings = settings
        self._runners: dict[str, Candidate] = {}
        self._queue: dict[str, Callable[[str], None]] = {}

    def __len__(self) -> int:
        return len(self._runners)

    def __contains__(self, runner_id: object) -> bool:
        return runner_id in self._runners

    @property
    def pending(self) -> list[str]:
        """The actors that wait, first come first."""
        return list(self._queue)

    def add(self, runner: Candidate) -> None:
        """Let the runner take actors. Call `allocate_pending` next."""
        self._runners[runner.runner_id] = runner

    def remove(self, runner_id: str) -> None:
        self._runners.pop(runner_id, None)

    def take_slot(self, actor_id: str, *, allocated: Callable[[str], None] | None) -> str | None:
        """Take a slot and return its runner. Without a free slot the actor queues up if ``allocated`` is given.

        An actor that does not queue overtakes no other: while others wait it gets `None`.
        """
        runner = None if self._queue else self._choose()
        if runner is not None:
            runner.take_slot(actor_id)
            return runner.runner_id
        if allocated is not None:
            self._queue[actor_id] = allocated
        return None

    def leave_queue(self, actor_id: str) -> None:
        self._queue.pop(actor_id, None)

    def allocate_pending(self) -> None:
        """Give free slots to the actors that wait, in their order."""
        while self._queue:
            runner = self._choose()
            if runner is None:
                return
            actor_id = next(iter(self._queue))
            allocated = self._queue.pop(actor_id)
            runner.take_slot(actor_id)
            allocated(runner.runner_id)

    def _choose(self) -> Candidate | None:
        """Choose by chance, weighted by free slots. Only the highest version counts, even if its runners are full."""
        if not self._runners:
            return None
        highest = max(runner.version for runner in self._runners.values())
        oldest = self._now() - self._settings.runner_eligible_threshold
        usable = [
            runner
            for runner in self._runners.values()
            if runner.version == highest and runner.remaining_millislots > 0 and runner.last_ping_ts >= oldest
        ]
        if len(usable) < 2:
            return usable[0] if usable else None
        usable.sort(key=lambda runner: (-runner.remaining_millislots, runner.last_ping_ts))
        sample = usable[: self._settings.actor_allocation_candidate_sample_size]
        return self._random.choices(sample, [runner.remaining_millislots for runner in sample])[0]
