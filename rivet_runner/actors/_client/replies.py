"""Answers to a client: those of the actor, and those of the engine, which speak for it when it does not."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from rivet_runner._connection.client_transport import Reply
from rivet_runner.actors._wire.encodings import Codec
from rivet_runner.actors._wire.messages import Error
from rivet_runner.actors.errors import ActorError, ClientError, UserError
from rivet_runner.errors import DecodeError

__all__ = ["USER", "actor_error", "engine_error", "error_in_reason", "json_of", "output_of"]

USER: Final = "user"
"""The group of errors that the code of an actor raises for its callers."""

ENGINE_ERROR_HEADER: Final = "x-rivet-error"
"""The gateway's own answers have it, with ``group.code``."""

RAY_HEADER: Final = "x-rivet-ray-id"
"""All answers of an engine have it, also those that it passes on."""

EXCERPT: Final = 300
"""Characters of an answer that is not understood, which show where it came from."""

ADVICE: Final = {
    "actor.no_runner_config_configured": "start a runner of this pool, or correct the pool (RIVET_POOL)",
    "api.forbidden": "correct the token (RIVET_TOKEN)",
    "api.unauthorized": "set the token (RIVET_TOKEN)",
    "guard.actor_ready_timeout": "the actor did not start in time: is a runner of its pool connected, and has it room?",
    "namespace.not_found": "correct the namespace (RIVET_NAMESPACE)",
}
"""What to do about errors of the engine."""

# The engine adds the id of the event in its logs after a `#`.
_REASON: Final = re.compile(r"(?P<group>[a-z0-9_-]+)\.(?P<code>[a-z0-9_-]+)(#.*)?", re.IGNORECASE)

T = TypeVar("T")


class _ErrorBody(msgspec.Struct, frozen=True):
    group: str
    code: str
    message: str
    metadata: Any = None


def actor_error(error: Error) -> ActorError:
    """The exception for an error of an actor."""
    return _exception(error.group, error.code, error.message, error.metadata)


def engine_error(reply: Reply) -> ActorError | None:
    """The error that the gateway has answered in place of the actor, or `None` if the actor has answered."""
    return _engine_error(reply) if ENGINE_ERROR_HEADER in reply.headers else None


def json_of(reply: Reply, kind: type[T]) -> T:
    """The answer of the engine's API. Raises `ActorError` for an error of the engine, or for an answer that is none."""
    if not 200 <= reply.status < 300:
        raise _engine_error(reply)
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.DecodeError:
        raise _unexpected(reply) from None


def output_of(reply: Reply, codec: Codec, what: str) -> Any:
    """The output of an action. Raises `ActorError` for an error of the actor, and `ClientError` for garbage."""
    succeeded = 200 <= reply.status < 300
    try:
        if succeeded:
            return codec.decode_action_response(reply.body)
        error = codec.decode_error(reply.body)
    except DecodeError as garbage:
        if succeeded:
            raise ClientError(f"the answer to {what} cannot be read: {garbage}") from None
        # A proxy, or an engine without the header.
        raise _engine_error(reply) from None
    raise actor_error(error)


def error_in_reason(reason: str) -> ActorError | None:
    """The error that the reason of a close frame names, or `None` if it is free text."""
    named = _REASON.fullmatch(reason)
    if named is None:
        return None
    return _advised(named["group"], named["code"], "the connection was closed for this reason")


def _engine_error(reply: Reply) -> ActorError:
    try:
        body = msgspec.json.decode(reply.body, type=_ErrorBody)
    except msgspec.DecodeError:
        return _unexpected(reply)
    return _advised(body.group, body.code, body.message, body.metadata)


def _advised(group: str, code: str, message: str, metadata: Any = None) -> ActorError:
    advice = ADVICE.get(f"{group}.{code}")
    return _exception(group, code, message if advice is None else f"{message.rstrip('.')}; {advice}", metadata)


def _exception(group: str, code: str, message: str, metadata: Any) -> ActorError:
    is_user = group == USER
    error = UserError(message, code, metadata) if is_user else ActorError(group, code, message, metadata)
    error.received = True
    return error


def _unexpected(reply: Reply) -> ActorError:
    excerpt = " ".join(reply.body.decode(errors="replace").split())[:EXCERPT]
    message = f"HTTP {reply.status} {excerpt}".rstrip()
    if RAY_HEADER not in reply.headers:
        message += "; correct the endpoint (RIVET_ENDPOINT) if no Rivet Engine is there"
    return ActorError("http", "unexpected_answer", message)
