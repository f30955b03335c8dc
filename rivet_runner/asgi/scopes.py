"""What an application is told about its actor, and about the request that the gateway has forwarded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote

from rivet_runner._asgi_types import Scope
from rivet_runner.actor import Actor
from rivet_runner.http import Request
from rivet_runner.websocket import WebSocket

__all__ = ["SPEC_VERSION", "RootPath", "checked_root_path", "gateway_path", "http_scope", "websocket_scope"]

RootPath: TypeAlias = str | Callable[[Actor, Request], str]
"""The path under which clients reach the application: text, or a function of the actor and the request."""

SPEC_VERSION: Final = "2.4"
"""Of the HTTP and WebSocket messages."""

HTTP_VERSION: Final = "1.1"
"""The engine does not tell which one its client speaks."""


def gateway_path(actor: Actor, request: Request) -> str:
    """Return the path under which the engine's gateway serves ``actor``."""
    return f"/gateway/{actor.id}"


def checked_root_path(root_path: RootPath | None) -> RootPath:
    """Return ``root_path``, or the gateway's if it is `None`.

    Raises `ValueError` for text that does not begin with a slash, and `TypeError` for other types.
    """
    if root_path is None:
        return gateway_path
    if not callable(root_path):
        return _checked_text(root_path)
    return root_path


def http_scope(actor: Actor, request: Request, root_path: RootPath, state: Mapping[str, Any] | None) -> Scope:
    """Return the ``http`` scope of ``request``. ``state`` is that of the lifespan, if there is one.

    Raises as `checked_root_path` does if a function returns such a path, and the errors of that function.
    """
    scope = _scope("http", "http", actor, request, root_path, state)
    scope["method"] = request.method.upper()
    return scope


def websocket_scope(actor: Actor, ws: WebSocket, root_path: RootPath, state: Mapping[str, Any] | None) -> Scope:
    """Return the ``websocket`` scope of ``ws``. Raises as `http_scope` does."""
    scope = _scope("websocket", "ws", actor, ws.request, root_path, state)
    offered = ws.headers.get("sec-websocket-protocol", "")
    scope["subprotocols"] = [name for part in offered.split(",") if (name := part.strip())]
    scope["rivet.websocket"] = ws
    return scope


def _scope(
    kind: str, scheme: str, actor: Actor, request: Request, root_path: RootPath, state: Mapping[str, Any] | None
) -> Scope:
    root = root_path if isinstance(root_path, str) else _checked_text(root_path(actor, request))
    path = request.path
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": SPEC_VERSION},
        "http_version": HTTP_VERSION,
        "scheme": scheme,
        "path": root + (unquote(path) if "%" in path else path),
        "raw_path": (quote(root) + path).encode(),
        "query_string": request.query_string.encode(),
        "root_path": root,
        "headers": [[name.lower().encode(), value.encode()] for name, value in request.headers.items()],
        # The engine does not tell the addresses.
        "client": None,
        "server": None,
        "rivet.actor": actor,
    }
    if state is not None:
        scope["state"] = dict(state)
    return scope


def _checked_text(root_path: object) -> str:
    """Return the path without a slash at its end."""
    if not isinstance(root_path, str):
        raise TypeError(f"root_path must be text, or a function that returns text, not {type(root_path).__name__}")
    if root_path and not root_path.startswith("/"):
        raise ValueError(f"root_path must begin with a slash, or be empty, not {root_path!r}")
    return root_path.rstrip("/")
