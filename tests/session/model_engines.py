"""What an engine keeps for one runner, as far as a session can notice: a model for each version of the protocol."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final, TypeAlias

from rivet_runner.protocol import v3, v7
from tests.session.dialects import CONFIG

__all__ = ["PING_SECONDS", "PING_TIMEOUT", "EngineV3", "EngineV7", "Generation"]

Generation: TypeAlias = tuple[str, int]

PING_SECONDS: Final = 3.0
"""Between two pings of the engine, at least."""

PING_TIMEOUT: Final = 15.0
"""Seconds without a pong after which the engine closes the connection, at its next ping."""


class EngineV3:
    """What the engine keeps for one runner id, over connections: one sequence of events and one of commands."""

    def __init__(self, runner_id: str) -> None:
        self.runner_id = runner_id
        self.events: dict[Generation, list[Any]] = defaultdict(list)
        self._last_event = -1
        self._commands: list[v3.CommandWrapper] = []
        self._next_command = 0
        self._missing_after = -1

    def read(self, message: Any, now: float) -> None:
        match message:
            case v3.ToServerInit():
                self._missing_after = -1 if message.last_command_idx is None else message.last_command_idx
            case v3.ToServerAckCommands():
                self._commands = [command for command in self._commands if command.index > message.last_command_idx]
            case v3.ToServerEvents():
                for event in message.items:
                    if event.index > self._last_event:
                        self._last_event = event.index
                        inner = event.inner
                        self.events[inner.actor_id, inner.generation].append(v3_contents(inner))

    def init_answers(self, now: float) -> list[Any]:
        answers: list[Any] = [v3.ToClientInit(self.runner_id, self._last_event, v3.ProtocolMetadata(15_000))]
        missing = [command for command in self._commands if command.index > self._missing_after]
        return [*answers, v3.ToClientCommands(missing)] if missing else answers

    def command(self, generation: Generation, *, starts: bool) -> Any:
        command = v3.CommandStartActor(*generation, CONFIG, []) if starts else v3.CommandStopActor(*generation)
        wrapper = v3.CommandWrapper(self._next_command, command)
        self._next_command += 1
        self._commands.append(wrapper)
        return v3.ToClientCommands([wrapper])

    def acknowledge(self, generation: Generation) -> Any:
        return v3.ToClientAckEvents(self._last_event)

    def pings(self, now: float) -> list[Any]:
        return []

    def gives_up(self, now: float) -> bool:
        """Whether the engine closes the connection."""
        return False


def v3_contents(event: v3.Event) -> Any:
    return event.intent if isinstance(event, v3.EventActorIntent) else getattr(event, "state", None)


class EngineV7:
    """What the engine keeps for one runner id, over connections: the last event, and the unacknowledged commands."""

    def __init__(self, runner_id: str) -> None:
        self.runner_id = runner_id
        self.events: dict[Generation, list[Any]] = defaultdict(list)
        self._last_event: dict[Generation, int] = defaultdict(lambda: -1)
        self._commands: dict[tuple[str, int, int], v7.CommandWrapper] = {}
        self._next_command: dict[Generation, int] = defaultdict(int)
        self._last_ping = self._last_pong = 0.0

    def read(self, message: Any, now: float) -> None:
        match message:
            case v7.ToServerPong():
                self._last_pong = now
            case v7.ToServerAckCommands():
                for done in message.last_command_checkpoints:
                    for actor_id, generation, index in [*self._commands]:
                        if (actor_id, generation) == (done.actor_id, done.generation) and index <= done.index:
                            del self._commands[actor_id, generation, index]
            case v7.ToServerEvents():
                self._read_events(message)

    def _read_events(self, message: v7.ToServerEvents) -> None:
        # The engine compares with what it had before the message, so no event may be in it twice.
        before = defaultdict(lambda: -1, self._last_event)
        for event in message.items:
            place = event.checkpoint
            generation = (place.actor_id, place.generation)
            if place.index > before[generation]:
                self._last_event[generation] = max(self._last_event[generation], place.index)
                self.events[generation].append(v7_contents(event.inner))

    def init_answers(self, now: float) -> list[Any]:
        self._last_ping = self._last_pong = now
        answers: list[Any] = [v7.ToClientInit(self.runner_id, v7.ProtocolMetadata(15_000, 1_800_000, None))]
        missing = [command for _, command in sorted(self._commands.items(), key=lambda item: item[0])]
        return [*answers, v7.ToClientCommands(missing)] if missing else answers

    def command(self, generation: Generation, *, starts: bool) -> Any:
        place = v7.ActorCheckpoint(*generation, self._next_command[generation])
        self._next_command[generation] += 1
        wrapper = v7.CommandWrapper(place, v7.CommandStartActor(CONFIG, []) if starts else v7.CommandStopActor())
        self._commands[*generation, place.index] = wrapper
        return v7.ToClientCommands([wrapper])

    def acknowledge(self, generation: Generation) -> Any:
        return v7.ToClientAckEvents([v7.ActorCheckpoint(*generation, self._last_event[generation])])

    def pings(self, now: float) -> list[Any]:
        if now - self._last_ping < PING_SECONDS:
            return []
        self._last_ping = now
        return [v7.ToClientPing(int(now * 1000))]

    def gives_up(self, now: float) -> bool:
        return now - self._last_pong > PING_TIMEOUT


def v7_contents(event: v7.Event) -> Any:
    return event.intent if isinstance(event, v7.EventActorIntent) else getattr(event, "state", None)
