"""A runner's connection, as the engine's side of it: the first message, then one frame after another."""

from __future__ import annotations

import enum
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec

from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    HibernatingRequest,
    KvErrorResponse,
    KvRequestData,
    ToClientPing,
    ToServerKvRequest,
    ToServerPing,
    ToServerPong,
    ToServerResponseChunk,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
)
from rivet_runner.protocol.v3 import KvResponseData
from rivet_runner.testing._simulated.fault_injection import FaultInjector
from rivet_runner.testing._simulated.runner_state import SimulatedRunner
from rivet_runner.testing._simulated.runner_wire import WIRES, RunnerWire
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timer, Timers
from rivet_runner.testing._simulated.trace import FROM_RUNNER, TO_RUNNER

__all__ = ["NORMAL_CLOSE", "RunnerSocket", "RunnerTransport", "SocketCluster"]

NORMAL_CLOSE: Final = 1000
ERROR_CLOSE: Final = 1011

NORMAL_REASONS: Final = frozenset({"ws.eviction", "ws.connection_closed"})

COMMANDS: Final = (v3.ToClientCommands, v7.ToClientCommands)


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

    def runner_connected(self, socket: RunnerSocket, key: str, init: Any) -> SimulatedRunner:
        """The runner of this connection: the one that had its name and key before, or a new one."""

    def runner_disconnected(self, socket: RunnerSocket) -> None: ...

    def hibernating(self, actor_id: str) -> list[HibernatingRequest]: ...

    def kv(self, runner_id: str, actor_id: str, request: KvRequestData) -> KvResponseData: ...

    def tunnel_received(self, message: ToServerTunnelMessage) -> None: ...

    def close_reason(self, name: str) -> str: ...

    def traced(self, runner_id: str, direction: str, frame: bytes, version: int) -> None: ...


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
        self.namespace: str = ""
        self.wire: RunnerWire = WIRES[3]
        """Its version of the protocol, once it is open."""
        self._ping_timer: Timer | None = None
        self._pong_ts = 0
        self.runner: SimulatedRunner | None = None

    @property
    def is_open(self) -> bool:
        return self._state is not SocketState.CLOSED

    def is_call(self, frame: bytes) -> bool:
        return frame[:1] == self.wire.call

    def is_tunnel_to_engine(self, frame: bytes) -> bool:
        return frame[:1] == self.wire.tunnel_up

    def is_tunnel_to_runner(self, frame: bytes) -> bool:
        return frame[:1] == self.wire.tunnel_down

    def open(self, target: str, subprotocols: list[str]) -> None:
        """Begin after the upgrade. ``target`` is path and query. A refusal is a close frame."""
        split = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        refusal = self._cluster.refusal(query, subprotocols)
        if refusal is not None:
            self.close(refusal)
            return
        self._key = query["runner_key"]
        self.namespace = query["namespace"]
        self.wire = WIRES[int(query["protocol_version"])]
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
            message = self.wire.codec.decode_to_server(frame)
        except DecodeError:
            if self._state is SocketState.AWAITING_INIT:
                self.close("ws.invalid_initial_packet" if isinstance(frame, str) else "ws.invalid_packet")
            return
        if self._state is SocketState.AWAITING_INIT:
            self._first(message, frame)
        else:
            self._handle(message, frame)

    def send(self, message: Any) -> None:
        """Send to the runner. Start commands get the hibernating requests of this moment."""
        if self._state is not SocketState.OPEN:
            return
        if isinstance(message, COMMANDS):
            message = self._with_hibernating_requests(message)
        assert self.runner is not None
        frame = self.wire.codec.encode_to_client(message)
        self._cluster.traced(self.runner.runner_id, TO_RUNNER, frame, self.wire.version)
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
        for timer in (self._init_timer, self._ping_timer):
            if timer is not None:
                timer.cancel()
        if self.runner is not None:
            self._cluster.runner_disconnected(self)

    def _first(self, message: Any, frame: bytes) -> None:
        if not isinstance(message, v3.ToServerInit | v7.ToServerInit):
            self.close("ws.invalid_initial_packet")
            return
        assert self._init_timer is not None
        self._init_timer.cancel()
        self._state = SocketState.OPEN
        self.runner = self._cluster.runner_connected(self, self._key, message)
        self._cluster.traced(self.runner.runner_id, FROM_RUNNER, frame, self.wire.version)
        self._init(self.runner, message)
        if self.wire.pings:
            self._pong_ts = self._timers.now()
            self._ping()

    def _ping(self) -> None:
        """Ping now and then. A runner that does not answer is closed."""
        now = self._timers.now()
        if now - self._pong_ts > self._settings.runner_ping_timeout_ms:
            self.close("core.internal_error")
            return
        self._ping_timer = self._timers.call_later(self._settings.runner_update_ping_interval_ms, self._ping)
        self.send(ToClientPing(now))

    def _init(self, runner: SimulatedRunner, message: Any) -> None:
        if not self._faults.loses_init():
            runner.init(message)

    def _events(self, runner: SimulatedRunner, message: Any) -> None:
        delay = self._faults.event_delay_ms()
        if delay:
            self._timers.call_later(delay, runner.events, message)
        else:
            runner.events(message)

    def _handle(self, message: Any, frame: bytes) -> None:
        runner = self.runner
        assert runner is not None
        if isinstance(message, ToServerPing):
            runner.ping(message.ts)
            return
        if isinstance(message, ToServerPong):
            runner.ping(message.ts)
            self._pong_ts = self._timers.now()
            return
        self._cluster.traced(runner.runner_id, FROM_RUNNER, frame, self.wire.version)
        match message:
            case ToServerTunnelMessage():
                self._tunnel(message)
            case ToServerKvRequest():
                answer = self._answer(runner, message)
                self.send(self.wire.kv_response(message.request_id, answer))
            case v3.ToServerEvents() | v7.ToServerEvents():
                self._events(runner, message)
            case v3.ToServerAckCommands() | v7.ToServerAckCommands():
                runner.acknowledge_commands(message)
            case v3.ToServerInit() | v7.ToServerInit():
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

    def _with_hibernating_requests(self, message: v3.ToClientCommands | v7.ToClientCommands) -> Any:
        return type(message)([self._filled(wrapper) for wrapper in message.items])

    def _filled(self, wrapper: Any) -> Any:
        if not isinstance(wrapper.inner, v3.CommandStartActor | v7.CommandStartActor):
            return wrapper
        place = wrapper.inner if isinstance(wrapper, v3.CommandWrapper) else wrapper.checkpoint
        command = msgspec.structs.replace(wrapper.inner, hibernating_requests=self._cluster.hibernating(place.actor_id))
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
