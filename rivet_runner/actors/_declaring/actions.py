"""The actions that a class of typed actors declares."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from rivet_runner.actors._types.annotations import Names
from rivet_runner.actors._types.signature import Signature, signature_of
from rivet_runner.actors.action import ActionMark, mark_of

__all__ = ["ActionSpec", "attributes_of", "declared_actions", "learn_methods"]


class ActionSpec:
    """One action: its ``name`` for clients, its method's name, its time limit in seconds, and its parameters."""

    __slots__ = ("attribute", "name", "signature", "timeout")

    def __init__(self, name: str, attribute: str, timeout: float, signature: Signature) -> None:
        self.name = name
        self.attribute = attribute
        self.timeout = timeout
        self.signature = signature


def declared_actions(cls: type, base: type, names: Names) -> Mapping[str, ActionSpec]:
    """The actions of ``cls`` by name, inherited ones included. Raises `TypeError` for one that cannot work."""
    found: dict[str, ActionSpec] = {}
    for attribute in attributes_of(cls, base):
        method = inspect.getattr_static(cls, attribute)
        where = f"{cls.__qualname__}.{attribute}"
        mark = mark_of(method) or mark_of(getattr(method, "__func__", None))
        if mark is None:
            _check_override(where, cls, attribute, method)
            continue
        spec = _spec(where, attribute, method, mark, names)
        if spec.name in found:
            other = found[spec.name].attribute
            raise TypeError(f"{where} and {cls.__qualname__}.{other} are both the action {spec.name!r}: rename one of them")
        found[spec.name] = spec
    return MappingProxyType(found)


def learn_methods(cls: type, base: type, names: Names) -> None:
    """Make the signatures of the methods that ``cls`` may schedule, while the ``names`` around it are known."""
    for attribute, method in vars(cls).items():
        if inspect.iscoroutinefunction(method) and not hasattr(base, attribute):
            with contextlib.suppress(TypeError):  # it may never be scheduled
                signature_of(method, names)


def attributes_of(cls: type, base: type) -> Iterator[str]:
    """The class attributes that ``cls`` has beyond those of ``base``, the oldest first, each once."""
    above = {*base.__mro__}
    yield from dict.fromkeys(name for klass in reversed(cls.__mro__) if klass not in above for name in vars(klass))


def _spec(where: str, attribute: str, method: Any, mark: ActionMark, names: Names) -> ActionSpec:
    if not inspect.isfunction(method):
        raise TypeError(f"{where} must be a method to be an action, not a value of type {type(method).__name__}")
    if inspect.isasyncgenfunction(method):
        raise TypeError(f"{where} must return once to be an action, so it cannot have a `yield`: send events instead")
    if not inspect.iscoroutinefunction(method) and not hasattr(method, "__wrapped__"):
        raise TypeError(f"{where} must be a coroutine function to be an action: async def {attribute}(self, …)")
    if not isinstance(mark.name, str) or not mark.name or "/" in mark.name:
        raise TypeError(f"the action name of {where} must be a text without `/` that is not empty, not {mark.name!r}")
    timeout = mark.timeout
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not (0 < timeout < math.inf):
        raise TypeError(f"the timeout of the action {where} must be seconds over 0, not {timeout!r}")
    try:
        return ActionSpec(mark.name, attribute, timeout, signature_of(method, names))
    except TypeError as error:
        raise TypeError(f"{where} cannot be an action: {error}") from None


def _check_override(where: str, cls: type, attribute: str, method: Any) -> None:
    """A method that replaces an action without being one is a slip of the pen. `None` takes the action away."""
    if inspect.isfunction(method):
        for above in cls.__mro__:
            if mark_of(vars(above).get(attribute)) is not None:
                raise TypeError(f"{where} overrides the action of {above.__qualname__}, so it needs @action too")
