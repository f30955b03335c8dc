"""The indexes of a runner's events and commands, the part that differs between protocol versions.

Protocol 3 counts events and commands per runner. Protocol 7 counts them per actor and generation, and comes in as another
class with these methods.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from rivet_runner.protocol.wire import (
    CommandStartActor,
    CommandStopActor,
    CommandWrapper,
    Event,
    ProtocolMetadata,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
)

__all__ = ["RunnerIndexes", "RunnerIndexesV3"]


class RunnerIndexes(Protocol):
    """The indexes of one runner. They outlive its connections."""

    def init_answer(self, runner_id: str, runner_lost_threshold: int) -> ToClientInit: ...

    def unacknowledged(self, init: ToServerInit) -> ToClientCommands | None:
        """The commands that the runner has not got, in one message."""

    def append(self, command: CommandStartActor | CommandStopActor) -> ToClientCommands:
        """A new command, in a message of its own."""

    def acknowledge(self, message: ToServerAckCommands) -> None: ...

    def accept(self, message: ToServerEvents) -> list[Event]:
        """The events of a message that are new, in order."""

    def acknowledgement(self) -> ToClientAckEvents | None:
        """The acknowledgement of events that is due, if any."""


class RunnerIndexesV3(msgspec.Struct):
    """One sequence of events and one of commands for each runner.

    An event at or below the highest index so far is dropped, so an event that comes late is lost.
    """

    ack_batch: int = 500
    last_event_idx: int = -1
    last_event_ack_idx: int = -1
    last_command_idx: int = -1
    commands: list[CommandWrapper] = msgspec.field(default_factory=list)

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
                self.last_event_idx = wrapper.index
                new.append(wrapper.inner)
        return new

    def acknowledgement(self) -> ToClientAckEvents | None:
        if self.last_event_idx <= self.last_event_ack_idx + self.ack_batch:
            return None
        self.last_event_ack_idx = self.last_event_idx
        return ToClientAckEvents(self.last_event_idx)
