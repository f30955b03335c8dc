"""The engine's errors: a group, a code, and the HTTP status that goes with them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["EngineError", "close_reason"]

STATUSES: Final[dict[str, int]] = {
    "api.not_found": 404,
    "actor.not_found": 404,
    "guard.no_route": 404,
    "api.unauthorized": 401,
    "api.forbidden": 403,
    "guard.invalid_request_body": 413,
    "guard.rate_limit": 429,
    "guard.upstream_error": 502,
    "guard.routing_error": 502,
    "guard.retry_attempts_exceeded": 502,
    "guard.invalid_response_body": 502,
    "guard.service_unavailable": 503,
    "guard.actor_stopped_while_waiting": 503,
    "guard.tunnel_request_aborted": 503,
    "guard.tunnel_response_closed": 503,
    "guard.actor_ready_timeout": 503,
    "guard.request_timeout": 504,
    "guard.tunnel_message_timeout": 504,
    "guard.gateway_response_start_timeout": 504,
    "core.internal_error": 500,
}
"""The gateway's HTTP statuses. Every other error is a 400. The management API answers 400 for ``actor.not_found`` too."""

MESSAGES: Final[dict[str, str]] = {
    "actor.not_found": "The actor does not exist or was destroyed.",
    "actor.destroyed_while_waiting_for_ready": "The actor was destroyed while waiting for it to be ready.",
    "core.internal_error": "An internal error occurred",
    "guard.actor_ready_timeout": "The actor did not become ready in time.",
    "guard.actor_stopped_while_waiting": "The actor stopped before it answered.",
    "guard.actor_wake_retries_exceeded": "The actor stopped again each time it was woken.",
    "guard.gateway_response_start_timeout": "The actor did not answer in time.",
    "guard.invalid_request_body": "The request body is too large.",
    "guard.retry_attempts_exceeded": "All attempts failed.",
    "guard.tunnel_request_aborted": "The runner aborted the request.",
}

MAX_REASON: Final = 123
"""Bytes of a WebSocket close reason."""


class EngineError(Exception):
    """An error answer of the engine. ``name`` is ``group.code``. The texts of the messages are the simulation's own."""

    def __init__(self, name: str, message: str | None = None, metadata: Any = None) -> None:
        self.group, _, self.code = name.partition(".")
        self.name = name
        self.message = message or MESSAGES.get(name, name)
        self.metadata = metadata
        super().__init__(f"{name}: {self.message}")

    @property
    def status(self) -> int:
        """The HTTP status of a gateway's answer."""
        return STATUSES.get(self.name, 400)

    def body(self) -> bytes:
        """The JSON of an answer."""
        fields = {"group": self.group, "code": self.code, "message": self.message}
        if self.metadata is not None:
            fields["metadata"] = self.metadata
        return msgspec.json.encode(fields)


def close_reason(name: str, ray_id: str) -> str:
    """The reason of a close frame that the engine sends of its own accord."""
    return f"{name}#{ray_id}".encode()[:MAX_REASON].decode("utf-8", "ignore")
