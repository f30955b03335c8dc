"""`Event`: a message that a typed actor sends to the clients that subscribed to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from rivet_runner.actors._context import Hosted, context_of
from rivet_runner.actors._types.convert import ValueType

if TYPE_CHECKING:
    from rivet_runner.actors.connection import Connection

__all__ = ["BoundEvent", "Event"]

T = TypeVar("T")


class Event(Generic[T]):
    """A message that an actor sends. Declare it in the class, with the type of its values: ``changed = Event[int]()``.

    Its name is the attribute's, or the ``name`` that you give. On the class it is this declaration, for
    ``live.on(Room.changed)``. On an instance it is a `BoundEvent`: ``await self.changed.emit(1)``.
    """

    def __init__(self, *, name: str | None = None) -> None:
        self.name: str = "" if name is None else name
        """The name that clients subscribe to."""
        self.attribute: str = ""
        """The name of the class attribute."""
        self.type: ValueType[T] = ValueType(Any)
        """The type of the values, as far as the class declares it."""
        self._named = name is not None

    def __set_name__(self, owner: type, name: str) -> None:
        if not self.attribute:
            self.attribute = name
        if not self._named:
            self.name = self.attribute

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Hosted[Any], owner: type) -> BoundEvent[T]: ...
    def __get__(self, instance: Hosted[Any] | None, owner: type) -> Self | BoundEvent[T]:
        return self if instance is None else BoundEvent(self.name, instance)

    def __repr__(self) -> str:
        return f"<Event {self.name!r}>"


class BoundEvent(Generic[T]):
    """An event of one actor: the form of an `Event` on an instance."""

    __slots__ = ("_actor", "_name")

    def __init__(self, name: str, actor: Hosted[Any]) -> None:
        self._name = name
        self._actor = actor

    async def emit(self, value: T, *, to: Collection[Connection] | None = None, without: Connection | None = None) -> int:
        """Send ``value`` to each connection that subscribed, or to those of ``to`` alone. ``without`` gets none.

        Returns the number of connections that it went to. Waits for room in the runner's buffer, and never for a client.
        Raises `TypeError` or `ValueError` if ``value`` cannot be encoded.
        """
        return await context_of(self._actor).emit(self._name, value, to, without)
