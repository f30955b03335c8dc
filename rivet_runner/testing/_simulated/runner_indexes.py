"""The indexes of a runner's events and commands, the part that differs between protocol versions.

Protocol 3 counts events and commands for each runner. Protocol 7 counts them for each actor and generation, so events of one
actor that come late hurt no other, and tells nothing of them in init.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import msgspec

from rivet_runner.protocol import v7
from rivet_runner.protocol.v3 import (
    ActorStateStopped,
    CommandStartActor,
    CommandStopActor,
    CommandWrapper,
    Event,
    EventActorIntent,
    EventActorSetAlarm,
    EventActorStateUpdate,
    ProtocolMetadata,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
)

__all__ = ["RunnerIndexes", "RunnerIndexesV3", "RunnerIndexesV7"]


MAX_SKIPPED: Final = 1_000
"""Indexes of events that are remembered as missing."""


class RunnerIndexes(Protocol):
    """The indexes of one runner. They outlive its connections. Messages are those of its version of the protocol."""

    tells_failures: bool
    """Whether the actors of a runner that is lost have the reason as their error."""
    survives_crashes: bool
    """Whether init is answered at once after a crash of the engine, and only `ToServerStopping` keeps a drain open."""

    def init_answer(self, runner_id: str, runner_lost_threshold: int) -> Any: ...

    def unacknowledged(self, init: Any) -> Any | None:
        """The commands that the runner has not got, in one message."""

    def append(self, command: CommandStartActor | CommandStopActor) -> Any:
        """A new command, in a message of its own."""

    def acknowledge(self, message: Any) -> None: ...

    def accept(self, message: Any) -> list[Event]:
        """The events of a message that are new, in order."""

    def overtaken(self, message: Any) -> list[str]:
        """The actors of events that are lost, as later ones have come before them. Call it before `accept`."""

    def acknowledgement(self) -> Any | None:
        """The acknowledgement of events that is due, if any."""


class RunnerIndexesV3:
    """One sequence of events and one of commands for each runner.

    An event at or below the highest index so far is dropped, so an event that comes late is lost.
    """

    tells_failures: bool = False
    survives_crashes: bool = False

    def __init__(self, ack_batch: int = 500) -> None:
        self.ack_batch = ack_batch
        self.last_event_idx: int = -1
        self.last_event_ack_idx: int = -1
        self.last_command_idx: int = -1
        self.commands: list[CommandWrapper] = []
        self._skipped: dict[int, None] = {}
        """Indexes that have not come although later ones have, the newest ones of them."""

    def init_answer(self, runner_id: str, runner_lost_threshold: int) -> ToClientInit:
        return ToClientInit(runner_id, self.last_event_idx, ProtocolMetadata(runner_lost_threshold))

    def unacknowledged(self, init: ToServerInit) -> ToClientCommands | None:
        last = -1 if init.last_command_idx is None else init.last_command_idx
        commands = [command for command in self.commands if command.index > last]
        return ToClientCommands(commands) if commands else None

    def append(self, command: CommandStartActor | CommandStopActor) -> ToClientCommands:
        self.last_command_idx += 1
        wrapper = CommandWrapper(self.last_command_idx, command)
        self.commands.append(wrapper)
        return ToClientCommands([wrapper])

    def acknowledge(self, message: ToServerAckCommands) -> None:
        self.commands = [command for command in self.commands if command.index > message.last_command_idx]

    def accept(self, message: ToServerEvents) -> list[Event]:
        new: list[Event] = []
        for wrapper in message.items:
            if wrapper.index > self.last_event_idx:
                self._skip(range(self.last_event_idx + 1, wrapper.index))
                self.last_event_idx = wrapper.index
                new.append(wrapper.inner)
        return new

    def _skip(self, indexes: range) -> None:
        if indexes:
            self._skipped |= dict.fromkeys(indexes[-MAX_SKIPPED:])
            for index in list(self._skipped)[:-MAX_SKIPPED]:
                del self._skipped[index]

    def overtaken(self, message: ToServerEvents) -> list[str]:
        return [wrapper.inner.actor_id for wrapper in message.items if wrapper.index in self._skipped]

    def acknowledgement(self) -> ToClientAckEvents | None:
        if self.last_event_idx <= self.last_event_ack_idx + self.ack_batch:
            return None
        self.last_event_ack_idx = self.last_event_idx
        return ToClientAckEvents(self.last_event_idx)


class _Generation(msgspec.Struct):
    """The indexes of one generation of an actor, from 0."""

    last_event: int = -1
    last_event_acknowledged: int = -1
    last_command: int = -1


class RunnerIndexesV7:
    """One sequence of events and one of commands for each generation of an actor.

    A generation is forgotten once it has stopped and all its commands are acknowledged.
    """

    tells_failures: bool = True
    survives_crashes: bool = True

    def __init__(self, ack_batch: int = 250, actor_stop_threshold: int = 1_800_000) -> None:
        self.ack_batch = ack_batch
        self.actor_stop_threshold = actor_stop_threshold
        self.commands: list[v7.CommandWrapper] = []
        self._generations: dict[tuple[str, int], _Generation] = {}
        self._stopped: dict[tuple[str, int], None] = {}

    def __len__(self) -> int:
        """The number of generations that are remembered."""
        return len(self._generations)

    def init_answer(self, runner_id: str, runner_lost_threshold: int) -> v7.ToClientInit:
        return v7.ToClientInit(runner_id, v7.ProtocolMetadata(runner_lost_threshold, self.actor_stop_threshold, None))

    def unacknowledged(self, init: v7.ToServerInit) -> v7.ToClientCommands | None:
        return v7.ToClientCommands(list(self.commands)) if self.commands else None

    def append(self, command: CommandStartActor | CommandStopActor) -> v7.ToClientCommands:
        indexes = self._of(command.actor_id, command.generation)
        indexes.last_command += 1
        checkpoint = v7.ActorCheckpoint(command.actor_id, command.generation, indexes.last_command)
        inner: v7.Command = (
            v7.CommandStartActor(command.config, command.hibernating_requests)
            if isinstance(command, CommandStartActor)
            else v7.CommandStopActor()
        )
        self.commands.append(v7.CommandWrapper(checkpoint, inner))
        return v7.ToClientCommands([self.commands[-1]])

    def acknowledge(self, message: v7.ToServerAckCommands) -> None:
        done = {(one.actor_id, one.generation): one.index for one in message.last_command_checkpoints}
        self.commands = [
            command
            for command in self.commands
            if command.checkpoint.index > done.get((command.checkpoint.actor_id, command.checkpoint.generation), -1)
        ]
        self._forget()

    def overtaken(self, message: v7.ToServerEvents) -> list[str]:
        return []

    def accept(self, message: v7.ToServerEvents) -> list[Event]:
        new: list[Event] = []
        for wrapper in message.items:
            place, indexes = wrapper.checkpoint, self._of(wrapper.checkpoint.actor_id, wrapper.checkpoint.generation)
            if place.index > indexes.last_event:
                indexes.last_event = place.index
                new.append(self._event(place.actor_id, place.generation, wrapper.inner))
        return new

    def _event(self, actor_id: str, generation: int, event: v7.Event) -> Event:
        match event:
            case v7.EventActorIntent():
                return EventActorIntent(actor_id, generation, event.intent)
            case v7.EventActorSetAlarm():
                return EventActorSetAlarm(actor_id, generation, event.alarm_ts)
            case v7.EventActorStateUpdate():
                if isinstance(event.state, ActorStateStopped):
                    self._stopped[actor_id, generation] = None
                return EventActorStateUpdate(actor_id, generation, event.state)

    def acknowledgement(self) -> v7.ToClientAckEvents | None:
        due = [
            v7.ActorCheckpoint(actor_id, generation, indexes.last_event)
            for (actor_id, generation), indexes in self._generations.items()
            if indexes.last_event > indexes.last_event_acknowledged + self.ack_batch
        ]
        for place in due:
            self._of(place.actor_id, place.generation).last_event_acknowledged = place.index
        return v7.ToClientAckEvents(due) if due else None

    def _of(self, actor_id: str, generation: int) -> _Generation:
        return self._generations.setdefault((actor_id, generation), _Generation())

    def _forget(self) -> None:
        waiting = {(command.checkpoint.actor_id, command.checkpoint.generation) for command in self.commands}
        for place in [place for place in self._stopped if place not in waiting]:
            del self._stopped[place]
            self._generations.pop(place, None)
