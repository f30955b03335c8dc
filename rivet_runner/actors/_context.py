"""The seam between the classes that users write and what hosts them.

`DurableActor`, `Event` and the other public names only declare. What hosts an instance implements `ActorContext`, and binds
it to the instance before ``__init__`` runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, Generic, TypeVar

from rivet_runner.actor import Actor
from rivet_runner.actors.connection import Connection

__all__ = ["ActorContext", "Hosted", "StateT", "bind", "context_of"]

StateT = TypeVar("StateT")


class ActorContext(ABC):
    """One generation of one typed actor, as its own code sees it. See `DurableActor` for the meaning of each member."""

    __slots__ = ()

    actor: Actor
    """The runner's actor."""
    key: tuple[str, ...]
    input: Any
    state: Any
    """There is no such attribute until the state was loaded or made."""
    resources: Any

    @property
    @abstractmethod
    def connections(self) -> Mapping[str, Connection]: ...

    @property
    @abstractmethod
    def caller(self) -> Connection | None: ...

    @property
    @abstractmethod
    def schedule(self) -> Any:
        """A `Schedule`."""

    @property
    @abstractmethod
    def client(self) -> Any:
        """A `Client`."""

    @abstractmethod
    async def save(self) -> None: ...

    @abstractmethod
    async def emit(self, event: str, value: Any, to: Collection[Connection] | None, without: Connection | None) -> int: ...


class Hosted(Generic[StateT]):
    """The base of `DurableActor`: an instance with its context."""

    _context: ActorContext


def bind(instance: Hosted[Any], context: ActorContext) -> None:
    """Give ``instance`` its context."""
    instance._context = context


def context_of(instance: Hosted[Any]) -> ActorContext:
    """The context of ``instance``. Raises `RuntimeError` if no runner hosts it."""
    try:
        return instance._context
    except AttributeError:
        name = type(instance).__name__
        raise RuntimeError(
            f"this {name} is not hosted by a runner: an App makes its actors, so do not call {name}() yourself"
        ) from None
