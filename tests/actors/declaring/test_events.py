"""What classes declare as events, and the classes that are refused."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec
import pytest

from rivet_runner.actors import DurableActor
from rivet_runner.actors._declaring.declaration import declaration_of
from rivet_runner.actors.event import Event

T = TypeVar("T")


class Size(msgspec.Struct):
    width: int


class Opaque: ...


class Base(DurableActor[T], Generic[T]):
    moved = Event[T]()
    said = Event[str](name="message")


class Room(Base[None]):
    resized = Event[Size]()
    ahead = Event["Later"]()

    class Later(msgspec.Struct):
        a: int


def refused(error: str, **members: Any) -> None:
    """Check that a class `Other` with these ``members`` is a `TypeError`."""
    with pytest.raises(TypeError, match=error):
        type("Other", (DurableActor,), {"__orig_bases__": (DurableActor[None],), "__module__": __name__, **members})


def test_events_are_found_by_the_names_that_clients_use() -> None:
    events = declaration_of(Room).events
    assert {name: (spec.attribute, spec.type.annotation) for name, spec in events.items()} == {
        "moved": ("moved", T),
        "message": ("said", str),
        "resized": ("resized", Size),
        "ahead": ("ahead", Room.Later),
    }
    assert events["resized"].type.convert({"width": 1.0}) == Size(1)


def test_an_event_on_the_class_knows_its_name_and_its_type() -> None:
    assert (Room.said.name, Room.said.attribute) == ("message", "said")
    assert Room.resized.type.convert({"width": 1.0}) == Size(1)
    assert repr(Room.said) == "<Event 'message'>"


async def test_an_actor_that_no_runner_hosts_cannot_emit() -> None:
    with pytest.raises(RuntimeError, match="this Room is not hosted by a runner"):
        await Room().resized.emit(Size(1))


def test_events_that_cannot_work_are_refused() -> None:
    refused(r"Other.changed must say what its values are: Event\[int\]\(\)", changed=Event())
    refused(r"Other.changed is a type: add parentheses, Event\[int\]\(\)", changed=Event)
    refused(r"Other.changed is a type: add parentheses", changed=Event[int])
    refused("Other.changed cannot be an event of such values: plain data cannot become a .*Opaque", changed=Event[Opaque]())
    refused("Other.changed cannot be an event of such values: name 'Nope' is not defined", changed=Event["Nope"]())  # type: ignore[name-defined]
    refused("the name of the event Other.changed must be a text that is not empty, not ''", changed=Event[int](name=""))
    refused("the name of the event Other.changed must be a text that is not empty, not 5", changed=Event[int](name=5))  # type: ignore[arg-type]
    refused("Other.b and Other.a are both the event 'a'", a=Event[int](), b=Event[int](name="a"))
    one = Event[int]()
    refused("Other.b is the event of the attribute 'a' already: make an Event for each", a=one, b=one)
