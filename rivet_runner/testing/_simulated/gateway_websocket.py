"""A client's WebSocket through the tunnel: the open, one attachment to an actor, and the wait while it hibernates."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from rivet_runner.protocol.v3 import (
    ToClientWebSocketClose,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerTunnelMessageKind,
    ToServerWebSocketClose,
    ToServerWebSocketMessage,
    ToServerWebSocketMessageAck,
    ToServerWebSocketOpen,
)
from rivet_runner.testing._simulated.actor_spec import ActorSignal
from rivet_runner.testing._simulated.client_port import ClientClose, ClientGarbage, ClientMessage, ClientPort
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.gateway import Gateway
from rivet_runner.testing._simulated.in_flight import DropReason, InFlightRequest, InFlightState

__all__ = ["Attachment", "ClientUpgrade", "Ending", "attempt_open", "hibernate"]

NORMAL: Final = 1000
DOWNSTREAM_CLOSED: Final = ToClientWebSocketClose(1011, "ws.downstream_closed")


class ClientUpgrade(msgspec.Struct, frozen=True):
    """A client's upgrade request."""

    actor_id: str
    path: str
    headers: Mapping[str, str]
    waits: bool = True
    """Whether its open waits until its actor is ready."""


async def attempt_open(gateway: Gateway, key: bytes, runner_id: str, upgrade: ClientUpgrade) -> InFlightRequest:
    """Ask the actor to open the WebSocket, and return its active record.

    Raises `EngineError` if the actor closes or stops instead, or does not answer in time. Cancelling is safe.
    """
    record = gateway.start(key, upgrade.actor_id, runner_id, InFlightState.AWAITING_OPEN)
    opening = _Opening(gateway, record)
    unsubscribe = gateway.cluster.subscribe(upgrade.actor_id, opening.signalled)
    timeout = gateway.settings.gateway_websocket_open_timeout_ms
    timer = gateway.timers.call_later(timeout, opening.fail, "guard.websocket_open_timeout")
    try:
        gateway.send(record, ToClientWebSocketOpen(upgrade.actor_id, upgrade.path, upgrade.headers))
        await opening.opened
    except BaseException:
        gateway.release(record)
        raise
    finally:
        timer.cancel()
        unsubscribe()
    record.early = opening.early
    return record


