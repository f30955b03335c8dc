"""One runner's connection, seen from the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar, overload
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection

from rivet_runner.errors import DecodeError
from rivet_runner.protocol.wire import (
    ActorConfig,
    ActorStateRunning,
    ActorStateStopped,
    CommandStartActor,
    CommandStopActor,
    CommandWrapper,
    EventActorStateUpdate,
    EventWrapper,
    HibernatingRequest,
    KvResponseData,
    ProtocolMetadata,
    ToClientAckEvents,
    ToClientCommands,
    ToClientInit,
    ToClientKvResponse,
    ToClientRequestStart,
    ToClientWebSocketOpen,
    ToServer,
    ToServerAckCommands,
    ToServerEvents,
    ToServerInit,
    ToServerKvRequest,
    ToServerPing,
    ToServerTunnelMessage,
    decode_to_server,
)
from rivet_runner.testing._scripted.link import Link
from rivet_runner.testing._scripted.mailbox import TIMEOUT, Mailbox
from rivet_runner.testing._scripted.memory import EngineMemory
from rivet_runner.testing._scripted.tunnel import ClientWebSocket, HttpExchange

__all__ = ["Received", "RunnerConnection"]

HOUSEKEEPING: Final = (ToServerPing, ToServerAckCommands)
"""What comes on a timer: in the way of a script that says what it expects next."""

M = TypeVar("M", bound=ToServer)
E = TypeVar("E")


class Received(NamedTuple):
    """A message, and the event loop's time at which it arrived."""

    time: float
    message: ToServer


