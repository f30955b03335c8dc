# This file is generated from the schemas in protocol/clients by protocol/generate.py: change the schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages that mean the same in every version of the protocol that has them: one class for all versions.

Code that imports its messages from here names no version. A union has the members of all versions; the module
of a version says which of them it has, and refuses to encode the others with a ``TypeError``.
"""

from __future__ import annotations

import typing

import msgspec

__all__ = [
    "ActionId",
    "ActionRequest",
    "ActionResponse",
    "ActorSpecifier",
    "Cbor",
    "Event",
    "HttpActionRequest",
    "HttpActionResponse",
    "SubscriptionRequest",
    "ToServer",
]


class ActionResponse(msgspec.Struct, frozen=True, gc=False):
    """The action has returned."""

    id: ActionId
    output: Cbor


class Event(msgspec.Struct, frozen=True, gc=False):
    """To those who subscribed."""

    name: str
    # A list.
    args: Cbor


class ActionRequest(msgspec.Struct, frozen=True, gc=False):
    """``ActionRequest`` of the schema."""

    id: ActionId
    name: str
    # A list.
    args: Cbor


class SubscriptionRequest(msgspec.Struct, frozen=True, gc=False):
    """``SubscriptionRequest`` of the schema."""

    event_name: str
    # Whether to begin or to end.
    subscribe: bool


class HttpActionRequest(msgspec.Struct, frozen=True, gc=False):
    """``HttpActionRequest`` of the schema."""

    # A list.
    args: Cbor


class HttpActionResponse(msgspec.Struct, frozen=True, gc=False):
    """``HttpActionResponse`` of the schema."""

    output: Cbor


class ActorSpecifier(msgspec.Struct, frozen=True, gc=False):
    """``ActorSpecifier`` of the schema."""

    actor_id: str
    generation: int
    key: str | None


# A value in CBOR, with what CBOR of JavaScript lacks written as arrays: ["$BigInt", "1"].
Cbor: typing.TypeAlias = bytes

# What the client calls an action's run. It counts them itself.
ActionId: typing.TypeAlias = int

ToServer: typing.TypeAlias = ActionRequest | SubscriptionRequest
