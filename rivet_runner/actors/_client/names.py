"""The names of actors, actions and events, and the types of what comes back."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from rivet_runner.actors._context import Hosted
from rivet_runner.actors._declaring.declaration import Declaration, declaration_of
from rivet_runner.actors._types.convert import ConversionError, ValueType
from rivet_runner.actors._types.plain import plain
from rivet_runner.actors._types.signature import Signature
from rivet_runner.actors.action import mark_of
from rivet_runner.actors.errors import ClientError
from rivet_runner.actors.event import Event

__all__ = ["Called", "actor_name", "called", "declared", "event_name", "event_type", "event_value"]


class Called(NamedTuple):
    """A call: the action's name, its arguments as plain data, and what knows the type of its result."""

    name: str
    args: list[Any]
    signature: Signature | None

    def result(self, output: Any) -> Any:
        """The output, as the annotation of the action has it. Raises `ClientError` if it does not fit."""
        if self.signature is None:
            return output
        try:
            return self.signature.convert_result(output)
        except ConversionError as error:
            raise ClientError(f"the result of {self.name} does not fit its annotation: {error}") from None


def declared(actor: type[Any] | str) -> Declaration | None:
    """The declaration of an actor's class, or `None` for a name. Raises `TypeError` for anything else."""
    if isinstance(actor, str):
        return None
    if not isinstance(actor, type):
        raise TypeError(f"an actor is named by its class or its name, not by a value of type {type(actor).__name__}")
    if not issubclass(actor, Hosted):
        raise TypeError(f"{actor.__qualname__} is no DurableActor: name the actor by its class or its name")
    return declaration_of(actor)


def actor_name(actor: type[Any] | str) -> str:
    """The engine's name of an actor. Raises `TypeError`."""
    declaration = declared(actor)
    if declaration is not None:
        return declaration.name
    assert isinstance(actor, str)
    if not actor:
        raise ValueError("the name of an actor must not be empty")
    return actor


def called(
    declaration: Declaration | None, action: Callable[..., Any] | str, args: Sequence[Any], keywords: Mapping[str, Any]
) -> Called:
    """A call of ``action``, which is a method of the actor's class or a name.

    Raises `TypeError` for what is no action, or for arguments that the method does not take or that cannot be encoded.
    """
    if isinstance(action, str):
        if keywords:
            raise TypeError(f"arguments go by their order to an action that is called by its name: {action!r}")
        spec = None if declaration is None else declaration.actions.get(action)
        return Called(action, plain(args), None if spec is None else spec.signature)
    mark = mark_of(action)
    if mark is None:
        raise TypeError(f"{getattr(action, '__qualname__', action)!r} is no action: mark the method with @action")
    if keywords:
        args = _in_order(action, args, keywords)
    spec = None if declaration is None else declaration.actions.get(mark.name)
    return Called(mark.name, plain(args), _signature(action) if spec is None else spec.signature)


def event_name(event: Event[Any] | str) -> str:
    """The name of an event. Raises `TypeError` for what is no event."""
    if isinstance(event, str):
        return event
    if not isinstance(event, Event):
        raise TypeError(f"an event is named by its attribute of the class or its name, not by {event!r}")
    return event.name


def event_type(declaration: Declaration | None, event: Event[Any] | str) -> ValueType[Any] | None:
    """The type of an event's values, as far as it is known."""
    if isinstance(event, Event):
        return event.type
    spec = None if declaration is None else declaration.events.get(event)
    return None if spec is None else spec.type


def event_value(name: str, kind: ValueType[Any] | None, args: Sequence[Any]) -> Any:
    """The value of an event: its one argument, or all of them in a list if there is another number.

    Raises `ClientError` if it does not fit its type.
    """
    value = args[0] if len(args) == 1 else list(args) if args else None
    if kind is None:
        return value
    try:
        return kind.convert(value)
    except ConversionError as error:
        raise ClientError(f"a value of the event {name!r} does not fit its type: {error}") from None


def _in_order(method: Callable[..., Any], args: Sequence[Any], keywords: Mapping[str, Any]) -> Sequence[Any]:
    bound = inspect.signature(method).bind(None, *args, **keywords)
    bound.apply_defaults()
    return bound.args[1:]


@lru_cache(1024)
def _signature(method: Callable[..., Any]) -> Signature:
    return Signature(method)
