"""The connection of one runner, from the engine's side."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeVar, overload
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers

from rivet_runner._session.dialect import KvAnswer, StartActor, StopActor
from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    ActorConfig,
    ActorStateRunning,
    ActorStateStopped,
    HibernatingRequest,
    ToClientPing,
    ToClientRequestStart,
    ToClientWebSocketOpen,
    ToServerKvRequest,
    ToServerTunnelMessage,
)
from rivet_runner.testing._scripted.link import Link
from rivet_runner.testing._scripted.mailbox import TIMEOUT, Mailbox
from rivet_runner.testing._scripted.memory import EngineMemory
from rivet_runner.testing._scripted.speech import HOUSEKEEPING, InitAnswer, ReportedEvent, speech_of
from rivet_runner.testing._scripted.tunnel import ClientWebSocket, HttpExchange

__all__ = ["Received", "RunnerConnection"]

ToServer: TypeAlias = v3.ToServer | v7.ToServer

M = TypeVar("M", bound=ToServer)


class Received(NamedTuple):
    """A message and the time of its arrival, on the event loop's clock."""

    time: float
    message: ToServer


class RunnerConnection(Link):
    """A connection that a runner has made. You get it from `ScriptedEngine.accept`.

    It speaks the version of the protocol that the runner speaks. ``codec`` is the module with the messages of that version.
    Commands and events need no version here.

    ``received`` has all messages with their times, and ``undecodable`` the frames that are no messages. Messages
    leave at once, without back-pressure. Sending raises `ConnectionError` if the connection is gone.
    """

    def __init__(self, ws: ServerConnection, memory: EngineMemory) -> None:
        assert ws.request is not None
        self.headers: Headers = ws.request.headers
        split = urlsplit(ws.request.path)
        self.path: str = split.path
        query = parse_qs(split.query, keep_blank_values=True)
        self.query: dict[str, str] = {name: values[-1] for name, values in query.items()}
        self._speech = speech_of(self.query.get("protocol_version", ""))
        self.codec: Any = self._speech.codec
        super().__init__(ws, self.codec.encode_to_client)
        self._memory = memory
        offered = ", ".join(ws.request.headers.get_all("Sec-WebSocket-Protocol"))
        self.subprotocols: list[str] = [name.strip() for name in offered.split(",") if name.strip()]
        self.opened_at: float = asyncio.get_running_loop().time()
        self.received: list[Received] = []
        self.undecodable: list[bytes | str] = []
        self._inbox: Mailbox[ToServer] = Mailbox("runner connection")
        self._events: Mailbox[ReportedEvent] = Mailbox("events")

    # Receiving

    async def read(self) -> None:
        """Read until the connection ends. The server's handler runs this."""
        loop = asyncio.get_running_loop()
        try:
            async for frame in self.ws:
                self._take_in(frame, loop.time())
        finally:
            self._ended()
            for mailbox in (self._inbox, self._events):
                mailbox.end("the connection is closed")

    @overload
    async def receive(self, *, timeout: float = ...) -> ToServer: ...

    @overload
    async def receive(self, kind: type[M], *, timeout: float = ...) -> M: ...

    async def receive(self, kind: type[M] | None = None, *, timeout: float = TIMEOUT) -> ToServer:
        """Wait for the next message of ``kind``, or for any message but pings, pongs and command acknowledgements.

        Other messages stay for later calls. Messages of a tunnel end, and key-value requests that the engine answers
        by itself (see `ScriptedKv`), are only in ``received``. Raises `TimeoutError`, or `EOFError` if the connection
        ends without such a message.
        """

        def fits(message: ToServer) -> bool:
            return not isinstance(message, HOUSEKEEPING) if kind is None else isinstance(message, kind)

        return await self._inbox.take(fits, timeout, "message" if kind is None else kind.__name__)

    async def event(
        self, kind: type[Any] | None = None, *, actor_id: str | None = None, timeout: float = TIMEOUT
    ) -> ReportedEvent:
        """Wait for the next event, of ``kind`` and ``actor_id`` if you give them. ``kind`` is the type of its ``event``.

        Events come one by one, even if one message has several. `receive` still returns that message. Raises as `receive`
        does.
        """

        def fits(reported: ReportedEvent) -> bool:
            return (kind is None or isinstance(reported.event, kind)) and actor_id in (None, reported.actor_id)

        return await self._events.take(fits, timeout, "event" if kind is None else f"{kind.__name__} of {actor_id or 'any'}")

    async def running(self, actor_id: str, *, timeout: float = TIMEOUT) -> ReportedEvent:
        """Wait until the runner reports that the actor runs."""
        return await self.event(ActorStateRunning, actor_id=actor_id, timeout=timeout)

    async def stopped(self, actor_id: str, *, timeout: float = TIMEOUT) -> ActorStateStopped:
        """Wait until the runner reports that the actor has stopped, and return the report."""
        reported = await self.event(ActorStateStopped, actor_id=actor_id, timeout=timeout)
        assert isinstance(reported.event, ActorStateStopped)
        return reported.event

    def messages(self, kind: type[M]) -> list[M]:
        """Return the messages of one kind that arrived so far."""
        return [message for _, message in self.received if isinstance(message, kind)]

    @property
    def events(self) -> list[ReportedEvent]:
        """All events that arrived so far."""
        return [event for _, message in self.received for event in self._speech.events(message) or ()]

    def _take_in(self, frame: bytes | str, now: float) -> None:
        try:
            if isinstance(frame, str):
                raise DecodeError("a text frame")
            message = self.codec.decode_to_server(frame)
        except DecodeError:
            self.undecodable.append(frame)
            return
        self.received.append(Received(now, message))
        if isinstance(message, ToServerTunnelMessage) and self._memory.route(message):
            return
        if isinstance(message, ToServerKvRequest) and self._memory.kv.answering:
            self._answer_kv(message)
            return
        for event in self._speech.events(message) or ():
            self._events.put(event)
        self._inbox.put(message)

    # Sending

    async def init(
        self,
        runner_id: str = "r1",
        *,
        last_event_idx: int = -1,
        lost_threshold_ms: int = 15_000,
        stop_threshold_ms: int = 1_800_000,
        drain_grace_ms: int | None = None,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Wait for the runner's init, answer it, and return it. Raises `AssertionError` if another message came first.

        Version 3 does not send the last two thresholds, and version 7 does not send ``last_event_idx``.
        """
        hello = await self.receive(timeout=timeout)
        if not isinstance(hello, self.codec.ToServerInit):
            raise AssertionError(f"a runner's first message must be its init, not {hello!r}")
        answer = InitAnswer(runner_id, last_event_idx, lost_threshold_ms, stop_threshold_ms, drain_grace_ms)
        self.send(self._speech.init_answer(answer))
        return hello

    def command(self, *commands: StartActor | StopActor, first_index: int | None = None) -> int:
        """Send commands in one message and return the index of the first.

        They have the engine's next indexes. Version 3 counts the commands of a runner, and version 7 those of an actor's
        generation. Pass ``first_index`` to repeat commands: they have the indexes from there on.
        """
        if first_index is None:
            indexes = [self._memory.command_indexes.take(self._speech.sequence(command)) for command in commands]
        else:
            indexes = [first_index + offset for offset in range(len(commands))]
        self.send(self._speech.commands([*zip(indexes, commands, strict=True)]))
        return indexes[0]

    def start_actor(
        self,
        actor_id: str = "a1",
        *,
        generation: int = 1,
        name: str = "a",
        key: str | None = None,
        input: bytes | None = None,
        hibernating: Iterable[ClientWebSocket | HibernatingRequest] = (),
        index: int | None = None,
    ) -> int:
        """Command the start of an actor and return the command's index. Then await `running`."""
        listed = [item.hibernating if isinstance(item, ClientWebSocket) else item for item in hibernating]
        config = ActorConfig(name, key, 0, input)
        return self.command(StartActor(actor_id, generation, config, listed), first_index=index)

    def stop_actor(self, actor_id: str = "a1", *, generation: int = 1, index: int | None = None) -> int:
        """Command the stop of an actor and return the command's index. Then await `stopped`."""
        return self.command(StopActor(actor_id, generation), first_index=index)

    def acknowledge_events(self, last: ReportedEvent) -> None:
        """Tell the runner that its events up to this one have arrived: in version 7, those of the same generation."""
        self.send(self._speech.events_acknowledged(last))

    def ping(self, ts: int = 0) -> None:
        """Ask the runner, in version 7, whether it is alive. ``ts`` is in milliseconds since the epoch."""
        self.send(ToClientPing(ts))

    def answer_kv(self, request: ToServerKvRequest, answer: KvAnswer | None = None) -> None:
        """Answer a key-value request with ``answer``, or with the answer of the store in memory."""
        if answer is None:
            answer = self._memory.kv.answer(request.actor_id, request.data)
        self.send(self._speech.kv_response(request, answer))

    def _answer_kv(self, request: ToServerKvRequest) -> None:
        answer = self._memory.kv.answer(request.actor_id, request.data)
        if self._memory.kv.delay <= 0:
            self.answer_kv(request, answer)
        else:
            asyncio.get_running_loop().call_later(self._memory.kv.delay, self._answer_late, request, answer)

    def _answer_late(self, request: ToServerKvRequest, answer: KvAnswer) -> None:
        if self.is_open:
            self.answer_kv(request, answer)

    # The tunnel

    def request(
        self,
        actor_id: str = "a1",
        method: str = "GET",
        path: str = "/",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
    ) -> HttpExchange:
        """Send an HTTP request. Then await `HttpExchange.response`."""
        exchange = HttpExchange(self, self._memory.new_request_key())
        self._memory.add(exchange)
        exchange.send_kind(ToClientRequestStart(actor_id, method, path, headers or {}, body, stream))
        return exchange

    def open_websocket(
        self, actor_id: str = "a1", path: str = "/", *, headers: Mapping[str, str] | None = None
    ) -> ClientWebSocket:
        """Open a client's WebSocket. Then await `ClientWebSocket.opened`."""
        socket = ClientWebSocket(self, self._memory.new_request_key())
        self._memory.add(socket)
        socket.send_kind(ToClientWebSocketOpen(actor_id, path, headers or {}))
        return socket
