"""One attempt of an HTTP request through the tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from rivet_runner.protocol.v3 import (
    ToClientRequestStart,
    ToServerResponseAbort,
    ToServerResponseStart,
    ToServerTunnelMessageKind,
)
from rivet_runner.testing._simulated.actor_spec import ActorSignal
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.gateway import Gateway
from rivet_runner.testing._simulated.in_flight import InFlightState

__all__ = ["ClientRequest", "attempt_request"]


class ClientRequest(msgspec.Struct, frozen=True):
    """A client's request. ``path`` has the query, and names of headers are in lower case."""

    actor_id: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    waits: bool = True
    """Whether it waits until its actor is ready."""


async def attempt_request(gateway: Gateway, key: bytes, runner_id: str, request: ClientRequest) -> ToServerResponseStart:
    """Send the whole request and wait for the first piece of the answer.

    Raises `EngineError` if the runner aborts it, the actor stops or the time is up. Cancelling is safe.
    """
    record = gateway.start(key, request.actor_id, runner_id, InFlightState.AWAITING_RESPONSE)
    answer: asyncio.Future[ToServerResponseStart] = asyncio.get_running_loop().create_future()

    def fail(name: str) -> None:
        if not answer.done():
            answer.set_exception(EngineError(name))

    def receive(message: ToServerTunnelMessageKind) -> None:
        if isinstance(message, ToServerResponseAbort):
            fail("guard.tunnel_request_aborted")
        elif isinstance(message, ToServerResponseStart) and not answer.done():
            answer.set_result(message)

    def signalled(signal: ActorSignal) -> None:
        if signal is ActorSignal.STOPPED:
            fail("guard.actor_stopped_while_waiting")

    record.handler = receive
    record.on_drop = lambda _: fail("guard.tunnel_message_timeout")
    unsubscribe = gateway.cluster.subscribe(request.actor_id, signalled)
    timeout = gateway.settings.gateway_response_start_timeout_ms
    timer = gateway.timers.call_later(timeout, fail, "guard.gateway_response_start_timeout")
    try:
        gateway.send(
            record,
            ToClientRequestStart(
                request.actor_id, request.method, request.path, request.headers, request.body or None, stream=False
            ),
        )
        return await answer
    finally:
        timer.cancel()
        unsubscribe()
        gateway.release(record)
