"""The part of the conversation with the engine that differs between versions of the protocol, behind one interface.

A dialect introduces the runner, numbers events, recognizes repeated commands, acknowledges, and proves that the runner is
alive. It turns each message that is spelled differently into the vocabulary below. The layers above name no version.

A dialect does no I/O and has no clock. It encodes key-value calls and tunnel messages, but does not keep them.

A connection goes through three phases. The phase alone decides which messages may be sent:

::

              connection_opened()           init answered
    DISCONNECTED ───────────────► HANDSHAKING ───────────────► CONNECTED
         ▲                             │                           │
         └──────────────────── connection_lost() ──────────────────┘

* ``DISCONNECTED``: nothing is sent, and everything is kept.
* ``HANDSHAKING``: init is sent, and nothing else but answers to the engine's pings.
* ``CONNECTED``: everything may be sent. `rivet_runner._session.session` has the order.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import msgspec

from rivet_runner.protocol.messages import (
    ActorConfig,
    ActorIntent,
    ActorName,
    ActorState,
    HibernatingRequest,
    KvDeleteResponse,
    KvDropResponse,
    KvErrorResponse,
    KvPutResponse,
    ToClientTunnelMessage,
    ToServerKvRequest,
    ToServerStopping,
    ToServerTunnelMessage,
)

__all__ = [
    "ActorEvent",
    "CloseRequested",
    "Dialect",
    "InitAnswered",
    "KvAnswer",
    "KvAnswered",
    "KvEntries",
    "Phase",
    "Received",
    "RunnerInit",
    "SetAlarm",
    "StartActor",
    "StopActor",
]


class Phase(enum.Enum):
    """How far the connection has come. See the drawing at the top of this module."""

    DISCONNECTED = "disconnected"
    HANDSHAKING = "handshaking"
    CONNECTED = "connected"


class RunnerInit(msgspec.Struct, frozen=True):
    """How a runner introduces itself on every connection."""

    name: str
    version: int
    total_slots: int
    actor_names: Mapping[str, ActorName] | None = None
    metadata: str | None = None
    """A JSON document."""


# To the engine


class SetAlarm(msgspec.Struct, frozen=True):
    """The alarm at which the engine is to wake the actor, in milliseconds since the epoch. ``None`` clears it."""

    alarm_ts: int | None


ActorEvent: TypeAlias = ActorIntent | ActorState | SetAlarm
"""An event of an actor, without the place that a version gives it."""


# From the engine


class StartActor(msgspec.Struct, frozen=True):
    """The engine starts a generation of an actor here."""

    actor_id: str
    generation: int
    config: ActorConfig
    hibernating_requests: Sequence[HibernatingRequest] | None
    """The WebSockets that wait for this actor. ``None`` if the engine may have left them out."""


class StopActor(msgspec.Struct, frozen=True):
    """The engine stops a generation of an actor. It may do so several times, and without having started it here."""

    actor_id: str
    generation: int


class InitAnswered(msgspec.Struct, frozen=True):
    """The engine has answered init. ``forgotten`` is ``True`` if it gave this runner a new id."""

    runner_id: str
    forgotten: bool
    lost_threshold: float
    """Seconds without a connection after which the engine counts this runner as lost."""

    stop_threshold: float | None = None
    """Seconds after a stop command for which the engine waits for the actor. ``None`` if the engine does not tell."""

    drain_grace: float | None = None
    """Seconds that the engine leaves the runners of a serverless pool to drain. ``None`` for any other pool, or if the
    engine does not tell."""


class KvEntries(msgspec.Struct, frozen=True):
    """Entries of the key-value store: ``keys[n]`` and ``values[n]`` belong together."""

    keys: Sequence[bytes]
    values: Sequence[bytes]


KvAnswer: TypeAlias = KvEntries | KvPutResponse | KvDeleteResponse | KvDropResponse | KvErrorResponse


class KvAnswered(msgspec.Struct, frozen=True):
    """The engine has answered a key-value call."""

    request_id: int
    answer: KvAnswer


class CloseRequested(msgspec.Struct, frozen=True):
    """The engine has asked this runner to close the connection."""


Received: TypeAlias = ToClientTunnelMessage | StartActor | StopActor | KvAnswered | InitAnswered | CloseRequested
"""A message for the layers above. Tunnel messages are the same in every version, and are handed on as they came."""


SharedMessage: TypeAlias = ToServerTunnelMessage | ToServerKvRequest | ToServerStopping
"""A message to the engine that is the same in every version."""


class EventBacklog(Protocol):
    """What every version knows about the events that the engine has not confirmed."""

    @property
    def pending(self) -> bool: ...
    def __len__(self) -> int: ...


class Dialect(abc.ABC):
    """One version of the protocol. It is not thread-safe and not reentrant.

    Times are in seconds, on any clock that only goes forward.
    """

    version: ClassVar[int]
    """The version that the URL of the connection names."""

    has_delete_range: ClassVar[bool]
    """Whether the key-value store can delete a range of keys."""

    deletion_lag: ClassVar[float]
    """Seconds after a stop command within which the key-value store of a deleted actor may still answer."""

    def __init__(
        self,
        init: RunnerInit,
        encode: Callable[[SharedMessage], bytes],
        decode: Callable[[bytes], Any],
        backlog: EventBacklog,
    ) -> None:
        self.encode = encode
        """Encode a tunnel message or a key-value call. Raises `TypeError` or `ValueError` that names the field."""
        self.decode = decode
        """Decode a message of the engine. Raises `DecodeError`. Tunnel messages are for the layers above, all others for
        `take_in`."""
        self._init = init
        self._backlog = backlog
        self._control: list[bytes] = []
        self.phase: Phase = Phase.DISCONNECTED
        self.runner_id: str | None = None

    # The connection's edges

    def connection_opened(self) -> None:
        """A new connection is open. Init is the first message on it."""
        self.phase = Phase.HANDSHAKING
        self.send_init()

    def send_init(self) -> None:
        """Send init, or send it again if it has no answer yet. The first answer counts."""
        if self.phase is Phase.HANDSHAKING:
            self._control.append(self._encode_init())

    def connection_lost(self) -> None:
        """The connection is gone. Events that the engine has not confirmed are kept for the next connection."""
        self.phase = Phase.DISCONNECTED
        self._control.clear()

    # From the engine

    @abc.abstractmethod
    def take_in(self, message: Any) -> Sequence[Received]:
        """Take in a decoded message, unless it is a tunnel message. Return what it asks of the layers above, in order."""

    # To the engine

    @abc.abstractmethod
    def report(self, actor_id: str, generation: int, event: ActorEvent) -> None:
        """Report ``event`` to the engine, now or after the next init."""

    def generation_ended(self, actor_id: str, generation: int) -> None:  # noqa: B027
        """A generation of an actor has ended here, so it reports nothing more."""

    @abc.abstractmethod
    def keep_alive(self, now_ms: int) -> None:
        """Prove every few seconds that the runner is alive, if the version wants that unasked.

        ``now_ms`` is in milliseconds since the epoch. Without a connection, this does nothing.
        """

    def stopping(self) -> None:
        """Tell the engine that this runner drains, if there is a connection."""
        if self.phase is Phase.CONNECTED:
            self._control.append(self.encode(ToServerStopping()))

    @abc.abstractmethod
    def keep_draining(self) -> None:
        """Have the engine wait on for a runner that drains. Without a connection, this does nothing.

        The engine (2.3.19) evicts a draining runner about 15 s after the last message that reached the runner's workflow,
        and starts its actors elsewhere. Most messages never reach that workflow.
        """

    @property
    def event_backlog(self) -> int:
        """Number of events that the engine has not confirmed, sent or not."""
        return len(self._backlog)

    @property
    @abc.abstractmethod
    def overdue_events(self) -> int:
        """Number of events that the engine could have confirmed, or that could not be sent yet."""

    @property
    @abc.abstractmethod
    def wants_new_init(self) -> bool:
        """Whether too many events are unconfirmed, and the answer to another init would tell which ones the engine has."""

    @property
    def events_pending(self) -> bool:
        """Whether an event is waiting to be sent."""
        return self._backlog.pending

    def frames_to_send(self, now: float) -> list[bytes]:
        """The messages to send now, in order, before key-value calls and tunnel messages."""
        frames, self._control = self._control, []
        if self._backlog.pending and self.phase is Phase.CONNECTED:
            frames += self._event_frames(now)
        return frames

    @abc.abstractmethod
    def wait(self, now: float) -> float | None:
        """Seconds until `frames_to_send` may return events that it holds back now. ``None`` if it holds none back."""

    # For a serverless runner

    @classmethod
    @abc.abstractmethod
    def serverless_packet(cls, runner_id: str) -> bytes:
        """Encode the packet that tells the engine which runner answers its request. It travels as base64."""

    # For the versions

    @abc.abstractmethod
    def _encode_init(self) -> bytes: ...

    @abc.abstractmethod
    def _event_frames(self, now: float) -> list[bytes]:
        """The events to send now. Asked on a connection, if an event is pending."""

    def _init_answered(self, runner_id: str) -> bool:
        """Note the answer to init, and return whether the runner was forgotten.

        The version then resumes its logs, or starts them over if the runner was forgotten.
        """
        forgotten = self.runner_id is not None and self.runner_id != runner_id
        self.runner_id = runner_id
        self.phase = Phase.CONNECTED
        return forgotten

    @classmethod
    def _with_version(cls, message: bytes) -> bytes:
        return cls.version.to_bytes(2, "little") + message
