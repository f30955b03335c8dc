"""How a live connection is opened, and whether one that has ended is worth another attempt."""

from __future__ import annotations

import re
from typing import Any, Final

from rivet_runner._connection.client_transport import TransportSocket
from rivet_runner.actors._client.link import Link
from rivet_runner.actors._client.replies import USER, actor_error, error_in_reason
from rivet_runner.actors._client.session import End, OnEvent, Session
from rivet_runner.actors._client.targets import Target, is_gone
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors._wire.messages import Error, Init
from rivet_runner.actors._wire.subprotocols import offered
from rivet_runner.actors.errors import ActorError, ClientError, ConnectionLost
from rivet_runner.errors import DecodeError, WebSocketClosed

__all__ = ["is_temporary", "may_come_back", "open_session", "was_disconnected"]

PATH: Final = "/connect"

NORMAL: Final = 1000

_CLOSED_FOR_THE_ACTOR: Final = re.compile(r"(actor|ws|guard|pegboard|core)\.[a-z_]+(#.*)?")
"""Reasons of the engine and the runner. A close with 1000 and another reason is a disconnect by the actor's code."""

_REFUSED_AGAIN: Final = frozenset({"actor.too_many_subscriptions", "actor.unsupported_websocket_encoding"})
"""What would end the next connection too."""

_TEMPORARY_GROUPS: Final = frozenset({"guard", "core", "ws", "pegboard", "http"})

_TEMPORARY: Final = frozenset(
    f"actor.{code}"
    for code in (
        "stopped",
        "stopping",
        "restarting",
        "destroyed_while_waiting_for_ready",
        "destroyed_during_creation",
    )
)


async def open_session(link: Link, target: Target, codec: Codec, params: Any, on_event: OnEvent) -> Session:
    """Open a connection and wait for its init.

    Raises `ActorError` if it is refused, and `ClientError` if the way there breaks. Cancelling drops the connection.
    """
    actor_id = await target.actor_id()
    try:
        return await _open(link, actor_id, codec, params, on_event)
    except ActorError as error:
        if not is_gone(error):
            raise
        target.doubt(actor_id)
        successor = await target.actor_id()
        if successor == actor_id:
            raise ConnectionLost(f"{target} is not where the engine expects it, or not yet: try again ({error})") from None
    # Nothing has run yet, so this may be repeated.
    return await _open(link, successor, codec, params, on_event)


async def _open(link: Link, actor_id: str, codec: Codec, params: Any, on_event: OnEvent) -> Session:
    socket = await link.connect(actor_id, PATH, offered(codec.encoding, params))
    try:
        return Session(socket, codec, await _init(socket, codec), on_event)
    except BaseException:
        socket.abort()
        raise


async def _init(socket: TransportSocket, codec: Codec) -> Init:
    refusal: ActorError | None = None
    try:
        while True:
            message = codec.decode_to_client(await socket.recv())
            if isinstance(message, Init):
                return message
            if isinstance(message, Error):
                refusal = actor_error(message)
    except WebSocketClosed as closed:
        raise _refused(closed, refusal) from None
    except DecodeError as error:
        raise ClientError(f"the actor's first message cannot be read: {error}") from None


def _refused(closed: WebSocketClosed, refusal: ActorError | None) -> ActorError | ConnectionLost:
    error = refusal or error_in_reason(closed.reason)
    if error is not None:
        return error
    return ConnectionLost(f"the connection was closed before the actor had accepted it ({closed.code} {closed.reason})")


def was_disconnected(end: End) -> bool:
    """Whether the actor's own code has closed the connection."""
    return end.code == NORMAL and end.told is None and not _CLOSED_FOR_THE_ACTOR.fullmatch(end.reason)


def may_come_back(end: End) -> bool:
    """Whether a connection that has ended is worth another one.

    An actor that is gone may have a successor, and a message that was refused is not sent again.
    """
    cause = end.cause
    return cause is None or not (cause.group == USER or f"{cause.group}.{cause.code}" in _REFUSED_AGAIN)


def is_temporary(error: BaseException | None) -> bool:
    """Whether another attempt may mend ``error``, which is `None` if the reason is unknown."""
    if isinstance(error, ActorError):
        return error.group in _TEMPORARY_GROUPS or f"{error.group}.{error.code}" in _TEMPORARY
    return error is None or isinstance(error, ClientError)
