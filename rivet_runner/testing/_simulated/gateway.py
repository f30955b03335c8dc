"""The gateway: the table of open requests, the tunnel, garbage collection, and the keepalive of hibernating requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol

from rivet_runner.protocol.v3 import (
    MessageId,
    ToClient,
    ToClientTunnelMessage,
    ToClientTunnelMessageKind,
    ToClientWebSocketMessage,
    ToServerTunnelMessage,
)
from rivet_runner.testing._simulated.actor_spec import ActorSignal
from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.hibernation import HibernationIndex
from rivet_runner.testing._simulated.ids import Ids
from rivet_runner.testing._simulated.in_flight import DropReason, InFlightRequest, InFlightState, PendingMessages
from rivet_runner.testing._simulated.settings import EngineSettings
from rivet_runner.testing._simulated.timers import Timer, Timers

__all__ = ["Gateway", "GatewayCluster", "Keepalive"]

RESENT_AT_ONCE: Final = 64
"""Messages that are sent again in a turn of the event loop. So the ring of the runner's connection takes them all."""


class GatewayCluster(Protocol):
    """The rest of the engine, as the gateway sees it."""

    def find_actor(self, actor_id: str) -> SimulatedActor | None: ...

    def subscribe(self, actor_id: str, callback: Callable[[ActorSignal], None]) -> Callable[[], None]:
        """Call ``callback`` for each signal of the actor. Returns a function that ends the subscription."""

    def send_to_runner(self, runner_id: str, message: ToClient) -> None: ...

    def is_connected(self, runner_id: str) -> bool: ...

    def decided_on_request(self, record: InFlightRequest, what: str, *details: Any) -> None: ...