class RunnerConnection(Link):
    """A connection that a runner has made. Made by `ScriptedEngine.accept`.

    ``received`` is everything that came, with times; ``undecodable`` are the frames that are no message. What is sent
    leaves at once, without back-pressure, and raises `ConnectionError` once the connection is gone.
    """

    def __init__(self, ws: ServerConnection, memory: EngineMemory) -> None:
        super().__init__(ws)
        self._memory = memory
        assert ws.request is not None
        self.headers = ws.request.headers
        split = urlsplit(ws.request.path)
        self.path = split.path
        self.query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        offered = ", ".join(ws.request.headers.get_all("Sec-WebSocket-Protocol"))
        self.subprotocols = [name.strip() for name in offered.split(",") if name.strip()]
        self.opened_at = asyncio.get_running_loop().time()
        self.received: list[Received] = []
        self.undecodable: list[bytes | str] = []
        self._inbox: Mailbox[ToServer] = Mailbox("runner connection")
        self._events: Mailbox[EventWrapper] = Mailbox("events")

    # Receiving

    async def read(self) -> None:
        """Take in everything until the connection ends: the body of the server's handler."""
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
        """The next message, pings and command acknowledgements left out; of ``kind`` where that is given.

        Others stay for later calls. Messages that the engine answers by itself (key-value requests, unless
        `ScriptedKv.answering` is false) and tunnel messages of a handle are in `received` only. Raises `TimeoutError`,
        and `EOFError` when the connection ended without such a message.
        """

        def fits(message: ToServer) -> bool:
            return not isinstance(message, HOUSEKEEPING) if kind is None else isinstance(message, kind)

        return await self._inbox.take(fits, timeout, "message" if kind is None else kind.__name__)

    async def event(
        self, kind: type[E] | None = None, *, actor_id: str | None = None, timeout: float = TIMEOUT
    ) -> EventWrapper:
        """The next event, one by one out of the `ToServerEvents` messages; of ``kind`` and ``actor_id`` where given.

        The messages themselves are offered by `receive` all the same. Raises as `receive` does.
        """

        def fits(wrapper: EventWrapper) -> bool:
            event = wrapper.inner
            return (kind is None or isinstance(event, kind)) and actor_id in (None, event.actor_id)

        return await self._events.take(fits, timeout, "event" if kind is None else kind.__name__)

    async def running(self, actor_id: str, *, timeout: float = TIMEOUT) -> EventWrapper:
        """Wait until the runner says that ``actor_id`` runs."""
        return await self._state(actor_id, ActorStateRunning, timeout)

    async def stopped(self, actor_id: str, *, timeout: float = TIMEOUT) -> ActorStateStopped:
        """Wait until the runner says that ``actor_id`` has stopped; return what it says."""
        wrapper = await self._state(actor_id, ActorStateStopped, timeout)
        assert isinstance(wrapper.inner, EventActorStateUpdate)
        assert isinstance(wrapper.inner.state, ActorStateStopped)
        return wrapper.inner.state

    def messages(self, kind: type[M]) -> list[M]:
        """Everything of one kind that was received so far."""
        return [message for _, message in self.received if isinstance(message, kind)]

    @property
    def events(self) -> list[EventWrapper]:
        """All events that were received so far."""
        return [event for message in self.messages(ToServerEvents) for event in message.items]

    async def _state(self, actor_id: str, state: type[Any], timeout: float) -> EventWrapper:
        def fits(wrapper: EventWrapper) -> bool:
            event = wrapper.inner
            return isinstance(event, EventActorStateUpdate) and isinstance(event.state, state) and event.actor_id == actor_id

        return await self._events.take(fits, timeout, f"{state.__name__} of {actor_id}")

    def _take_in(self, frame: bytes | str, now: float) -> None:
        try:
            if isinstance(frame, str):
                raise DecodeError("a text frame")
            message = decode_to_server(frame)
        except DecodeError:
            self.undecodable.append(frame)
            return
        self.received.append(Received(now, message))
        if isinstance(message, ToServerTunnelMessage) and self._memory.route(message):
            return
        if isinstance(message, ToServerKvRequest) and self._memory.kv.answering:
            self._answer_kv(message)
            return
        if isinstance(message, ToServerEvents):
            for event in message.items:
                self._events.put(event)
        self._inbox.put(message)

    # Sending

    async def init(
        self,
        runner_id: str = "r1",
        *,
        last_event_idx: int = -1,
        lost_threshold_ms: int = 15_000,
        timeout: float = TIMEOUT,
    ) -> ToServerInit:
        """Await the runner's init, answer it, and return it. Raises `AssertionError` where something else came first."""
        hello = await self.receive(timeout=timeout)
        if not isinstance(hello, ToServerInit):
            raise AssertionError(f"a runner's first message is its init, and this one sent {hello!r}")
        self.send(ToClientInit(runner_id, last_event_idx, ProtocolMetadata(lost_threshold_ms)))
        return hello

    def command(self, *commands: CommandStartActor | CommandStopActor, first_index: int | None = None) -> int:
        """Send commands in one message and return the index of the first.

        They take the engine's next indexes, unless ``first_index`` says which: to repeat commands.
        """
        index = self._memory.take_command_indexes(len(commands)) if first_index is None else first_index
        self.send(ToClientCommands([CommandWrapper(index + offset, inner) for offset, inner in enumerate(commands)]))
        return index

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
        """Command the start of an actor and return the command's index; then await `running`."""
        listed = [item.hibernating if isinstance(item, ClientWebSocket) else item for item in hibernating]
        config = ActorConfig(name, key, 0, input)
        return self.command(CommandStartActor(actor_id, generation, config, listed), first_index=index)

    def stop_actor(self, actor_id: str = "a1", *, generation: int = 1, index: int | None = None) -> int:
        """Command the stop of an actor and return the command's index; then await `stopped`."""
        return self.command(CommandStopActor(actor_id, generation), first_index=index)

    def acknowledge_events(self, last_event_idx: int) -> None:
        """Tell the runner that its events up to this index arrived."""
        self.send(ToClientAckEvents(last_event_idx))

    def answer_kv(self, request: ToServerKvRequest, data: KvResponseData | None = None) -> None:
        """Answer a key-value request: with ``data``, or with what the in-memory store makes of it."""
        if data is None:
            data = self._memory.kv.answer(request.actor_id, request.data)
        self.send(ToClientKvResponse(request.request_id, data))

    def _answer_kv(self, request: ToServerKvRequest) -> None:
        answer = self._memory.kv.answer(request.actor_id, request.data)
        if self._memory.kv.delay <= 0:
            self.answer_kv(request, answer)
        else:
            asyncio.get_running_loop().call_later(self._memory.kv.delay, self._answer_late, request, answer)

    def _answer_late(self, request: ToServerKvRequest, answer: KvResponseData) -> None:
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
        """Send an HTTP request; await the handle's `HttpExchange.response`."""
        exchange = HttpExchange(self, self._memory.new_request_key())
        self._memory.add(exchange)
        exchange.send_kind(ToClientRequestStart(actor_id, method, path, headers or {}, body, stream))
        return exchange

    def open_websocket(
        self, actor_id: str = "a1", path: str = "/", *, headers: Mapping[str, str] | None = None
    ) -> ClientWebSocket:
        """Open a client's WebSocket; await the handle's `ClientWebSocket.opened`."""
        socket = ClientWebSocket(self, self._memory.new_request_key())
        self._memory.add(socket)
        socket.send_kind(ToClientWebSocketOpen(actor_id, path, headers or {}))
        return socket
