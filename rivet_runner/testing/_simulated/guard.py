"""The guard: finds the runner of an actor, wakes an actor that sleeps, retries, and answers with errors.

Each client's request and WebSocket is a task of one group. A graceful stop waits for the group until a deadline, and then
cuts the rest off.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from rivet_runner._tasks import TaskGroup
from rivet_runner.protocol.v3 import ToServerResponseStart
from rivet_runner.testing._simulated.actor_spec import ActorSignal
from rivet_runner.testing._simulated.client_port import ClientPort
from rivet_runner.testing._simulated.errors import EngineError, close_reason
from rivet_runner.testing._simulated.gateway import Gateway
from rivet_runner.testing._simulated.gateway_request import ClientRequest, attempt_request
from rivet_runner.testing._simulated.gateway_websocket import (
    Attachment,
    ClientUpgrade,
    Ending,
    attempt_open,
    hibernate,
)
from rivet_runner.testing._simulated.ids import Ids
from rivet_runner.testing._simulated.in_flight import InFlightRequest
from rivet_runner.testing._simulated.timers import Timer

__all__ = ["Guard"]

log = logging.getLogger("rivet_runner.testing")

RETRYABLE: Final = frozenset(
    f"guard.{code}"
    for code in (
        "service_unavailable",
        "actor_ready_timeout",
        "actor_stopped_while_waiting",
        "tunnel_request_aborted",
        "tunnel_message_timeout",
        "tunnel_response_closed",
        "gateway_response_start_timeout",
    )
)
RETRYABLE_STATUSES: Final = frozenset({503, 504})
"""A response with one of these, and with one of the errors above in ``x-rivet-error``, is retried too."""

RETRYABLE_OPENS: Final = frozenset(
    f"guard.{code}"
    for code in (
        "websocket_closed_before_open",
        "websocket_open_timeout",
        "actor_stopped_while_waiting_for_websocket_open",
    )
)

ERROR_CLOSE: Final = 1011
NORMAL_CLOSE: Final = 1000
BROKEN: Final = 1006


class Guard:
    """Serves clients. Run `request` and `serve_websocket` in a task of the group `tasks`."""

    def __init__(self, gateway: Gateway, ids: Ids) -> None:
        self.gateway = gateway
        self.tasks: TaskGroup = TaskGroup("guard", log)
        self._ids = ids
        self._clients: dict[ClientPort, None] = {}

    # Routing

    async def resolve(self, actor_id: str, *, waits: bool = True) -> str:
        """Return the runner of an actor. Wakes an actor that sleeps, and waits until it is ready.

        Without ``waits`` an actor that a runner has counts as ready.

        Raises `EngineError`: ``actor.not_found``, ``actor.destroyed_while_waiting_for_ready``,
        ``guard.actor_wake_retries_exceeded``, ``guard.actor_ready_timeout``. Cancelling is safe.
        """
        actor = self.gateway.cluster.find_actor(actor_id)
        if actor is None or actor.destroy_ts is not None:
            raise EngineError("actor.not_found")
        if actor.runner_id is not None and (actor.connectable or not waits):
            return actor.runner_id
        wait = _ReadyWait(self.gateway, actor_id)
        try:
            if actor.gateway_sees_sleeping:
                wait.wake()
            return await wait.settled
        finally:
            wait.end()

    # HTTP

    async def request(self, request: ClientRequest) -> ToServerResponseStart:
        """Carry a request out, with the engine's retries. Each attempt has the same key and body.

        Raises `EngineError` for an answer of the engine's own. Cancelling is safe.
        """
        settings = self.gateway.settings
        if request.body is not None and len(request.body) > settings.http_max_request_body_size:
            raise EngineError("guard.invalid_request_body")
        key = self.gateway.new_key()
        try:
            for attempt in range(settings.retry_attempts):
                runner_id = await self.resolve(request.actor_id, waits=request.waits)
                try:
                    answer = await attempt_request(self.gateway, key, runner_id, request)
                except EngineError as error:
                    if error.name not in RETRYABLE:
                        raise
                    last_code, last_status = error.code, error.status
                else:
                    refusal = _retryable_answer(answer)
                    if refusal is None:
                        return answer
                    last_code, last_status = refusal, answer.status
                await self._pause(attempt)
        finally:
            self.gateway.finish(key)
        metadata = {
            "attempts": settings.retry_attempts,
            "last_error_code": last_code,
            "last_status": last_status,
            "last_target_kind": "custom_serve",
        }
        raise EngineError("guard.retry_attempts_exceeded", metadata=metadata)

    async def _pause(self, attempt: int) -> None:
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        delay = self.gateway.settings.retry_initial_interval_ms * 2**attempt
        timer = self.gateway.timers.call_later(delay, _finish, over)
        try:
            await over
        finally:
            timer.cancel()

    # WebSockets

    async def serve_websocket(self, upgrade: ClientUpgrade, client: ClientPort) -> None:
        """Serve a client from its open to its end, hibernation included. Cancelling cuts the client off."""
        self._clients[client] = None
        key = self.gateway.new_key()
        try:
            code, reason = await self._until_closed(key, upgrade, client)
            client.close(code, reason)
        except EngineError as error:
            client.close(ERROR_CLOSE, close_reason(error.name, self._ids.new()))
        finally:
            client.close(BROKEN, "")
            self.gateway.finish(key)
            self._clients.pop(client, None)

    async def _until_closed(self, key: bytes, upgrade: ClientUpgrade, client: ClientPort) -> tuple[int, str]:
        record = await self._open(key, upgrade)
        self.gateway.cluster.decided_on_request(record, "attached", record.runner_id)
        restored = False
        while True:
            attachment = Attachment(self.gateway, record, client)
            ending = await attachment.run(restored=restored)
            if ending is not Ending.HIBERNATE:
                return _close_frame(ending, attachment)
            self.gateway.cluster.decided_on_request(record, "hibernates")
            await hibernate(self.gateway, record, client)
            record = await self._reattach(key, upgrade.actor_id)
            restored = True

    async def _open(self, key: bytes, upgrade: ClientUpgrade) -> InFlightRequest:
        for attempt in range(self.gateway.settings.retry_attempts):
            runner_id = await self.resolve(upgrade.actor_id, waits=upgrade.waits)
            try:
                return await attempt_open(self.gateway, key, runner_id, upgrade)
            except EngineError as error:
                if error.name not in RETRYABLE_OPENS:
                    raise
            await self._pause(attempt)
        runner_id = await self.resolve(upgrade.actor_id, waits=upgrade.waits)
        return await attempt_open(self.gateway, key, runner_id, upgrade)

    async def _reattach(self, key: bytes, actor_id: str) -> InFlightRequest:
        runner_id = await self.resolve(actor_id)
        record = self.gateway.reattach(key, runner_id)
        if record is None:
            raise EngineError("core.internal_error")
        self.gateway.cluster.decided_on_request(record, "attached again", runner_id)
        return record

    # Stop

    async def drain(self, seconds: float) -> bool:
        """Wait for the open requests and WebSockets, then cut off the rest. Returns whether all ended by themselves."""
        idle = await self.tasks.wait_idle(seconds)
        self.cut()
        return idle

    @property
    def is_closed(self) -> bool:
        """Whether it takes no clients any more."""
        return self.tasks.closed

    def cut(self) -> None:
        """Break every client's connection without a close frame, in the order in which they came, and take no more."""
        self.tasks.close()
        for client in list(self._clients):
            client.close(BROKEN, "")