class Gateway:
    """One gateway. Its id changes with each start of the engine."""

    def __init__(
        self,
        *,
        ids: Ids,
        cluster: GatewayCluster,
        index: HibernationIndex,
        timers: Timers,
        random: Random,
        settings: EngineSettings,
    ) -> None:
        self.gateway_id: bytes = ids.new_gateway_id()
        self.cluster = cluster
        self.index = index
        self.timers = timers
        self.settings = settings
        self._ids = ids
        self._random = random
        self._records: dict[bytes, InFlightRequest] = {}
        self._began = timers.now()
        self._gc_timer: Timer | None = None
        self._gc_tick = 0

    def __len__(self) -> int:
        return len(self._records)

    # The table

    def new_key(self) -> bytes:
        """Gateway id and a request id that no open request has."""
        return self._ids.new_request_key(self.gateway_id, self._records)

    def start(self, key: bytes, actor_id: str, runner_id: str, state: InFlightState) -> InFlightRequest:
        """The record of a request that begins, or that is retried with the next message index."""
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = InFlightRequest(key, actor_id, runner_id, state)
        record.runner_id = runner_id
        record.state = state
        record.stopping = False
        return record

    def reattach(self, key: bytes, runner_id: str) -> InFlightRequest | None:
        """The record of a request that comes back from hibernation, or `None` if it was collected."""
        record = self._records.get(key)
        if record is not None:
            record.runner_id = runner_id
            record.state = InFlightState.ACTIVE
        return record

    def release(self, record: InFlightRequest) -> None:
        """Detach the request from its handler, for now or for good. Messages of the runner about it are lost."""
        record.release()
        self._collect_after(self.timers.now())

    def finish(self, key: bytes) -> None:
        """Remove a request that has ended."""
        self._records.pop(key, None)
        if not self._records and self._gc_timer is not None:
            self._gc_timer.cancel()
            self._gc_timer = None

    # The tunnel

    def receive(self, message: ToServerTunnelMessage) -> None:
        """Take a message of a runner. The engine neither looks at the runner's index nor at the owner of the request."""
        message_id = message.message_id
        record = self._records.get(message_id.gateway_id + message_id.request_id)
        if record is None or not record.receive(message.message_kind):
            kind = type(message.message_kind).__name__
            self.cluster.decided_on_request(
                record or _unknown(message_id.gateway_id + message_id.request_id), "dropped", kind
            )

    def send(self, record: InFlightRequest, kind: ToClientTunnelMessageKind) -> int:
        """Send to the runner of the request, and return the index of the message."""
        index = record.take_index()
        self._send(record, index, kind)
        return index

    def send_client_message(self, record: InFlightRequest, message: ToClientWebSocketMessage) -> bool:
        """Send a client's message. Returns `False` if the engine keeps no more unacknowledged messages of this request."""
        pending = record.pending
        if pending is None:
            self.send(record, message)
            return True
        if (
            pending.total_size + len(message.data) > self.settings.gateway_hws_max_pending_size
            or len(pending.messages) >= self.settings.max_pending_messages
        ):
            return False
        index = record.take_index()
        now = self.timers.now()
        pending.add(index, message, now)
        self._collect_after(now + self.settings.gateway_hws_message_ack_timeout_ms)
        self._send(record, index, message)
        return True

    async def resend_pending(self, record: InFlightRequest, *, ended: Callable[[], bool]) -> None:
        """Send every unacknowledged message again, with its old index, until ``ended`` says that it is of no use any more.

        Cancelling is safe.
        """
        messages = [] if record.pending is None else record.pending.messages
        for count, pending in enumerate(messages, start=1):
            if ended():
                return
            self._send(record, pending.index, pending.message)
            if count % RESENT_AT_ONCE == 0:
                await asyncio.sleep(0)

    def allow_hibernation(self, record: InFlightRequest) -> None:
        if record.pending is None:
            now = self.timers.now()
            record.pending = PendingMessages()
            record.last_keepalive_ts = now
            self._collect_after(now + self.settings.hibernating_request_eligible_threshold)

    def keepalive(self, record: InFlightRequest) -> Keepalive:
        """Keep the request in the index of hibernating requests until the returned object is stopped."""
        return Keepalive(self, record, self._random)

    def _send(self, record: InFlightRequest, index: int, kind: ToClientTunnelMessageKind) -> None:
        message_id = MessageId(record.key[:4], record.key[4:], index)
        self.cluster.send_to_runner(record.runner_id, ToClientTunnelMessage(message_id, kind))

    # Giving requests up

    def runner_disconnected(self, runner_id: str) -> None:
        """Drop its open WebSockets if it stays away, as they get no answer to the pings of the tunnel."""
        timeout = self.settings.gateway_tunnel_ping_timeout_ms
        self.timers.call_later(timeout, self._look_at_pings, runner_id, self.timers.now())

    def _look_at_pings(self, runner_id: str, since: int) -> None:
        if self.cluster.is_connected(runner_id):
            return
        for record in list(self._records.values()):
            # The tunnel of a hibernating WebSocket is not pinged: it outlives the runner.
            if record.runner_id == runner_id and record.attached and not record.stopping:
                self._drop(record, DropReason.TUNNEL_PING_TIMEOUT)

    def _collect_after(self, when: int) -> None:
        """Look for garbage at the first tick after ``when``, in milliseconds. Ticks count from the start of the engine."""
        interval = self.settings.gateway_gc_interval_ms
        tick = self._began + (max(when, self.timers.now()) - self._began) // interval * interval + interval
        if self._gc_timer is not None:
            if self._gc_tick <= tick:
                return
            self._gc_timer.cancel()
        self._gc_tick = tick
        self._gc_timer = self.timers.call_at(tick, self._collect)

    def _collect(self) -> None:
        self._gc_timer = None
        for record in list(self._records.values()):
            if record.stopping:
                if record.handler is None:
                    self._records.pop(record.key, None)
            elif self._is_garbage(record):
                self._drop(record, DropReason.GARBAGE_COLLECTED)
        due = [when for record in self._records.values() if (when := self._may_be_garbage_at(record)) is not None]
        if due:
            self._collect_after(min(due))

    def _may_be_garbage_at(self, record: InFlightRequest) -> int | None:
        """The time from which a record may be garbage, or `None` if it depends on an event."""
        if record.pending is None or record.stopping:
            return None if record.handler is not None else self.timers.now()
        silent = record.last_keepalive_ts + self.settings.hibernating_request_eligible_threshold
        oldest = record.pending.oldest_ts
        return silent if oldest is None else min(silent, oldest + self.settings.gateway_hws_message_ack_timeout_ms)

    def _is_garbage(self, record: InFlightRequest) -> bool:
        pending, now = record.pending, self.timers.now()
        if pending is None:
            return record.handler is None
        oldest = pending.oldest_ts
        if oldest is not None and oldest < now - self.settings.gateway_hws_message_ack_timeout_ms:
            return True
        return record.last_keepalive_ts < now - self.settings.hibernating_request_eligible_threshold

    def _drop(self, record: InFlightRequest, reason: DropReason) -> None:
        self.cluster.decided_on_request(record, reason.value)
        record.drop(reason)


class Keepalive:
    """Pings one hibernating request: at once and then at half the threshold, each time up to 127 ms late.

    An actor that sleeps within that delay may start again with a list that lacks the request.
    """

    def __init__(self, gateway: Gateway, record: InFlightRequest, random: Random) -> None:
        self._gateway = gateway
        self._record = record
        self._random = random
        self._next = gateway.timers.now()
        self._timer = self._arm()

    def stop(self) -> None:
        self._timer.cancel()

    def _arm(self) -> Timer:
        jitter = self._random.randrange(self._gateway.settings.keepalive_jitter_ms)
        return self._gateway.timers.call_at(self._next + jitter, self._ping)

    def _ping(self) -> None:
        gateway, record = self._gateway, self._record
        now = gateway.timers.now()
        gateway.index.upsert(record.actor_id, record.key, now)
        record.last_keepalive_ts = now
        self._next += gateway.settings.hibernating_request_eligible_threshold // 2
        self._timer = self._arm()


def _unknown(key: bytes) -> InFlightRequest:
    return InFlightRequest(key, "", "", InFlightState.CLOSED)
