"""Version 3: a runner's events and commands are one sequence each, and init tells where each side stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from rivet_runner._session.dialect import (
    ActorEvent,
    CloseRequested,
    Dialect,
    InitAnswered,
    KvAnswer,
    KvAnswered,
    KvEntries,
    Phase,
    Received,
    RunnerInit,
    SetAlarm,
    StartActor,
    StopActor,
)
from rivet_runner._session.event_log import EventLog
from rivet_runner._session.event_spacing import EventSpacing
from rivet_runner.protocol import v3
from rivet_runner.protocol.messages import (
    ActorStateRunning,
    ActorStateStopped,
    ToClientClose,
    ToServerPing,
)

__all__ = ["DialectV3"]

MAX_UNCONFIRMED: Final = 100_000
"""Number of events that were sent and not confirmed at which the runner reconnects. The engine confirms events in batches of
500 and with each answer to init."""

_Message: TypeAlias = v3.ToClientKvResponse | v3.ToClientCommands | v3.ToClientAckEvents | v3.ToClientInit | ToClientClose


class DialectV3(Dialect):
    """Version 3 of the protocol."""

    version = 3
    has_delete_range = False
    deletion_lag = 0.3

    def __init__(self, init: RunnerInit) -> None:
        self._events = EventLog()
        super().__init__(init, v3.encode_to_server, v3.decode_to_client, self._events)
        self._event_spacing = EventSpacing()
        self._last_command: int | None = None
        self._acknowledged_command: int | None = None

    # From the engine

    def take_in(self, message: _Message) -> Sequence[Received]:
        match message:
            case v3.ToClientKvResponse():
                return [KvAnswered(message.request_id, _kv_answer(message.data))]
            case v3.ToClientCommands():
                return self._commands(message.items)
            case v3.ToClientAckEvents():
                self._events.confirm(message.last_event_idx)
                return []
            case v3.ToClientInit():
                return self._init_message(message)
            case ToClientClose():
                return [CloseRequested()]

    def _init_message(self, message: v3.ToClientInit) -> Sequence[InitAnswered]:
        if self.phase is Phase.CONNECTED:
            return []
        forgotten = self._init_answered(message.runner_id)
        if forgotten:
            self._events.start_over(message.last_event_idx)
            self._last_command = self._acknowledged_command = None
        else:
            self._events.resume(message.last_event_idx)
        return [InitAnswered(message.runner_id, forgotten, message.metadata.runner_lost_threshold / 1000)]

    def _commands(self, commands: Sequence[v3.CommandWrapper]) -> Sequence[Received]:
        """The new commands. After a reconnect, the engine repeats commands that may not have arrived."""
        received: list[Received] = []
        for command in commands:
            if self._last_command is not None and command.index <= self._last_command:
                continue
            self._last_command = command.index
            received.append(_command(command.inner))
        return received

    # To the engine

    def report(self, actor_id: str, generation: int, event: ActorEvent) -> None:
        self._events.add(_event(actor_id, generation, event))

    def keep_alive(self, now_ms: int) -> None:
        """Ping, and acknowledge the new commands along with it. That only lets the engine forget them."""
        if self.phase is not Phase.CONNECTED:
            return
        self._control.append(v3.encode_to_server(ToServerPing(now_ms)))
        if self._last_command is not None and self._last_command != self._acknowledged_command:
            self._acknowledge(self._last_command)

    def keep_draining(self) -> None:
        """Acknowledge the last command again: that reaches the runner's workflow, and pings do not."""
        if self.phase is Phase.CONNECTED and self._last_command is not None:
            self._acknowledge(self._last_command)

    def _acknowledge(self, index: int) -> None:
        self._control.append(v3.encode_to_server(v3.ToServerAckCommands(index)))
        self._acknowledged_command = index

    @property
    def overdue_events(self) -> int:
        return len(self._events)

    @property
    def wants_new_init(self) -> bool:
        return self._events.unconfirmed >= MAX_UNCONFIRMED

    def _event_frames(self, now: float) -> list[bytes]:
        if not self._event_spacing.may_send(now):
            return []
        self._event_spacing.sent(now)
        return [v3.encode_to_server(v3.ToServerEvents(self._events.take()))]

    def wait(self, now: float) -> float | None:
        if not self._events.pending or self.phase is not Phase.CONNECTED:
            return None
        return self._event_spacing.wait(now)

    @classmethod
    def serverless_packet(cls, runner_id: str) -> bytes:
        return cls._with_version(v3.encode_to_serverless_server(v3.ToServerlessServerInit(runner_id)))

    def _encode_init(self) -> bytes:
        init = self._init
        return v3.encode_to_server(
            v3.ToServerInit(init.name, init.version, init.total_slots, self._last_command, init.actor_names, init.metadata)
        )


def _command(command: v3.Command) -> StartActor | StopActor:
    if isinstance(command, v3.CommandStopActor):
        return StopActor(command.actor_id, command.generation)
    return StartActor(command.actor_id, command.generation, command.config, command.hibernating_requests)


def _event(actor_id: str, generation: int, event: ActorEvent) -> v3.Event:
    match event:
        case SetAlarm():
            return v3.EventActorSetAlarm(actor_id, generation, event.alarm_ts)
        case ActorStateRunning() | ActorStateStopped():
            return v3.EventActorStateUpdate(actor_id, generation, event)
    return v3.EventActorIntent(actor_id, generation, event)


def _kv_answer(data: v3.KvResponseData) -> KvAnswer:
    if isinstance(data, v3.KvGetResponse | v3.KvListResponse):
        return KvEntries(data.keys, data.values)
    return data
