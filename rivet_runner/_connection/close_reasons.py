"""Close reasons of the engine, and the runner's action for each: one table.

The engine's close reasons have the form ``group.error`` or ``group.error#ray_id``. The close *code* adds nothing (over the
versions, both 1000 and 1011 were used for evictions and rejections), so the runner looks at the reason alone. An unknown,
malformed or missing reason is an ordinary disconnect: the runner reconnects after the usual back-off.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final

import msgspec

__all__ = [
    "CLOSE_ACTIONS",
    "NO_CLOSE_FRAME",
    "RUNNER_SHUTDOWN_REASON",
    "CloseAction",
    "CloseReason",
    "close_action",
    "rejection_message",
]

RUNNER_SHUTDOWN_REASON: Final = "pegboard.runner_shutdown"
"""The reason that the runner itself gives when it shuts down."""

NO_CLOSE_FRAME: Final = 1006
"""The close code of RFC 6455 for a connection that ended without a close frame."""

_REASON = re.compile(r"(?P<group>[A-Za-z0-9_-]+)\.(?P<error>[A-Za-z0-9_-]+)(?:#(?P<ray>.*))?", re.DOTALL)


class CloseAction(enum.Enum):
    """The runner's action when the connection has ended."""

    EVICTED = "shut down at once, because another runner has taken this one's name and key"
    SHUT_DOWN = "shut down at once, because the engine asked for it"
    RECONNECT_NOW = "reconnect at once, because the engine is going away and may be back already"
    REJECTED = "give up if init was never answered, else retry slowly"
    RECONNECT = "reconnect after the usual back-off"


CLOSE_ACTIONS: Final[dict[str, CloseAction]] = {
    "ws.eviction": CloseAction.EVICTED,
    RUNNER_SHUTDOWN_REASON: CloseAction.SHUT_DOWN,
    "ws.going_away": CloseAction.RECONNECT_NOW,
    "namespace.not_found": CloseAction.REJECTED,
    "guard.missing_header": CloseAction.REJECTED,
    "api.forbidden": CloseAction.REJECTED,
    "ws.invalid_url": CloseAction.REJECTED,
}


class CloseReason(msgspec.Struct, frozen=True):
    """A close reason of the engine, parsed."""

    group: str
    error: str
    ray_id: str | None = None

    @property
    def name(self) -> str:
        """``group.error``, without the ray id."""
        return f"{self.group}.{self.error}"

    @classmethod
    def parse(cls, reason: str) -> CloseReason | None:
        """Parse ``group.error#ray_id``. Returns ``None`` for text of another form."""
        match = _REASON.fullmatch(reason)
        if match is None:
            return None
        return cls(group=match["group"], error=match["error"], ray_id=match["ray"] or None)


def close_action(reason: CloseReason | None) -> CloseAction:
    """The action for ``reason``. A reason that is not in the table is an ordinary disconnect."""
    if reason is None:
        return CloseAction.RECONNECT
    return CLOSE_ACTIONS.get(reason.name, CloseAction.RECONNECT)


_ADVICE: Final[dict[str, Callable[[str], str]]] = {
    "namespace.not_found": lambda endpoint: (
        f"the engine at {endpoint} has no such namespace: create it, or correct `namespace` (RIVET_NAMESPACE)"
    ),
    "guard.missing_header": lambda endpoint: (
        f"the engine at {endpoint} requires a token, and none was given: set `token` (RIVET_TOKEN)"
    ),
    "api.forbidden": lambda endpoint: f"the engine at {endpoint} refused the token: correct `token` (RIVET_TOKEN)",
    "ws.invalid_url": lambda endpoint: (
        f"the engine at {endpoint} does not know this URL: check the path in `endpoint` (RIVET_ENDPOINT)"
    ),
}


def rejection_message(reason: CloseReason, endpoint: str) -> str:
    """One sentence about a rejection: the cause, the endpoint, and your remedy."""
    advice = _ADVICE[reason.name](endpoint)
    ray = f", ray {reason.ray_id}" if reason.ray_id else ""
    return f"{advice} ({reason.name}{ray})"
