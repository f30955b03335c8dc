"""`Declaration`: all that the class of a typed actor says, and the errors of a class that cannot work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rivet_runner.actors._context import Hosted
from rivet_runner.actors._declaring.actions import ActionSpec, declared_actions, learn_methods
from rivet_runner.actors._declaring.events import EventSpec, declared_events
from rivet_runner.actors._declaring.hooks import check_members
from rivet_runner.actors._declaring.state import declared_input, declared_state
from rivet_runner.actors._types.annotations import enclosing_names
from rivet_runner.actors._types.convert import ValueType
from rivet_runner.actors._types.state import StateType

__all__ = ["ActionSpec", "Declaration", "EventSpec", "declaration_of", "declare"]

_DECLARATION: Final = "__rivet_declaration__"


class Declaration:
    """What a class of typed actors declares. ``actions`` and ``events`` are by the names that clients use."""

    __slots__ = ("actions", "cls", "events", "input_type", "name", "state_type")

    def __init__(
        self,
        cls: type[Hosted[Any]],
        name: str,
        actions: Mapping[str, ActionSpec],
        events: Mapping[str, EventSpec],
        state_type: StateType[Any],
        input_type: ValueType[Any],
    ) -> None:
        self.cls: type[Hosted[Any]] = cls
        self.name: str = name
        self.actions: Mapping[str, ActionSpec] = actions
        self.events: Mapping[str, EventSpec] = events
        self.state_type: StateType[Any] = state_type
        self.input_type: ValueType[Any] = input_type


def declare(cls: type[Hosted[Any]], name: str | None) -> None:
    """Read and check a class of typed actors as it is made. ``name`` is its actor's, or `None` for the class's own.

    A generic class that leaves its state open is a base for others: it is checked, and gets no declaration.

    Raises `TypeError`, which names the class, the member and the cure. Warns with `UserWarning` of a method with nearly the
    name of a hook.
    """
    base = _base_of(cls)
    names = enclosing_names(cls)
    check_members(cls, base)
    actions = declared_actions(cls, base, names)
    learn_methods(cls, base, names)
    events = declared_events(cls, base, names)
    actor_name = _actor_name(cls, name)
    input_type = declared_input(cls, base, names)
    state_type = declared_state(cls, base, names)
    if state_type is not None:
        setattr(cls, _DECLARATION, Declaration(cls, actor_name, actions, events, state_type, input_type))


def declaration_of(cls: type[Hosted[Any]]) -> Declaration:
    """The declaration of ``cls``. Raises `TypeError` if it has none: it leaves its state open."""
    declaration = vars(cls).get(_DECLARATION)
    if not isinstance(declaration, Declaration):
        raise TypeError(f"{cls.__qualname__} leaves its state open: make a subclass that names it, {cls.__name__}[State]")
    return declaration


def _base_of(cls: type) -> type:
    """`DurableActor`: the class above ``cls`` that stands directly below `Hosted`."""
    return next(above for above in cls.__mro__ if Hosted in above.__bases__)


def _actor_name(cls: type, name: str | None) -> str:
    if name is None:
        return cls.__name__[0].lower() + cls.__name__[1:]
    if not isinstance(name, str) or not name:
        raise TypeError(f"the actor name of {cls.__qualname__} must be a text that is not empty, not {name!r}")
    return name
