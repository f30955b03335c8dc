"""The engine's messages in each version of the protocol, and the runner's, for a script that need not know the version."""

from __future__ import annotations

import abc
from collections import defaultdict
from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar, Final, NamedTuple

import msgspec

from rivet_runner._session.dialect import ActorEvent, KvAnswer, KvEntries, SetAlarm, StartActor, StopActor
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import ActorCheckpoint, KvListRequest, ToServerKvRequest

__all__ = ["HOUSEKEEPING", "CommandIndexes", "InitAnswer", "ReportedEvent", "Speech", "speech_of"]

HOUSEKEEPING: Final = (
    v3.ToServerPing,
    v3.ToServerAckCommands,
    v7.ToServerPong,
    v7.ToServerAckCommands,
)
"""Messages that a runner sends on a timer, or in answer to one. `RunnerConnection.receive` skips them."""


class ReportedEvent(msgspec.Struct, frozen=True):
    """An event that a runner has reported.

    ``index`` counts the events of the runner in version 3, and those of the actor's generation in version 7.
    """

    index: int
    actor_id: str
    generation: int
    event: ActorEvent


class InitAnswer(NamedTuple):
    """The engine's answer to init. Thresholds are in milliseconds.

    Version 3 sends the first three fields alone, and version 7 all but ``last_event_idx``.
    """

    runner_id: str
    last_event_idx: int
    lost_threshold_ms: int
    stop_threshold_ms: int
    drain_grace_ms: int | None


class CommandIndexes:
    """The next index of each sequence of commands."""

    def __init__(self) -> None:
        self._next: dict[object, int] = defaultdict(int)

    def take(self, sequence: object) -> int:
        """Take the next index of a sequence."""
        index = self._next[sequence]
        self._next[sequence] = index + 1
        return index


class Speech(abc.ABC):
    """One version of the protocol, from the engine's side."""

    codec: ClassVar[ModuleType]

    @abc.abstractmethod
    def init_answer(self, answer: InitAnswer) -> Any: ...

    @abc.abstractmethod
    def sequence(self, command: StartActor | StopActor) -> object:
        """The sequence in which a command is counted."""

    @abc.abstractmethod
    def commands(self, commands: Sequence[tuple[int, StartActor | StopActor]]) -> Any:
        """Commands with their indexes, as one message."""

    @abc.abstractmethod
    def events(self, message: Any) -> list[ReportedEvent] | None:
        """The events in a message, or ``None`` if it is no message of events."""

    @abc.abstractmethod
    def events_acknowledged(self, last: ReportedEvent) -> Any: ...

    def kv_response(self, request: ToServerKvRequest, answer: KvAnswer) -> Any:
        data: Any = answer
        if isinstance(answer, KvEntries):
            metadata = [self.codec.KvMetadata(b"scripted", 0)] * len(answer.keys)
            listed = isinstance(request.data, KvListRequest)
            kind = self.codec.KvListResponse if listed else self.codec.KvGetResponse
            data = kind(answer.keys, answer.values, metadata)
        return self.codec.ToClientKvResponse(request.request_id, data)


class _SpeechV3(Speech):
    codec: ClassVar[ModuleType] = v3

    def init_answer(self, answer: InitAnswer) -> v3.ToClientInit:
        return v3.ToClientInit(answer.runner_id, answer.last_event_idx, v3.ProtocolMetadata(answer.lost_threshold_ms))

    def sequence(self, command: StartActor | StopActor) -> object:
        return None

    def commands(self, commands: Sequence[tuple[int, StartActor | StopActor]]) -> v3.ToClientCommands:
        return v3.ToClientCommands([v3.CommandWrapper(index, self._command(command)) for index, command in commands])

    def _command(self, command: StartActor | StopActor) -> v3.Command:
        place = (command.actor_id, command.generation)
        if isinstance(command, StopActor):
            return v3.CommandStopActor(*place)
        return v3.CommandStartActor(*place, command.config, command.hibernating_requests or [])

    def events(self, message: Any) -> list[ReportedEvent] | None:
        if not isinstance(message, v3.ToServerEvents):
            return None
        return [
            ReportedEvent(wrapper.index, wrapper.inner.actor_id, wrapper.inner.generation, _event(wrapper.inner))
            for wrapper in message.items
        ]

    def events_acknowledged(self, last: ReportedEvent) -> v3.ToClientAckEvents:
        return v3.ToClientAckEvents(last.index)


class _SpeechV7(Speech):
    codec: ClassVar[ModuleType] = v7

    def init_answer(self, answer: InitAnswer) -> v7.ToClientInit:
        limits = v7.ProtocolMetadata(answer.lost_threshold_ms, answer.stop_threshold_ms, answer.drain_grace_ms)
        return v7.ToClientInit(answer.runner_id, limits)

    def sequence(self, command: StartActor | StopActor) -> object:
        return command.actor_id, command.generation

    def commands(self, commands: Sequence[tuple[int, StartActor | StopActor]]) -> v7.ToClientCommands:
        return v7.ToClientCommands(
            [
                v7.CommandWrapper(ActorCheckpoint(command.actor_id, command.generation, index), self._command(command))
                for index, command in commands
            ]
        )

    def _command(self, command: StartActor | StopActor) -> v7.Command:
        if isinstance(command, StopActor):
            return v7.CommandStopActor()
        return v7.CommandStartActor(command.config, command.hibernating_requests or [])

    def events(self, message: Any) -> list[ReportedEvent] | None:
        if not isinstance(message, v7.ToServerEvents):
            return None
        return [
            ReportedEvent(place.index, place.actor_id, place.generation, _event(wrapper.inner))
            for wrapper in message.items
            for place in [wrapper.checkpoint]
        ]

    def events_acknowledged(self, last: ReportedEvent) -> v7.ToClientAckEvents:
        return v7.ToClientAckEvents([ActorCheckpoint(last.actor_id, last.generation, last.index)])


def _event(event: v3.Event | v7.Event) -> ActorEvent:
    if isinstance(event, v3.EventActorSetAlarm | v7.EventActorSetAlarm):
        return SetAlarm(event.alarm_ts)
    if isinstance(event, v3.EventActorIntent | v7.EventActorIntent):
        return event.intent
    return event.state


_SPEECHES: Final[dict[str, Speech]] = {"3": _SpeechV3(), "7": _SpeechV7()}


def speech_of(protocol_version: str) -> Speech:
    """Return the speech for the ``protocol_version`` in a URL. Version 3 stands in for one that is not known."""
    return _SPEECHES.get(protocol_version, _SPEECHES["3"])
