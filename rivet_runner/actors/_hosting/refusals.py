"""What a caller is told of an error.

Text reaches a caller only if it is meant for it: that of a `UserError` which the actor itself has raised, and that of a
`Refusal`. Any other exception is ``core.internal_error``, and its text stays in the log.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._wire.messages import ActorSpecifier, Error
from rivet_runner.actors.errors import ActorError, UserError

__all__ = ["INTERNAL", "Refusal", "cut_off", "error_for_caller", "is_for_caller", "status_of"]

INTERNAL: Final = ("core", "internal_error", "An internal error occurred")

_STATUSES: Final = {
    ("actor", "action_not_found"): HTTPStatus.NOT_FOUND,
    ("actor", "not_found"): HTTPStatus.NOT_FOUND,
    ("actor", "method_not_allowed"): HTTPStatus.METHOD_NOT_ALLOWED,
    ("actor", "action_timed_out"): HTTPStatus.REQUEST_TIMEOUT,
    ("actor", "invalid_request"): HTTPStatus.BAD_REQUEST,
    ("actor", "validation_error"): HTTPStatus.BAD_REQUEST,
    ("actor", "stopping"): HTTPStatus.SERVICE_UNAVAILABLE,
    ("message", "incoming_too_long"): HTTPStatus.BAD_REQUEST,
    ("message", "outgoing_too_long"): HTTPStatus.BAD_REQUEST,
    ("queue", "unsupported"): HTTPStatus.BAD_REQUEST,
}


class Refusal(ActorError):
    """An error of the hosting itself, such as ``actor.action_not_found``. The caller gets all of it."""


def cut_off(what: str) -> Refusal:
    """The error for the caller of something that a stop has cancelled."""
    return Refusal("actor", "stopping", f"The actor stopped before {what} had ended.")


def is_for_caller(error: BaseException) -> bool:
    """Whether ``error`` is meant for the caller. An error that another actor has answered with is not."""
    return isinstance(error, Refusal) or (isinstance(error, UserError) and not error.received)


def error_for_caller(error: BaseException, actor: ActorSpecifier, action_id: int | None = None) -> Error:
    """Return what the caller is told of ``error``. Metadata that cannot be encoded are left out."""
    if not is_for_caller(error):
        group, code, message = INTERNAL
        return Error(group, code, message, None, action_id, actor)
    assert isinstance(error, ActorError)
    return Error(error.group, error.code, error.message, _metadata(error.metadata), action_id, actor)


def _metadata(metadata: Any) -> Any:
    try:
        return plain(metadata)
    except (TypeError, ValueError):
        return None


def status_of(error: Error) -> int:
    """The HTTP status of an answer with ``error``."""
    if error.group == "user":
        return HTTPStatus.BAD_REQUEST
    return _STATUSES.get((error.group, error.code), HTTPStatus.INTERNAL_SERVER_ERROR)
