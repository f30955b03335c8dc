"""Version 7: events and commands are counted for each generation of an actor, and the engine pings.

Init tells nothing about what either side has. The engine sends every command that was not acknowledged, and the runner every
event that is not confirmed. Both sides drop what they have already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from rivet_runner._session.command_checkpoints import CommandCheckpoints
from rivet_runner._session.dialect import (
    ActorEvent,
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
from rivet_runner._session.event_checkpoints import EventCheckpoints
from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorStateRunning,
    ActorStateStopped,
    ToClientPing,
    ToServerPong,
)

__all__ = ["DialectV7"]

CERTAIN_AFTER: Final = 10
"""Pings after which a message has arrived for certain.

The engine (2.3.19) reads a runner's messages in order. It pings every 3 s, but only if it has read a pong in the last 15 s.
So its ping proves that it has read everything that was sent before that pong. The other 15 s are for the pong's way. Of the
pings that came after a message, the engine may have sent one before that, so 11 of them are 30 s of the engine's time."""

_Message: TypeAlias = v7.ToClientKvResponse | v7.ToClientCommands | v7.ToClientAckEvents | v7.ToClientInit | ToClientPing


class DialectV7(Dialect):
    """Version 7 of the protocol."""

    version = 7
    has_delete_range = True
    deletion_lag = 0.5

    def __init__(self, init: RunnerInit) -> None:
        self._events = EventCheckpoints()
        super().__init__(init, v7.encode_to_server, v7.decode_to_client, self._events)
        self._commands = CommandCheckpoints()
        self._pings = 0
        """Pings of the engine so far: the clock of both logs."""
        self._repeats_commands = False
        """Whether the next commands may be those that the engine repeats after init."""

    # From the engine

    def take_in(self, message: _Message) -> Sequence[Received]:
        match message:
            case v7.ToClientKvResponse():
                return [KvAnswered(message.request_id, _kv_answer(message.data))]
            case v7.ToClientCommands():
                return self._new_commands(message.items)
            case v7.ToClientAckEvents():
                for checkpoint in message.last_event_checkpoints:
                    self._events.confirm(checkpoint)
                return []
            case v7.ToClientInit():
                return self._init_message(message)
            case ToClientPing():
                self._ping(message)
                return []

    def _init_message(self, message: v7.ToClientInit) -> Sequence[InitAnswered]:
        if self.phase is Phase.CONNECTED:
            return []
        forgotten = self._init_answered(message.runner_id)
        if forgotten:
            self._events.start_over()
            self._commands.start_over()
        else:
            self._events.resume()
            self._commands.resume()
        self._repeats_commands = True
        return [_init_answer(message, forgotten)]

    def _new_commands(self, commands: Sequence[v7.CommandWrapper]) -> Sequence[Received]:
        """The new commands. After each init, the engine repeats those that were not acknowledged, in one message."""
        unlisted, self._repeats_commands = self._repeats_commands, False
        received: list[Received] = []
        for command in commands:
            starts = isinstance(command.inner, v7.CommandStartActor)
            if self._commands.receive(command.checkpoint, starts=starts):
                received.append(_command(command, unlisted=unlisted))
        return received

    def _ping(self, ping: ToClientPing) -> None:
        """Answer, and acknowledge the new commands along with it. Without an answer the engine closes after 15 s."""
        self._control.append(v7.encode_to_server(ToServerPong(ping.ts)))
        if self.phase is not Phase.CONNECTED:
            return
        self._pings += 1
        self._events.confirm_sent_before(self._pings - CERTAIN_AFTER)
        self._commands.confirm_sent_before(self._pings - CERTAIN_AFTER)
        checkpoints = self._commands.take(self._pings)
        if checkpoints:
            self._control.append(v7.encode_to_server(v7.ToServerAckCommands(checkpoints)))

    # To the engine

    def report(self, actor_id: str, generation: int, event: ActorEvent) -> None:
        self._events.add((actor_id, generation), _event(event))

    def generation_ended(self, actor_id: str, generation: int) -> None:
        self._events.end((actor_id, generation))
        self._commands.end((actor_id, generation))

    def keep_alive(self, now_ms: int) -> None:
        """Do nothing: the engine pings by itself, and each of its pings is answered."""

    def keep_draining(self) -> None:
        """Say again that the runner stops: nothing else reaches the runner's workflow."""
        self.stopping()

    @property
    def overdue_events(self) -> int:
        """Only those that could not be sent yet: the engine confirms most events never, and tells nothing at init."""
        return self._events.unsent

    @property
    def wants_new_init(self) -> bool:
        return False

    def _event_frames(self, now: float) -> list[bytes]:
        return [v7.encode_to_server(v7.ToServerEvents(self._events.take(self._pings)))]

    def wait(self, now: float) -> float | None:
        return 0.0 if self._events.pending and self.phase is Phase.CONNECTED else None

    @classmethod
    def serverless_packet(cls, runner_id: str) -> bytes:
        return cls._with_version(v7.encode_to_serverless_server(v7.ToServerlessServerInit(runner_id, cls.version)))

    def _encode_init(self) -> bytes:
        init = self._init
        return v7.encode_to_server(
            v7.ToServerInit(init.name, init.version, init.total_slots, init.actor_names, init.metadata)
        )


def _init_answer(message: v7.ToClientInit, forgotten: bool) -> InitAnswered:
    limits = message.metadata
    grace = limits.serverless_drain_grace_period
    return InitAnswered(
        message.runner_id,
        forgotten,
        lost_threshold=limits.runner_lost_threshold / 1000,
        stop_threshold=limits.actor_stop_threshold / 1000,
        drain_grace=None if grace is None else grace / 1000,
    )


def _command(command: v7.CommandWrapper, *, unlisted: bool) -> StartActor | StopActor:
    """``unlisted``: the list of hibernating requests may be missing. The engine looks it up when it first sends a start."""
    place, inner = command.checkpoint, command.inner
    if isinstance(inner, v7.CommandStopActor):
        return StopActor(place.actor_id, place.generation)
    listed = None if unlisted and not inner.hibernating_requests else inner.hibernating_requests
    return StartActor(place.actor_id, place.generation, inner.config, listed)


def _event(event: ActorEvent) -> v7.Event:
    match event:
        case SetAlarm():
            return v7.EventActorSetAlarm(event.alarm_ts)
        case ActorStateRunning() | ActorStateStopped():
            return v7.EventActorStateUpdate(event)
    return v7.EventActorIntent(event)


def _kv_answer(data: v7.KvResponseData) -> KvAnswer:
    if isinstance(data, v7.KvGetResponse | v7.KvListResponse):
        return KvEntries(data.keys, data.values)
    return data
