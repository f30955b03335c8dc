"""A runner's connection, as the engine's side of it: the first message, then one frame after another."""

from __future__ import annotations

import enum
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from rivet_runner.errors import DecodeError
from rivet_runner.protocol.messages import KvRequestData
from rivet_runner.protocol.wire import (
    PROTOCOL_VERSION,
    CommandStartActor,
    HibernatingRequest,
    KvErrorResponse,
    KvResponseData,
    ToClient,
    ToClientCommands,
    ToClientKvResponse,
    ToServer,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
    ToServerKvRequest,
    ToServerPing,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    decode_to_server,
    encode_to_client,
)
from rivet_runner.testing._simulated.fault_injection import FaultInjector
from rivet_runner.testing._simulated.runner_state import SimulatedRunner
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timer, Timers
from rivet_runner.testing._simulated.trace import FROM_RUNNER, TO_RUNNER

__all__ = ["NORMAL_CLOSE", "RunnerSocket", "RunnerTransport", "SocketCluster"]

CALL_TAG: Final = b"\x05"
TUNNEL_TO_ENGINE_TAG: Final = b"\x06"
TUNNEL_TO_RUNNER_TAG: Final = b"\x05"
"""The first bytes of key-value calls and of tunnel messages."""

NORMAL_CLOSE: Final = 1000
ERROR_CLOSE: Final = 1011

NORMAL_REASONS: Final = frozenset({"ws.eviction", "ws.connection_closed"})


class SocketState(enum.Enum):
    AWAITING_INIT = "awaiting init"
    OPEN = "open"
    CLOSED = "closed"


class RunnerTransport(Protocol):
    """The way of whole messages to the runner."""

    def send(self, frame: bytes) -> None: ...

    def close(self, code: int, reason: str) -> None:
        """Close with a close frame, which is the last message."""


class SocketCluster(Protocol):
    """The rest of the engine, as a connection sees it."""

    def refusal(self, query: dict[str, str], subprotocols: list[str]) -> str | None:
        """The error, ``group.code``, for which this connection is refused, or `None` if it is accepted."""

    def runner_connected(self, socket: RunnerSocket, key: str, init: ToServerInit) -> SimulatedRunner:
        """The runner of this connection: the one that had its name and key before, or a new one."""

    def runner_disconnected(self, socket: RunnerSocket) -> None: ...

    def hibernating(self, actor_id: str) -> list[HibernatingRequest]: ...

    def kv(self, runner_id: str, actor_id: str, request: KvRequestData) -> KvResponseData: ...

    def tunnel_received(self, message: ToServerTunnelMessage) -> None: ...

    def close_reason(self, name: str) -> str: ...

    def traced(self, runner_id: str, direction: str, frame: bytes) -> None: ...


