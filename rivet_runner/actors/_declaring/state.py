"""The state and the input that a class of typed actors names."""

from __future__ import annotations

import inspect
import typing
from typing import Any

from rivet_runner.actors._types.annotations import Names, annotations_of, evaluate
from rivet_runner.actors._types.convert import ValueType
from rivet_runner.actors._types.state import StateType

__all__ = ["declared_input", "declared_state"]


def declared_state(cls: type, base: type, names: Names) -> StateType[Any] | None:
    """The type of the state, or `None` if ``cls`` leaves it open. Raises `TypeError`."""
    annotation = _argument(cls, base)
    if annotation is None:
        raise TypeError(f"{cls.__qualname__} must name its state: {base.__name__}[State], or {base.__name__}[None]")
    try:
        annotation = evaluate(annotation, cls.__module__, names)
        if _is_open(annotation):
            return None
        state_type = StateType[Any].of(annotation)
    except TypeError as error:
        raise TypeError(f"the state of {cls.__qualname__} cannot be used: {error}") from None
    if state_type.unmakeable is not None and not _overrides(cls, base, "initial_state"):
        raise TypeError(
            f"the state of {cls.__qualname__} cannot be made: {state_type.unmakeable}; give its fields defaults, or define "
            "initial_state(self, input)"
        )
    return state_type


def declared_input(cls: type, base: type, names: Names) -> ValueType[Any]:
    """The type of the input: the annotation of the second parameter of ``initial_state``. Raises `TypeError`."""
    method = inspect.getattr_static(cls, "initial_state", None)
    if not inspect.isfunction(method) or not _overrides(cls, base, "initial_state"):
        return ValueType(Any)
    try:
        hints = annotations_of(method, names)
        parameter = [*inspect.signature(method).parameters][1]
        return ValueType(hints.get(parameter, Any))
    except TypeError as error:
        raise TypeError(f"the input of {cls.__qualname__}.initial_state cannot be used: {error}") from None


def _is_open(annotation: Any) -> bool:
    """Whether a type variable is left in it."""
    parameters: tuple[Any, ...] = getattr(annotation, "__parameters__", ())
    return isinstance(annotation, typing.TypeVar) or (not isinstance(annotation, type) and bool(parameters))


def _overrides(cls: type, base: type, name: str) -> bool:
    missing = object()
    return inspect.getattr_static(cls, name, missing) is not inspect.getattr_static(base, name, missing)


def _argument(cls: type, base: type) -> Any:
    """What stands in the brackets of ``base``, through generic classes between it and ``cls``. `None` if nothing does."""
    if cls is base:
        return typing.cast(Any, base).__parameters__[0]
    for written in vars(cls).get("__orig_bases__", cls.__bases__):
        above = typing.get_origin(written) or written
        if not (isinstance(above, type) and issubclass(above, base)):
            continue
        found = _argument(above, base)
        given = typing.get_args(written)
        if above is base:
            return _none_type(given[0]) if given else None
        if isinstance(found, typing.TypeVar):
            parameters = typing.cast(Any, above).__parameters__
            return _none_type(dict(zip(parameters, given, strict=True))[found]) if given else found
        return found[given] if given and getattr(found, "__parameters__", ()) else found
    return None


def _none_type(annotation: Any) -> Any:
    return type(None) if annotation is None else annotation
