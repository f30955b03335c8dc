"""A client's calls, from the request as it comes to the answer as it leaves, without a transport."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from rivet_runner.testing._simulated.answers import error_answer, gateway_answer, preflight_answer
from rivet_runner.testing._simulated.client_port import ClientPort
from rivet_runner.testing._simulated.cluster import Cluster
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.gateway_request import ClientRequest
from rivet_runner.testing._simulated.gateway_websocket import ClientUpgrade
from rivet_runner.testing._simulated.guard import BROKEN
from rivet_runner.testing.http_client import HttpExchangeFailed, HttpResponse

__all__ = ["call_actor", "open_websocket"]


SKIP_WAIT: Final = "x-rivet-skip-ready-wait"
"""The header of a request that does not wait until its actor is ready. It needs an actor that a runner has."""

SKIP_WAIT_VALUES: Final = {"true": True, "1": True, "false": False, "0": False}

SKIP_WAIT_SUBPROTOCOL: Final = "rivet_skip_ready_wait"


async def call_actor(
    cluster: Cluster,
    actor_id: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    waits: bool = True,
) -> HttpResponse:
    """Send a request to an actor and return the answer, that of an error too. ``headers`` are as the actor gets them.

    Without ``waits`` the request goes to an actor that is not ready yet too.

    Raises `HttpExchangeFailed` if the engine is down, or goes down before it answers. Cancelling is a client that leaves.
    """
    cluster.trace.add("client", actor_id, method, path)
    if cluster.guard.is_closed:
        raise HttpExchangeFailed(f"{method} {path}: the engine is down")
    if method.upper() == "OPTIONS":
        return preflight_answer(headers)
    skips = SKIP_WAIT_VALUES.get(headers.get(SKIP_WAIT, "false"))
    if skips is None:
        wrong = {"header": SKIP_WAIT, "detail": "expected true, false, 1, or 0"}
        return error_answer(EngineError("guard.invalid_header", metadata=wrong), headers)
    request = ClientRequest(actor_id, method, path, headers, body, waits and not skips)
    task = cluster.guard.tasks.spawn(cluster.guard.request(request), name=f"request {method} {path}", on_error=_ignore)
    try:
        await _ended(task)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        raise HttpExchangeFailed(f"{method} {path}: the engine closed the connection before it answered")
    try:
        answer = gateway_answer(task.result(), headers)
    except EngineError as error:
        answer = error_answer(error, headers)
    cluster.trace.add("client", actor_id, "answered", answer.status)
    return answer


async def _ended(task: asyncio.Task[Any]) -> None:
    """Wait until a task has ended, in some way. Cancelling is safe."""
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: None if ended.done() else ended.set_result(None))
    await ended


def open_websocket(
    cluster: Cluster, actor_id: str, path: str, headers: Mapping[str, str], client: ClientPort, *, waits: bool = True
) -> None:
    """Serve a client's WebSocket, in a task of the guard. It breaks at once if the engine is down.

    ``waits`` is as for `call_actor`.
    """
    cluster.trace.add("client", actor_id, "websocket", path)
    if cluster.guard.is_closed:
        client.close(BROKEN, "")
        return
    offered = [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",")]
    upgrade = ClientUpgrade(actor_id, path, headers, waits and SKIP_WAIT_SUBPROTOCOL not in offered)
    cluster.guard.tasks.spawn(cluster.guard.serve_websocket(upgrade, client), name=f"websocket {path}")


def _ignore(error: BaseException) -> None:
    """The task that asked gets it."""
