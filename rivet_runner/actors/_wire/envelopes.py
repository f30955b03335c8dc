"""The messages as objects of names and values, which JSON and CBOR have in common.

A message is ``{"body": {"tag": "Init", "val": {...}}}``. What comes in may have any shape at all, so every part is checked.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rivet_runner.actors._wire.conventions import revived
from rivet_runner.actors._wire.messages import (
    ActionRequest,
    ActionResponse,
    ActorSpecifier,
    Error,
    Event,
    Init,
    SubscriptionRequest,
    ToClient,
    ToServer,
)
from rivet_runner.errors import DecodeError

__all__ = ["args_of", "error_of", "field_of", "to_client_of", "to_server_of"]

FieldT = TypeVar("FieldT")

_MAX_ID = 2**64 - 1


def to_server_of(envelope: Any, escapes: int = 0) -> ToServer:
    """The client's message in an object. Raises `DecodeError`.

    ``escapes`` is how many texts may begin an escape in the values, and in the id.
    """
    tag, fields = _body(envelope)
    if tag == "ActionRequest":
        raw_id = fields.get("id")
        args = args_of(fields)
        if escapes > (type(raw_id) is list):
            args = args_of({"args": revived(args)})
        return ActionRequest(_id(raw_id), field_of(fields, "name", str), args)
    if tag == "SubscriptionRequest":
        return SubscriptionRequest(field_of(fields, "eventName", str), field_of(fields, "subscribe", bool))
    raise DecodeError(f"no message of a client is called {tag:.40}")


def to_client_of(envelope: Any, escapes: int = 0) -> ToClient:
    """The actor's message in an object. Raises `DecodeError`. For ``escapes``, see `to_server_of`."""
    tag, fields = _body(envelope)
    if tag == "ActionResponse":
        raw_id, output = fields.get("id"), fields.get("output")
        return ActionResponse(_id(raw_id), revived(output) if escapes > (type(raw_id) is list) else output)
    if tag == "Event":
        args = args_of(fields)
        return Event(field_of(fields, "name", str), args_of({"args": revived(args)}) if escapes else args)
    if tag == "Init":
        return Init(field_of(fields, "actorId", str), field_of(fields, "connectionId", str))
    if tag == "Error":
        return error_of(fields, escapes)
    raise DecodeError(f"no message of an actor is called {tag:.40}")


def error_of(fields: Any, escapes: int = 0) -> Error:
    """An error in an object, of HTTP too. Raises `DecodeError`. For ``escapes``, see `to_server_of`."""
    action_id = field_of(fields, "actionId", object, None)
    metadata = fields.get("metadata")
    return Error(
        field_of(fields, "group", str),
        field_of(fields, "code", str),
        field_of(fields, "message", str),
        revived(metadata) if escapes else metadata,
        None if action_id is None else _id(action_id),
        _actor(fields.get("actor")),
    )


def args_of(fields: Any) -> list[Any]:
    """The arguments. A value that is no list counts as a list of it, and none as an empty one."""
    args = field_of(fields, "args", object, None)
    if type(args) is list:
        return args
    return [] if args is None else [args]


_REQUIRED: Any = object()


def field_of(fields: Any, name: str, type_: type[FieldT], default: Any = _REQUIRED) -> FieldT:
    """A field of an object. Raises `DecodeError` if it has another type, or is missing and there is no ``default``."""
    if type(fields) is not dict:
        raise DecodeError(f"there is no object with {name}")
    value = fields.get(name, default)
    if value is _REQUIRED:
        raise DecodeError(f"{name} is missing")
    if not isinstance(value, type_):
        raise DecodeError(f"{name} is not of the type {type_.__name__}")
    return value


def _body(envelope: Any) -> tuple[str, dict[Any, Any]]:
    try:
        body = envelope["body"]
        tag, fields = body["tag"], body["val"]
    except (KeyError, TypeError, IndexError):
        raise DecodeError("a message is an object with a body, which has a tag and a val") from None
    if type(tag) is not str or type(fields) is not dict:
        raise DecodeError("the tag of a message is text, and its val an object")
    return tag, fields


def _id(value: Any) -> int:
    """An id. In JSON it is an escape."""
    if type(value) is list and len(value) == 2 and value[0] == "$BigInt":
        digits = value[1]
        if type(digits) is str and len(digits) <= 20 and digits.isascii() and digits.isdecimal():
            value = int(digits)
    if type(value) is not int or not 0 <= value <= _MAX_ID:
        raise DecodeError("an id is not an integer of 64 bits")
    return value


def _actor(fields: Any) -> ActorSpecifier | None:
    if fields is None:
        return None
    generation = field_of(fields, "generation", object)
    if isinstance(generation, float) and generation.is_integer():
        generation = int(generation)
    key = field_of(fields, "key", object, None)
    return ActorSpecifier(
        field_of(fields, "actorId", str), _id(generation), None if key is None else field_of(fields, "key", str)
    )
