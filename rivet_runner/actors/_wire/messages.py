"""The messages of a connection. Arguments, outputs and metadata are plain data."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

__all__ = [
    "ActionRequest",
    "ActionResponse",
    "ActorSpecifier",
    "Error",
    "Event",
    "Init",
    "SubscriptionRequest",
    "ToClient",
    "ToServer",
]


class ActionRequest(Struct, frozen=True):
    """Run an action. ``id`` is the client's own number for this call, below 2^64."""

    id: int
    name: str
    args: list[Any]


class SubscriptionRequest(Struct, frozen=True):
    """Begin to get an event, or stop."""

    event_name: str
    subscribe: bool


class Init(Struct, frozen=True):
    """The connection is open."""

    actor_id: str
    connection_id: str


class ActorSpecifier(Struct, frozen=True):
    """The actor that an error is about. ``key`` is its key as the engine has it."""

    actor_id: str
    generation: int
    key: str | None = None


class Error(Struct, frozen=True):
    """The call with the id ``action_id`` failed, or the connection if that is `None`."""

    group: str
    code: str
    message: str
    metadata: Any = None
    action_id: int | None = None
    actor: ActorSpecifier | None = None


class ActionResponse(Struct, frozen=True):
    """The call with this ``id`` returned ``output``."""

    id: int
    output: Any


class Event(Struct, frozen=True):
    """An event for a client that subscribed to it."""

    name: str
    args: list[Any]


ToServer: TypeAlias = ActionRequest | SubscriptionRequest
ToClient: TypeAlias = Init | Error | ActionResponse | Event