class _Opening:
    """The wait for the actor's answer to an open."""

    def __init__(self, gateway: Gateway, record: InFlightRequest) -> None:
        self._gateway = gateway
        self._record = record
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.early: list[ToServerTunnelMessageKind | ActorSignal] = []
        record.handler = self._receive

    def fail(self, name: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(EngineError(name))

    def signalled(self, signal: ActorSignal) -> None:
        if self.opened.done():
            self.early.append(signal)
        elif signal is ActorSignal.STOPPED:
            self.fail("guard.actor_stopped_while_waiting_for_websocket_open")

    def _receive(self, message: ToServerTunnelMessageKind) -> None:
        if not isinstance(message, ToServerWebSocketOpen):
            self.fail("guard.websocket_closed_before_open")
        elif not self.opened.done():
            if message.can_hibernate:
                self._gateway.allow_hibernation(self._record)
            self.opened.set_result(None)
            # Keep messages of the same read: the attachment takes over in the next turn.
            self._record.handler = self.early.append


class Ending(enum.Enum):
    """How an attachment ends."""

    HIBERNATE = "hibernate"
    RUNNER_CLOSED = "closed by the runner"
    ACTOR_STOPPED = "actor stopped"
    CLIENT_CLOSED = "closed by the client"
    FAILED = "failed"


class Attachment:
    """A client attached to an actor: messages pass in both directions, until one side ends it."""

    def __init__(self, gateway: Gateway, record: InFlightRequest, client: ClientPort) -> None:
        self._gateway = gateway
        self._record = record
        self._client = client
        self._ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._error: str | None = None

    async def run(self, *, restored: bool) -> Ending:
        """Pass messages on until the end.

        Raises `EngineError` for an end that the client sees as 1011. Cancelling is safe.
        """
        gateway, record, client = self._gateway, self._record, self._client
        unsubscribe = gateway.cluster.subscribe(record.actor_id, self._signalled)
        record.handler, record.on_drop = self._from_runner, self._dropped
        keepalive = gateway.keepalive(record) if record.hibernatable else None
        try:
            self._begin()
            if restored:
                await gateway.resend_pending(record, ended=self._ended.done)
            client.on_arrival = self._from_client
            self._from_client()
            ending = await self._ended
        finally:
            client.on_arrival = None
            if keepalive is not None:
                keepalive.stop()
            unsubscribe()
            gateway.release(record)
        if ending is not Ending.HIBERNATE:
            gateway.send(record, self._last_word(ending))
        if self._error is not None:
            raise EngineError(self._error)
        return ending

    def _begin(self) -> None:
        record = self._record
        early, record.early = record.early, []
        for message in early:
            if isinstance(message, ActorSignal):
                self._signalled(message)
            elif not self._ended.done():
                self._from_runner(message)

    def _last_word(self, ending: Ending) -> ToClientWebSocketClose:
        if ending is Ending.FAILED or (ending is Ending.CLIENT_CLOSED and self.close_code is None):
            return DOWNSTREAM_CLOSED
        if ending is Ending.CLIENT_CLOSED:
            return ToClientWebSocketClose(self.close_code, self.close_reason)
        return ToClientWebSocketClose(NORMAL, None)

    def _end(self, ending: Ending) -> None:
        if not self._ended.done():
            # Messages of the runner are lost from here to the next attachment.
            self._gateway.release(self._record)
            self._client.on_arrival = None
            self._ended.set_result(ending)

    def _fail(self, name: str) -> None:
        self._error = name
        self._end(Ending.FAILED)

    def _from_runner(self, message: ToServerTunnelMessageKind) -> None:
        match message:
            case ToServerWebSocketMessage(data=data, binary=binary):
                if not binary:
                    data = data.decode("utf-8", "replace").encode()
                self._client.deliver(ClientMessage(data, binary))
            case ToServerWebSocketMessageAck(index=index):
                if self._record.pending is not None:
                    self._record.pending.acknowledge(index)
            case ToServerWebSocketClose(code=code, reason=reason, hibernate=wants_to_hibernate):
                if wants_to_hibernate and self._record.hibernatable:
                    self._end(Ending.HIBERNATE)
                else:
                    self.close_code, self.close_reason = code, reason
                    self._end(Ending.RUNNER_CLOSED)

    def _signalled(self, signal: ActorSignal) -> None:
        if signal is ActorSignal.STOPPED:
            self._end(Ending.HIBERNATE if self._record.hibernatable else Ending.ACTOR_STOPPED)

    def _dropped(self, reason: DropReason) -> None:
        self._fail(reason.value)

    def _from_client(self) -> None:
        while self._client.incoming and not self._ended.done():
            item = self._client.take()
            if isinstance(item, ClientClose):
                self.close_code, self.close_reason = item.code, item.reason
                self._end(Ending.CLIENT_CLOSED)
            elif isinstance(item, ClientGarbage) or len(item.data) > self._gateway.settings.websocket_max_message_size:
                self._fail("core.internal_error")
            elif not self._gateway.send_client_message(self._record, ToClientWebSocketMessage(item.data, item.binary)):
                self._fail("guard.websocket_pending_limit_reached")


async def hibernate(gateway: Gateway, record: InFlightRequest, client: ClientPort) -> None:
    """Wait until the client sends or leaves, or the actor runs. Returns at once if a message is unacknowledged.

    Attach the WebSocket again in each case, which wakes the actor. Cancelling is safe.
    """
    if record.pending is not None and record.pending.messages:
        return
    keepalive = gateway.keepalive(record)
    woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(*_: object) -> None:
        if not woken.done():
            woken.set_result(None)

    unsubscribe = gateway.cluster.subscribe(record.actor_id, _on_ready(wake))
    client.on_arrival = wake
    try:
        actor = gateway.cluster.find_actor(record.actor_id)
        if client.incoming or (actor is not None and actor.runner_id is not None):
            wake()
        await woken
    finally:
        client.on_arrival = None
        unsubscribe()
        keepalive.stop()
    if client.incoming and isinstance(client.incoming[0], ClientClose):
        gateway.index.delete(record.actor_id, record.key)


def _on_ready(wake: Callable[[], None]) -> Callable[[ActorSignal], None]:
    def signalled(signal: ActorSignal) -> None:
        if signal is ActorSignal.READY:
            wake()

    return signalled
