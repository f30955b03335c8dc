"""The engine's side of the runner protocol, in the two versions that the contestants speak: 3 and 7.

Only the messages of the benchmarks are here, as WebSocket frames. The generated codecs encode them. A load cuts its frames
from encoded ones beforehand, so that no codec runs for each of its messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, ClassVar, Final

from websockets.frames import Frame, Opcode

from rivet_runner.protocol import messages, v3, v7
from rivet_runner.protocol.tunnel_ids import message_id

__all__ = ["V3", "V7"]

RUNNER_ID: Final = "synthetic-runner"
LOST_THRESHOLD_MS: Final = 15_000
STOP_THRESHOLD_MS: Final = 1_800_000
CONFIG: Final = messages.ActorConfig("benchmark", None, 0, None)


class V3:
    """Protocol 3: one sequence of commands and one of events for each runner."""

    codec: ClassVar[ModuleType] = v3

    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED = 1, 4, 5, 6
    """Tags of the runner's tunnel messages."""

    def frame(self, message: Any) -> bytes:
        """One whole frame, not masked because it comes from a server."""
        return Frame(Opcode.BINARY, self.codec.encode_to_client(message)).serialize(mask=False)

    def init(self) -> bytes:
        """The answer to a runner's init message."""
        return self.frame(v3.ToClientInit(RUNNER_ID, -1, v3.ProtocolMetadata(LOST_THRESHOLD_MS)))

    def acknowledge_events(self, last_index: int) -> bytes | None:
        """The message that lets the runner forget its events up to this one. `None`: the benchmark needs no such message."""
        return self.frame(v3.ToClientAckEvents(last_index))

    def commands(self, actor_ids: Sequence[str], first_index: int, *, stop: bool) -> bytes:
        """One message that starts all of these actors, or stops them."""
        commands: list[v3.Command] = [
            v3.CommandStopActor(actor_id, 1) if stop else v3.CommandStartActor(actor_id, 1, CONFIG, [])
            for actor_id in actor_ids
        ]
        return self.frame(v3.ToClientCommands([v3.CommandWrapper(*one) for one in enumerate(commands, first_index)]))

    def states(self, events: v3.ToServerEvents | v7.ToServerEvents) -> tuple[int, int]:
        """How many actors these events report as running, and how many as stopped."""
        inner = [wrapper.inner for wrapper in events.items]
        states = [event.state for event in inner if isinstance(event, self.codec.EventActorStateUpdate)]
        running = sum(isinstance(state, messages.ActorStateRunning) for state in states)
        return running, len(states) - running

    def tunnel(self, key: bytes, kind: messages.ToClientTunnelMessageKind) -> bytes:
        """A message of the request or WebSocket with this key. Its index is 0."""
        return self.frame(messages.ToClientTunnelMessage(message_id(key, 0), kind))

    def kv_response(self, request: messages.ToServerKvRequest) -> bytes:
        """The answer to any key-value request: nothing was found, everything was stored."""
        answers = {
            messages.KvGetRequest: self.codec.KvGetResponse([], [], []),
            messages.KvListRequest: self.codec.KvListResponse([], [], []),
            messages.KvPutRequest: messages.KvPutResponse(),
        }
        answer = answers.get(type(request.data), messages.KvDeleteResponse())
        return self.frame(self.codec.ToClientKvResponse(request.request_id, answer))


class V7(V3):
    """Protocol 7: sequences of commands and of events for each actor."""

    codec: ClassVar[ModuleType] = v7

    RESPONSE_STARTED, OPENED, ECHOED, ACKNOWLEDGED = 0, 3, 4, 5

    def init(self) -> bytes:
        limits = v7.ProtocolMetadata(LOST_THRESHOLD_MS, STOP_THRESHOLD_MS, None)
        return self.frame(v7.ToClientInit(RUNNER_ID, limits))

    def acknowledge_events(self, last_index: int) -> None:
        return None

    def commands(self, actor_ids: Sequence[str], first_index: int, *, stop: bool) -> bytes:
        # An actor's first command is its start, and the second its stop.
        command = v7.CommandStopActor() if stop else v7.CommandStartActor(CONFIG, [])
        places = [messages.ActorCheckpoint(actor_id, 1, int(stop)) for actor_id in actor_ids]
        return self.frame(v7.ToClientCommands([v7.CommandWrapper(place, command) for place in places]))