class _ReadyWait:
    """Waits for an actor to be ready, and wakes it again when it stops instead."""

    def __init__(self, gateway: Gateway, actor_id: str) -> None:
        self._gateway = gateway
        self._actor_id = actor_id
        self._wakes_left = gateway.settings.wake_retries
        self.settled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._unsubscribe = gateway.cluster.subscribe(actor_id, self._signalled)
        self._timer = self._start_timer()

    def wake(self) -> None:
        actor = self._gateway.cluster.find_actor(self._actor_id)
        if actor is not None:
            actor.wake(pending_timeout=self._gateway.settings.actor_force_wake_pending_timeout_ms)

    def end(self) -> None:
        self._timer.cancel()
        self._unsubscribe()

    def _start_timer(self) -> Timer:
        timeout = self._gateway.settings.actor_ready_timeout_ms
        return self._gateway.timers.call_later(timeout, self._fail, "guard.actor_ready_timeout")

    def _signalled(self, signal: ActorSignal) -> None:
        if self.settled.done():
            return
        if signal is ActorSignal.READY:
            actor = self._gateway.cluster.find_actor(self._actor_id)
            assert actor is not None
            assert actor.runner_id is not None
            self.settled.set_result(actor.runner_id)
        elif signal is ActorSignal.DESTROYED:
            self._fail("actor.destroyed_while_waiting_for_ready")
        elif self._wakes_left == 0:
            self._fail("guard.actor_wake_retries_exceeded")
        else:
            self._wakes_left -= 1
            self._timer.cancel()
            self._timer = self._start_timer()
            # The actor is still in its transition here. A signal of the real engine comes later too.
            self._gateway.timers.call_later(0, self.wake)

    def _fail(self, name: str) -> None:
        if not self.settled.done():
            self.settled.set_exception(EngineError(name))


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _retryable_answer(answer: ToServerResponseStart) -> str | None:
    """The error code for which an actor's own answer is retried, or `None` if it goes to the client."""
    if answer.status not in RETRYABLE_STATUSES:
        return None
    for name, value in answer.headers.items():
        if name.lower() == "x-rivet-error" and value in RETRYABLE:
            return value.removeprefix("guard.")
    return None


def _close_frame(ending: Ending, attachment: Attachment) -> tuple[int, str]:
    """The close frame that the client gets at the end."""
    if ending is Ending.ACTOR_STOPPED:
        return NORMAL_CLOSE, "actor.stopped"
    if ending is Ending.RUNNER_CLOSED and attachment.close_code is None:
        return NORMAL_CLOSE, "ws.closed"
    code = attachment.close_code
    return (BROKEN, "") if code is None else (code, attachment.close_reason or "")
