"""Routes of the gateway: which actor a client of the port wants, by path, query, headers or subprotocols."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

from rivet_runner.testing._simulated.actor_query import ActorQuery, names_actor, split_query
from rivet_runner.testing._simulated.api import ManagementApi
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.ids import is_id

__all__ = ["Target", "request_target", "websocket_target"]

GATEWAY: Final = re.compile(r"/gateway/(?P<actor>[^/]+)(?P<rest>/.*)?")
REQUEST: Final = re.compile(r"/request(?:[/?].*)?")
"""The only paths of requests that name their actor in headers."""
TARGET_ACTOR: Final = "rivet_target.actor"
ACTOR_PREFIX: Final = "rivet_actor."


class Target(NamedTuple):
    """An actor by its id or by a query, and path and query as the actor gets them."""

    actor: str | ActorQuery
    path: str

    @property
    def waits(self) -> bool:
        """Whether the client waits until the actor is ready."""
        return not isinstance(self.actor, ActorQuery) or self.actor.waits

    def actor_id(self, api: ManagementApi) -> str:
        """The id of the actor, which is created if the query says so. Raises `EngineError`."""
        if isinstance(self.actor, ActorQuery):
            return self.actor.resolve(api)
        if not is_id(self.actor):
            raise EngineError("core.internal_error")
        return self.actor


def request_target(target: str, headers: Mapping[str, str]) -> Target | None:
    """The actor of a request, or `None` if it is for the management API. Raises `EngineError`."""
    return _gateway_target(target) or _header_target(target, headers)


def websocket_target(target: str, subprotocols: Iterable[str]) -> Target:
    """The actor of a client's WebSocket. Raises `EngineError` if it is refused."""
    offered = list(subprotocols)
    found = _gateway_target(target)
    if found is None:
        if TARGET_ACTOR not in offered:
            raise EngineError("guard.no_route")
        ids = [name.removeprefix(ACTOR_PREFIX) for name in offered if name.startswith(ACTOR_PREFIX)]
        if not ids:
            raise EngineError("guard.missing_header")
        found = Target(unquote(ids[0]), target)
    elif not offered:
        raise EngineError("guard.missing_header")
    return found


def _gateway_target(target: str) -> Target | None:
    """The actor of a gateway path, or `None` for any other path. Raises `EngineError`."""
    path, mark, query = target.partition("#")[0].partition("?")
    match = None if "//" in path else GATEWAY.fullmatch(path)
    if match is None:
        return None
    rest = match["rest"] or "/"
    if names_actor(query):
        actor, query = split_query(match["actor"], query)
        return Target(actor, f"{rest}?{query}" if query else rest)
    actor_id = unquote(match["actor"].partition("@")[0])
    return Target(actor_id, f"{rest}{mark}{query}") if actor_id else None


def _header_target(target: str, headers: Mapping[str, str]) -> Target | None:
    """The actor that the headers name, or `None` if they name no target. Raises `EngineError`."""
    named = headers.get("x-rivet-target")
    if named is None or named == "api-public":
        return None
    if named != "actor" or not REQUEST.fullmatch(target):
        raise EngineError("guard.no_route")
    if "x-rivet-actor" not in headers:
        raise EngineError("guard.missing_header")
    return Target(headers["x-rivet-actor"], target)
