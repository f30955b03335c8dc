"""Events as version 7 counts them: one sequence for each generation of an actor.

The engine drops an event at or below the last index that it has seen of that generation. So an event gets its index when it
is first sent, and keeps it. It accepts gaps, so an event that a later one replaces need not be sent again.

The engine confirms few events: only after more than 250 of one generation. And its answer to init does not say which events
it has. So the log also takes other evidence that events have arrived; see `EventCheckpoints.confirm_sent_before`.

A generation has one state at a time, and asks to sleep or to stop once each. Its alarms are the only events that have no
number, and a later alarm replaces an earlier one, sent or not. So a generation never keeps more than a handful of events.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from rivet_runner.protocol.v7 import (
    ActorCheckpoint,
    Event,
    EventActorSetAlarm,
    EventWrapper,
)

__all__ = ["EventCheckpoints", "Generation"]

Generation: TypeAlias = tuple[str, int]
"""The id of an actor, and the number of the generation."""

BATCH: Final = 500
"""Events in one message. The last generation of a message may have a few more."""


class _Log:
    """The events of one generation, in the order in which they happened."""

    __slots__ = ("again", "is_over", "next_index", "sent", "unsent")

    def __init__(self) -> None:
        self.next_index = 0
        self.is_over = False
        """Whether nothing will follow, so that its next index need not be known."""
        self.sent: list[EventWrapper] = []
        """Sent and not confirmed."""
        self.again = False
        """Whether these are to be sent again."""
        self.unsent: list[Event] = []
        """They have no index yet."""

    def add(self, event: Event) -> None:
        if type(event) is EventActorSetAlarm:
            self.unsent = [other for other in self.unsent if type(other) is not EventActorSetAlarm]
            self.sent = [wrapper for wrapper in self.sent if type(wrapper.inner) is not EventActorSetAlarm]
        self.unsent.append(event)

    def take(self, generation: Generation) -> list[EventWrapper]:
        batch = self.sent if self.again else []
        indexed = enumerate(self.unsent, self.next_index)
        new = [EventWrapper(ActorCheckpoint(*generation, index), event) for index, event in indexed]
        self.next_index += len(new)
        self.unsent.clear()
        self.again = False
        self.sent = self.sent + new
        return batch + new

    def confirm(self, index: int) -> None:
        self.sent = [wrapper for wrapper in self.sent if wrapper.checkpoint.index > index]


class EventCheckpoints:
    """The events of all generations. Between generations, their order means nothing to the engine.

    ``now`` and ``time`` are on any clock that only goes forward.
    """

    def __init__(self) -> None:
        self._logs: dict[Generation, _Log] = {}
        self._pending: dict[Generation, None] = {}
        """Generations with an event to send."""
        self._sent_at: dict[Generation, float] = {}
        """When generations with unconfirmed events last sent one, in that order."""

    def __len__(self) -> int:
        """Number of events that are not confirmed, sent or not."""
        return sum(len(log.sent) + len(log.unsent) for log in self._logs.values())

    @property
    def unsent(self) -> int:
        """Number of events that were never sent."""
        return sum(len(self._logs[generation].unsent) for generation in self._pending)

    @property
    def pending(self) -> bool:
        """Whether `take` would return an event."""
        return bool(self._pending)

    def add(self, generation: Generation, event: Event) -> None:
        """Append ``event``. An alarm replaces an earlier alarm of the same generation, as it does in the engine."""
        log = self._logs.get(generation)
        if log is None:
            log = self._logs[generation] = _Log()
        log.add(event)
        self._pending[generation] = None

    def end(self, generation: Generation) -> None:
        """The generation has ended here: forget it once its events are confirmed."""
        log = self._logs.get(generation)
        if log is None:
            return
        log.is_over = True
        if not log.sent and not log.unsent:
            del self._logs[generation]

    def take(self, now: float) -> list[EventWrapper]:
        """The next batch to send. It is empty if no event is pending. No event is in it twice."""
        batch: list[EventWrapper] = []
        while self._pending and len(batch) < BATCH:
            generation = next(iter(self._pending))
            del self._pending[generation]
            batch += self._logs[generation].take(generation)
            self._sent_at.pop(generation, None)
            self._sent_at[generation] = now
        return batch

    def confirm(self, checkpoint: ActorCheckpoint) -> None:
        """Forget the events of a generation that the engine has: all with an index up to that of ``checkpoint``."""
        generation = (checkpoint.actor_id, checkpoint.generation)
        if generation in self._logs:
            self._confirm(generation, checkpoint.index)

    def confirm_sent_before(self, time: float) -> None:
        """There is evidence that the engine has what was sent on this connection before ``time``.

        Forget the events of each generation that has sent nothing since.
        """
        while self._sent_at and (sent_at := next(iter(self._sent_at.items())))[1] < time:
            generation = sent_at[0]
            self._confirm(generation, self._logs[generation].next_index)

    def resume(self) -> None:
        """The engine knows this runner, but not the runner which events the engine has: send them again."""
        for generation, log in self._logs.items():
            log.again = bool(log.sent)
            if log.again:
                self._pending.setdefault(generation)
        self._sent_at.clear()

    def start_over(self) -> None:
        """The engine gave this runner a new id, and wants to hear nothing of its old actors: forget everything."""
        self._logs.clear()
        self._pending.clear()
        self._sent_at.clear()

    def _confirm(self, generation: Generation, index: int) -> None:
        log = self._logs[generation]
        log.confirm(index)
        if log.sent:
            return
        log.again = False
        self._sent_at.pop(generation, None)
        if not log.unsent:
            self._pending.pop(generation, None)
            if log.is_over:
                del self._logs[generation]
