"""Requests to an actor through the gateway, wherever the actor is by now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from rivet_runner._connection.client_transport import Reply
from rivet_runner.actors._client.link import Link
from rivet_runner.actors._client.replies import engine_error
from rivet_runner.actors._client.targets import Target, is_gone
from rivet_runner.actors.errors import ActorError

__all__ = ["ask_actor"]

FIRST_RETRY_SECONDS: Final = 0.15
"""The gateway sends a request again that an actor may have begun, but not sooner than this. So if it says earlier that there
is no such actor, nothing has run, and the client may repeat the request without doing anything twice."""


async def ask_actor(link: Link, target: Target, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Send a request and return the actor's response, of any status.

    The id that a handle remembers may be that of an actor that was destroyed. Then the engine is asked for the actor of the
    same key once more.

    Raises `ActorError` if the gateway answers in place of the actor, and `ClientError`. Cancelling is safe.
    """
    clock = asyncio.get_running_loop().time
    actor_id = await target.actor_id()
    sent = clock()
    reply = await link.ask_actor(actor_id, method, path, headers, body)
    try:
        return _of_actor(reply)
    except ActorError as error:
        if not is_gone(error):
            raise
        target.doubt(actor_id)
        if clock() - sent >= FIRST_RETRY_SECONDS:
            raise
        successor = await target.actor_id()
        if successor == actor_id:
            raise
    return _of_actor(await link.ask_actor(successor, method, path, headers, body))


def _of_actor(reply: Reply) -> Reply:
    """The reply, if it is the actor's. Raises `ActorError`."""
    error = engine_error(reply)
    if error is not None:
        raise error
    return reply
