"""Events as version 3 counts them: one sequence per runner, kept until the engine confirms them.

The engine ignores every event after a gap in the indexes, for ever. It also ignores every event at or below the last index
that it has seen. So an event gets its index when it is first sent, and keeps it. An unsent event has no index yet, and may
still be merged with a later one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from rivet_runner.protocol.v3 import Event, EventActorSetAlarm, EventWrapper

__all__ = ["EventLog"]

MAX_BATCH: Final = 500
"""Events in one message. The engine handles single events at about 45 a second, and a message of 1,200 in about 8 s."""


class EventLog:
    """Events in the order in which they happened: first the sent and unconfirmed ones, then the unsent ones."""

    def __init__(self) -> None:
        self._sent: deque[EventWrapper] = deque()
        self._resend: deque[EventWrapper] = deque()
        self._unsent: deque[Event] = deque()
        self._next_index = 0

    def __len__(self) -> int:
        """Number of events that the engine has not confirmed, sent or not."""
        return len(self._sent) + len(self._unsent)

    @property
    def unconfirmed(self) -> int:
        """Number of events that were sent and not confirmed."""
        return len(self._sent)

    @property
    def pending(self) -> bool:
        """Whether `take` would return an event."""
        return bool(self._resend or self._unsent)

    def add(self, event: Event) -> None:
        """Append ``event``. An alarm replaces an unsent alarm of the same actor, as it would in the engine."""
        if type(event) is EventActorSetAlarm:
            for position, other in enumerate(self._unsent):
                if type(other) is EventActorSetAlarm and _same_actor(other, event):
                    self._unsent[position] = event
                    return
        self._unsent.append(event)

    def take(self) -> list[EventWrapper]:
        """The next batch to send, with consecutive indexes. It is empty if no event is pending."""
        batch: list[EventWrapper] = []
        while self._resend and len(batch) < MAX_BATCH:
            batch.append(self._resend.popleft())
        while self._unsent and len(batch) < MAX_BATCH:
            wrapper = EventWrapper(self._next_index, self._unsent.popleft())
            self._next_index += 1
            self._sent.append(wrapper)
            batch.append(wrapper)
        return batch

    def confirm(self, last_event_idx: int) -> None:
        """Forget the events that the engine has: all with an index up to ``last_event_idx``."""
        for log in (self._sent, self._resend):
            while log and log[0].index <= last_event_idx:
                log.popleft()

    def resume(self, last_event_idx: int) -> None:
        """The engine knows this runner and has its events up to ``last_event_idx``: send the rest again.

        The index may be beyond ours, because a runner that takes over a name and key continues the other's sequence.
        """
        self.confirm(last_event_idx)
        self._resend = deque(self._sent)
        self._next_index = max(self._next_index, last_event_idx + 1)

    def start_over(self, last_event_idx: int) -> None:
        """The engine gave this runner a new id and has none of its events: forget them all."""
        self._sent.clear()
        self._resend.clear()
        self._unsent.clear()
        self._next_index = last_event_idx + 1


def _same_actor(first: EventActorSetAlarm, second: EventActorSetAlarm) -> bool:
    return first.actor_id == second.actor_id and first.generation == second.generation
