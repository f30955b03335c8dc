"""The engine's HTTP answers as types, and its errors as one exception.

Fields that the engine may leave out default to `None`, and unknown fields are ignored, so other versions of the
engine work too. Times are in milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from rivet_runner.errors import RivetRunnerError
from rivet_runner.testing.http_client import HttpResponse

__all__ = [
    "ActorInfo",
    "EngineApiError",
    "EngineHealth",
    "EngineMetadata",
    "NamespaceInfo",
    "RunnerInfo",
    "decode_answer",
]

_Answer = TypeVar("_Answer")

# So much of an answer that is not JSON shows where it came from.
_EXCERPT_CHARACTERS = 300


class ActorInfo(msgspec.Struct, frozen=True):
    """An actor from the engine's side."""

    actor_id: str
    name: str
    create_ts: int
    key: str | None = None
    namespace_id: str | None = None
    datacenter: str | None = None
    runner_name_selector: str | None = None
    crash_policy: str | None = None
    start_ts: int | None = None
    pending_allocation_ts: int | None = None
    connectable_ts: int | None = None
    """Set while the actor runs and accepts requests."""
    sleep_ts: int | None = None
    """Set while the actor sleeps."""
    reschedule_ts: int | None = None
    destroy_ts: int | None = None
    """Set when the actor is destroyed."""
    error: Any = None
    """Why the actor does not run: a name such as ``no_capacity``, or ``{"crashed": {"message": …}}``."""


class RunnerInfo(msgspec.Struct, frozen=True):
    """A runner from the engine's side."""

    runner_id: str
    name: str
    key: str
    version: int
    total_slots: int
    remaining_slots: int
    create_ts: int
    namespace_id: str | None = None
    datacenter: str | None = None
    drain_ts: int | None = None
    stop_ts: int | None = None
    last_ping_ts: int | None = None
    last_connected_ts: int | None = None
    last_rtt: int | None = None
    metadata: Any = None


class NamespaceInfo(msgspec.Struct, frozen=True):
    """A namespace."""

    namespace_id: str
    name: str
    create_ts: int
    display_name: str | None = None


class EngineHealth(msgspec.Struct, frozen=True):
    """The answer of ``GET /health``."""

    runtime: str
    status: str
    version: str | None = None


class EngineMetadata(msgspec.Struct, frozen=True):
    """The answer of ``GET /metadata``."""

    runtime: str
    version: str


class EngineApiError(RivetRunnerError):
    """The engine answered a call with an error.

    ``status`` is the HTTP status. ``group``, ``code``, ``message`` and ``metadata`` come from the engine. An answer
    in another form, for example from a proxy, has the group ``http`` and the code ``unexpected_answer``.
    """

    def __init__(self, status: int, group: str, code: str, message: str, metadata: Any = None) -> None:
        super().__init__(f"{group}.{code} (HTTP {status}): {message}")
        self.status = status
        self.group = group
        self.code = code
        self.message = message
        self.metadata = metadata


class _ErrorBody(msgspec.Struct, frozen=True):
    group: str
    code: str
    message: str
    metadata: Any = None


def decode_answer(response: HttpResponse, answer_type: type[_Answer]) -> _Answer:
    """Return the body of a successful response as ``answer_type``. Raises `EngineApiError` for any other response."""
    if not 200 <= response.status < 300:
        raise _error_of(response)
    try:
        return msgspec.json.decode(response.body, type=answer_type)
    except msgspec.DecodeError as error:
        raise _unexpected(response) from error


def _error_of(response: HttpResponse) -> EngineApiError:
    try:
        body = msgspec.json.decode(response.body, type=_ErrorBody)
    except msgspec.DecodeError:
        return _unexpected(response)
    return EngineApiError(response.status, body.group, body.code, body.message, body.metadata)


def _unexpected(response: HttpResponse) -> EngineApiError:
    excerpt = response.body.decode(errors="replace")[:_EXCERPT_CHARACTERS]
    return EngineApiError(response.status, "http", "unexpected_answer", excerpt)
