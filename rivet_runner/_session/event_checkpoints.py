"""Events as version 7 counts them: one sequence for each generation of an actor.

The engine drops an event at or below the last index that it has seen of that generation. So an event gets its index when it
is first sent, and keeps it. An unsent event has no index yet, and may still be merged with a later one.

The engine confirms few events: only after more than 250 of one generation. And its answer to init does not say which events
it has. So the log also takes other evidence that events have arrived; see `EventCheckpoints.confirm_sent_before`.
"""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

from rivet_runner.protocol.v7 import (
    ActorCheckpoint,
    ActorStateStopped,
    Event,
    EventActorSetAlarm,
    EventActorStateUpdate,
    EventWrapper,
)

__all__ = ["EventCheckpoints", "Generation"]

Generation: TypeAlias = tuple[str, int]
"""The id of an actor, and the number of the generation."""

MAX_BATCH: Final = 500
"""Events in one message."""


class EventCheckpoints:
    """Events in the order in which they happened: first the sent and unconfirmed ones, then the unsent ones."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, EventWrapper]] = deque()
        self._resend: deque[EventWrapper] = deque()
        self._unsent: deque[tuple[Generation, Event]] = deque()
        self._next_index: dict[Generation, int] = {}

    def __len__(self) -> int:
        """Number of events that are not confirmed, sent or not."""
        return self.unconfirmed + len(self._unsent)

    @property
    def unconfirmed(self) -> int:
        """Number of events that were sent and not confirmed."""
        return len(self._sent) + len(self._resend)

    @property
    def pending(self) -> bool:
        """Whether `take` would return an event."""
        return bool(self._resend or self._unsent)

    def add(self, generation: Generation, event: Event) -> None:
        """Append ``event``. An alarm replaces an unsent alarm of the same generation, as it would in the engine."""
        if type(event) is EventActorSetAlarm:
            for position, (owner, other) in enumerate(self._unsent):
                if owner == generation and type(other) is EventActorSetAlarm:
                    self._unsent[position] = (generation, event)
                    return
        self._unsent.append((generation, event))

    def take(self, now: float) -> list[EventWrapper]:
        """The next batch to send. It is empty if no event is pending. No event is in it twice."""
        batch: list[EventWrapper] = []
        while self._resend and len(batch) < MAX_BATCH:
            batch.append(self._resend.popleft())
        while self._unsent and len(batch) < MAX_BATCH:
            batch.append(self._number(*self._unsent.popleft()))
        self._sent.extend((now, wrapper) for wrapper in batch)
        return batch

    def confirm(self, checkpoint: ActorCheckpoint) -> None:
        """Forget the events of a generation that the engine has: all with an index up to that of ``checkpoint``."""
        self._sent = deque(entry for entry in self._sent if not self._is_confirmed(entry[1], checkpoint))
        self._resend = deque(wrapper for wrapper in self._resend if not self._is_confirmed(wrapper, checkpoint))

    def confirm_sent_before(self, time: float) -> None:
        """Forget the events that were sent on this connection before ``time``: there is evidence that they have arrived."""
        while self._sent and self._sent[0][0] < time:
            self._forget_if_last(self._sent.popleft()[1])

    def resume(self) -> None:
        """The engine knows this runner, but not the runner which events the engine has: send them again."""
        self._resend.extendleft(wrapper for _, wrapper in reversed(self._sent))
        self._sent.clear()

    def start_over(self) -> None:
        """The engine gave this runner a new id, and wants to hear nothing of its old actors: forget everything."""
        self._sent.clear()
        self._resend.clear()
        self._unsent.clear()
        self._next_index.clear()

    def _number(self, generation: Generation, event: Event) -> EventWrapper:
        index = self._next_index.get(generation, 0)
        self._next_index[generation] = index + 1
        return EventWrapper(ActorCheckpoint(*generation, index), event)

    def _is_confirmed(self, wrapper: EventWrapper, checkpoint: ActorCheckpoint) -> bool:
        place = wrapper.checkpoint
        if place.actor_id != checkpoint.actor_id or place.generation != checkpoint.generation:
            return False
        if place.index > checkpoint.index:
            return False
        self._forget_if_last(wrapper)
        return True

    def _forget_if_last(self, wrapper: EventWrapper) -> None:
        """Nothing follows the end of a generation, so nothing has to be counted any more."""
        event, place = wrapper.inner, wrapper.checkpoint
        if type(event) is EventActorStateUpdate and type(event.state) is ActorStateStopped:
            self._next_index.pop((place.actor_id, place.generation), None)
