"""A runner's events on protocol 3, with the next indexes, for runners that a test drives message by message."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rivet_runner.protocol.v3 import (
    ActorIntent,
    ActorStateRunning,
    ActorStateStopped,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    EventWrapper,
    StopCode,
    ToServer,
    ToServerEvents,
)

__all__ = ["EventReports"]


class EventReports(ABC):
    """``next_event`` is the index of the next event."""

    def __init__(self, next_event: int = 0) -> None:
        self.next_event = next_event

    @abstractmethod
    def say(self, message: ToServer, /) -> None:
        """Send a message to the engine."""

    def report(self, *events: Event) -> None:
        """All of them in one message."""
        wrappers = [EventWrapper(self.next_event + offset, event) for offset, event in enumerate(events)]
        self.next_event += len(events)
        self.say(ToServerEvents(wrappers))

    def report_running(self, actor_id: str, generation: int) -> None:
        self.report(EventActorStateUpdate(actor_id, generation, ActorStateRunning()))

    def report_stopped(self, actor_id: str, generation: int, error: str | None) -> None:
        state = ActorStateStopped(StopCode.OK if error is None else StopCode.ERROR, error)
        self.report(EventActorStateUpdate(actor_id, generation, state))

    def report_intent(self, actor_id: str, generation: int, intent: ActorIntent, alarm_ts: int | None = None) -> None:
        """``alarm_ts`` goes in the same message."""
        events: list[Event] = [EventActorIntent(actor_id, generation, intent)]
        if alarm_ts is not None:
            events.append(EventActorSetAlarm(actor_id, generation, alarm_ts))
        self.report(*events)