class RunnerSocket:
    """One connection. Call `open` first, then `receive` for each frame, and `lost` at the end of either side."""

    def __init__(
        self,
        transport: RunnerTransport,
        *,
        cluster: SocketCluster,
        timers: Timers,
        settings: EngineSettings,
        faults: FaultInjector,
    ) -> None:
        self._transport = transport
        self._cluster = cluster
        self._faults = faults
        self._timers = timers
        self._settings = settings
        self._state = SocketState.AWAITING_INIT
        self._init_timer: Timer | None = None
        self._key = ""
        self.runner: SimulatedRunner | None = None

    @property
    def is_open(self) -> bool:
        return self._state is not SocketState.CLOSED

    def is_call(self, frame: bytes) -> bool:
        return frame[:1] == CALL_TAG

    def is_tunnel_to_engine(self, frame: bytes) -> bool:
        return frame[:1] == TUNNEL_TO_ENGINE_TAG

    def is_tunnel_to_runner(self, frame: bytes) -> bool:
        return frame[:1] == TUNNEL_TO_RUNNER_TAG

    def open(self, target: str, subprotocols: list[str]) -> None:
        """Begin after the upgrade. ``target`` is path and query. A refusal is a close frame."""
        split = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        refusal = self._cluster.refusal(query, subprotocols)
        if refusal is not None:
            self.close(refusal)
            return
        self._key = query["runner_key"]
        self._init_timer = self._timers.call_later(
            self._settings.init_timeout_ms, self.close, "ws.timed_out_waiting_for_init"
        )

    def receive(self, frame: bytes | str) -> None:
        """Take one frame. After init, a frame that cannot be decoded is ignored."""
        if self._state is SocketState.CLOSED:
            return
        try:
            if isinstance(frame, str):
                raise DecodeError("a text frame")
            message = decode_to_server(frame)
        except DecodeError:
            if self._state is SocketState.AWAITING_INIT:
                self.close("ws.invalid_initial_packet" if isinstance(frame, str) else "ws.invalid_packet")
            return
        if self._state is SocketState.AWAITING_INIT:
            self._first(message, frame)
        else:
            self._handle(message, frame)

    def send(self, message: ToClient) -> None:
        """Send to the runner. Start commands get the hibernating requests of this moment."""
        if self._state is not SocketState.OPEN:
            return
        if isinstance(message, ToClientCommands):
            message = self._with_hibernating_requests(message)
        assert self.runner is not None
        frame = encode_to_client(message)
        self._cluster.traced(self.runner.runner_id, TO_RUNNER, frame)
        self._transport.send(frame)

    def close(self, name: str) -> None:
        """Close for a reason of the engine's own."""
        if self._state is SocketState.CLOSED:
            return
        code = NORMAL_CLOSE if name in NORMAL_REASONS else ERROR_CLOSE
        reason = self._cluster.close_reason(name)
        self.lost()
        self._transport.close(code, reason)

    def lost(self) -> None:
        """The connection is gone."""
        if self._state is SocketState.CLOSED:
            return
        self._state = SocketState.CLOSED
        if self._init_timer is not None:
            self._init_timer.cancel()
        if self.runner is not None:
            self._cluster.runner_disconnected(self)

    def _first(self, message: ToServer, frame: bytes) -> None:
        if not isinstance(message, ToServerInit):
            self.close("ws.invalid_initial_packet")
            return
        assert self._init_timer is not None
        self._init_timer.cancel()
        self._state = SocketState.OPEN
        self.runner = self._cluster.runner_connected(self, self._key, message)
        self._cluster.traced(self.runner.runner_id, FROM_RUNNER, frame)
        self._init(self.runner, message)

    def _init(self, runner: SimulatedRunner, message: ToServerInit) -> None:
        if not self._faults.loses_init():
            runner.init(message)

    def _events(self, runner: SimulatedRunner, message: ToServerEvents) -> None:
        delay = self._faults.event_delay_ms()
        if delay:
            self._timers.call_later(delay, runner.events, message)
        else:
            runner.events(message)

    def _handle(self, message: ToServer, frame: bytes) -> None:
        runner = self.runner
        assert runner is not None
        if isinstance(message, ToServerPing):
            runner.ping(message.ts)
            return
        self._cluster.traced(runner.runner_id, FROM_RUNNER, frame)
        match message:
            case ToServerTunnelMessage():
                self._tunnel(message)
            case ToServerKvRequest():
                answer = self._answer(runner, message)
                self.send(ToClientKvResponse(message.request_id, answer))
            case ToServerEvents():
                self._events(runner, message)
            case ToServerAckCommands():
                runner.acknowledge_commands(message)
            case ToServerInit():
                self._init(runner, message)
            case ToServerStopping():
                runner.stopping()

    def _answer(self, runner: SimulatedRunner, message: ToServerKvRequest) -> KvResponseData:
        if self._faults.fails_call():
            return KvErrorResponse("transaction failed")
        return self._cluster.kv(runner.runner_id, message.actor_id, message.data)

    def _tunnel(self, message: ToServerTunnelMessage) -> None:
        if _payload_size(message) > self._settings.runner_max_response_payload_body_size:
            self.close("ws.invalid_packet")
        else:
            self._cluster.tunnel_received(message)

    def _with_hibernating_requests(self, message: ToClientCommands) -> ToClientCommands:
        if not any(isinstance(wrapper.inner, CommandStartActor) for wrapper in message.items):
            return message
        return ToClientCommands([self._filled(wrapper) for wrapper in message.items])

    def _filled(self, wrapper: Any) -> Any:
        if not isinstance(wrapper.inner, CommandStartActor):
            return wrapper
        requests = self._cluster.hibernating(wrapper.inner.actor_id)
        command = msgspec.structs.replace(wrapper.inner, hibernating_requests=requests)
        return msgspec.structs.replace(wrapper, inner=command)


def _payload_size(message: ToServerTunnelMessage) -> int:
    match message.message_kind:
        case ToServerResponseStart(body=body):
            return len(body or b"")
        case ToServerResponseChunk(body=body):
            return len(body)
        case ToServerWebSocketMessage(data=data):
            return len(data)
    return 0


def missing_parameter(query: dict[str, str]) -> bool:
    """Whether a connection's query lacks a parameter, or has a protocol version that is not a number."""
    needed = ("protocol_version", "namespace", "runner_key")
    return any(name not in query for name in needed) or not query["protocol_version"].isdecimal()


def speaks(query: dict[str, str]) -> bool:
    return query["protocol_version"] == str(PROTOCOL_VERSION)
