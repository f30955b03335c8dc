"""The parts of an ASGI scope that the engine's port reads."""

from __future__ import annotations

from rivet_runner._asgi_types import Scope

__all__ = ["headers_of", "target_of"]


def target_of(scope: Scope) -> str:
    """Path and query, byte for byte as the client sent them."""
    path: str = scope["raw_path"].decode("latin-1")
    query: str = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def headers_of(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
