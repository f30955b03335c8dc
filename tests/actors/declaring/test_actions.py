"""What classes declare as actions, and the classes that are refused."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from rivet_runner.actors import DurableActor
from rivet_runner.actors._declaring.declaration import declaration_of
from rivet_runner.actors._types.signature import signature_of
from rivet_runner.actors.action import action, mark_of

T = TypeVar("T")


class Size(msgspec.Struct):
    width: int


class Opaque: ...


def refused(error: str, **members: Any) -> None:
    """Check that a class `Room` with these ``members`` is a `TypeError`."""
    for value in members.values():
        if hasattr(value, "__qualname__"):
            value.__qualname__ = f"Room.{value.__name__}"
    with pytest.raises(TypeError, match=error):
        type("Room", (DurableActor,), {"__orig_bases__": (DurableActor[None],), **members})


async def valid(self: Any) -> None: ...


def test_actions_are_found_by_the_names_that_clients_use() -> None:
    class Room(DurableActor[None]):
        @action
        async def say(self, text: str) -> None: ...

        @action(name="resize", timeout=5)
        async def change_size(self, size: Size) -> None: ...

        async def helper(self) -> None: ...

    actions = declaration_of(Room).actions
    assert {name: (spec.attribute, spec.timeout) for name, spec in actions.items()} == {
        "say": ("say", 60.0),
        "resize": ("change_size", 5),
    }
    assert actions["resize"].signature.bind([{"width": 1.0}]) == [Size(1)]
    mark = mark_of(Room.change_size)
    assert mark is not None
    assert (mark.name, mark.timeout) == ("resize", 5)
    assert mark_of(Room.helper) is None


def test_actions_are_inherited_also_from_classes_that_are_no_actors() -> None:
    class Pings:
        @action
        async def ping(self) -> str:
            return "pong"

    class Base(DurableActor[T], Generic[T]):
        @action
        async def get(self) -> T | None: ...

        @action
        async def gone(self) -> None: ...

    class Room(Pings, Base[None]):
        gone = None  # type: ignore[assignment]

        @action(timeout=1)
        async def get(self) -> None: ...

    actions = declaration_of(Room).actions
    assert sorted(actions) == ["get", "ping"]
    assert actions["get"].timeout == 1


def test_annotations_may_name_types_around_the_class_and_inside_it() -> None:
    class Local(msgspec.Struct):
        a: int = 0

    class Room(DurableActor[Local]):
        class Inner(msgspec.Struct):
            b: int

        def list(self) -> None: ...

        @action
        async def say(self, one: Local, other: Inner, many: list[int]) -> None: ...  # type: ignore[valid-type]

    declaration = declaration_of(Room)
    assert declaration.state_type.annotation is Local
    assert declaration.actions["say"].signature.bind([{"a": 1}, {"b": 2}, [3.0]]) == [Local(1), Room.Inner(2), [3]]


def test_annotations_of_methods_that_are_no_actions_are_remembered_too() -> None:
    class Local(msgspec.Struct):
        a: int

    class Base(DurableActor[None]):
        async def remind(self, it: Local) -> None: ...

        async def helper(self, it: Opaque) -> None: ...

        @action
        async def say(self, it: Local) -> None: ...

    def elsewhere() -> type[DurableActor[None]]:
        class Room(Base): ...

        return Room

    room = elsewhere()
    assert declaration_of(room).actions["say"].signature.bind([{"a": 1}]) == [Local(1)]
    assert signature_of(room.remind).bind([{"a": 1}]) == [Local(1)]  # type: ignore[attr-defined]


def test_a_decorated_action_is_one() -> None:
    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return call

    class Room(DurableActor[None]):
        @counted
        @action
        async def outside(self, size: Size) -> None: ...

        @action
        @counted
        async def inside(self, size: Size) -> None: ...

    actions = declaration_of(Room).actions
    assert sorted(actions) == ["inside", "outside"]
    assert all(spec.signature.bind([{"width": 1}]) == [Size(1)] for spec in actions.values())


def test_an_action_that_is_no_coroutine_function_is_refused() -> None:
    def sync(self: Any) -> None: ...
    async def stream(self: Any) -> AsyncIterator[int]:
        yield 1

    refused(r"Room.sync must be a coroutine function to be an action: async def sync\(self, …\)", sync=action(sync))  # type: ignore[type-var]
    refused("Room.stream must return once to be an action", stream=action(stream))  # type: ignore[type-var]
    refused("Room.say must be a method to be an action, not a value of type staticmethod", say=staticmethod(action(valid)))
    refused("Room.say must be a method to be an action, not a value of type staticmethod", say=action(staticmethod(valid)))
    with pytest.raises(TypeError, match="@action goes before an async method, not before a value of type str"):
        action("say")  # type: ignore[call-overload]


def test_an_action_whose_annotations_cannot_be_used_is_refused() -> None:
    async def opaque(self: Any, it: Opaque) -> None: ...
    async def unknown(self: Any, it: Nope) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    async def keyword(self: Any, *, it: int) -> None: ...

    refused("Room.opaque cannot be an action: the annotation of parameter 'it' .*Opaque", opaque=action(opaque))
    refused("Room.unknown cannot be an action: name 'Nope' is not defined; define or import it", unknown=action(unknown))
    refused("Room.keyword cannot be an action: parameter 'it' is for keywords alone", keyword=action(keyword))


@pytest.mark.parametrize("name", ["", "a/b", 5])
def test_an_action_with_a_name_that_no_client_can_call_is_refused(name: Any) -> None:
    async def say(self: Any) -> None: ...

    refused("the action name of Room.say must be a text without `/`", say=action(name=name)(say))


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), None, True, "5"])
def test_an_action_with_a_useless_timeout_is_refused(timeout: Any) -> None:
    async def say(self: Any) -> None: ...

    refused("the timeout of the action Room.say must be seconds over 0, not", say=action(timeout=timeout)(say))


def test_two_actions_of_one_name_are_refused() -> None:
    async def one(self: Any) -> None: ...
    async def two(self: Any) -> None: ...

    refused("Room.two and Room.one are both the action 'one'", one=action(one), two=action(name="one")(two))


def test_an_action_in_the_place_of_a_hook_or_member_is_refused() -> None:
    refused("Room.on_start is a hook, so it cannot be an action too", on_start=action(valid))
    refused(r"Room.save hides DurableActor.save: .*@action\(name='save'\) keeps it for clients", save=action(valid))


def test_a_method_that_overrides_an_action_by_mistake_is_refused() -> None:
    class Base(DurableActor[None]):
        @action
        async def say(self) -> None: ...

    with pytest.raises(TypeError, match=r"Room.say overrides the action of .*Base, so it needs @action too"):

        class Room(Base):
            async def say(self) -> None: ...
