"""The events that a class of typed actors declares."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from rivet_runner.actors._declaring.actions import attributes_of
from rivet_runner.actors._types.annotations import Names, evaluate
from rivet_runner.actors._types.convert import ValueType
from rivet_runner.actors.event import Event

__all__ = ["EventSpec", "declared_events"]


class EventSpec:
    """One event: its ``name`` for clients, its attribute's name, and the type of its values."""

    __slots__ = ("attribute", "name", "type")

    def __init__(self, name: str, attribute: str, type: ValueType[Any]) -> None:
        self.name = name
        self.attribute = attribute
        self.type = type


def declared_events(cls: type, base: type, names: Names) -> Mapping[str, EventSpec]:
    """The events of ``cls`` by name, inherited ones included. Raises `TypeError` for one that cannot work."""
    found: dict[str, EventSpec] = {}
    for attribute in attributes_of(cls, base):
        event = inspect.getattr_static(cls, attribute)
        if not isinstance(event, Event):
            if event is Event or typing.get_origin(event) is Event:
                raise TypeError(f"{cls.__qualname__}.{attribute} is a type: add parentheses, Event[int]()")
            continue
        spec = _spec(cls, attribute, event, names)
        if spec.name in found:
            other = found[spec.name].attribute
            raise TypeError(
                f"{cls.__qualname__}.{attribute} and {cls.__qualname__}.{other} are both the event {spec.name!r}: "
                "rename one of them"
            )
        found[spec.name] = spec
    return MappingProxyType(found)


def _spec(cls: type, attribute: str, event: Event[Any], names: Names) -> EventSpec:
    where = f"{cls.__qualname__}.{attribute}"
    if event.attribute != attribute:
        raise TypeError(f"{where} is the event of the attribute {event.attribute!r} already: make an Event for each")
    if not isinstance(event.name, str) or not event.name:
        raise TypeError(f"the name of the event {where} must be a text that is not empty, not {event.name!r}")
    if attribute in vars(cls):
        event.type = _value_type(cls, where, event, names)
    return EventSpec(event.name, attribute, event.type)


def _value_type(cls: type, where: str, event: Event[Any], names: Names) -> ValueType[Any]:
    written = typing.get_args(getattr(event, "__orig_class__", None))
    if not written:
        raise TypeError(f"{where} must say what its values are: Event[int](), or Event[None]()")
    try:
        return ValueType(evaluate(written[0], cls.__module__, names))
    except TypeError as error:
        raise TypeError(f"{where} cannot be an event of such values: {error}") from None
