"""The state and the input that a class of typed actors names."""

from __future__ import annotations

import inspect
import typing
from typing import Any, Final

from rivet_runner.actors._types.annotations import Names, evaluate
from rivet_runner.actors._types.convert import ValueType
from rivet_runner.actors._types.signature import signature_of
from rivet_runner.actors._types.state import StateType

__all__ = ["declared_input", "declared_state"]

_STATE: Final = "__rivet_state__"
"""The attribute with the state's annotation, evaluated in the module that wrote it. Type variables may be left in it."""


def declared_state(cls: type, base: type, names: Names) -> StateType[Any] | None:
    """The type of the state, or `None` if ``cls`` leaves it open. Raises `TypeError`."""
    try:
        annotation = _argument(cls, base, names)
        if annotation is None:
            raise TypeError(f"it must be named, {base.__name__}[State] or {base.__name__}[None]")
        setattr(cls, _STATE, annotation)
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
    """The type of the input: the annotation in ``initial_state``, or else in ``on_create``. Raises `TypeError`."""
    for hook in ("initial_state", "on_create"):
        method = inspect.getattr_static(cls, hook, None)
        if inspect.isfunction(method) and _overrides(cls, base, hook):
            try:
                return signature_of(method, names).first()
            except TypeError as error:
                raise TypeError(f"the input of {cls.__qualname__}.{hook} cannot be used: {error}") from None
    return ValueType(Any)


def _is_open(annotation: Any) -> bool:
    """Whether a type variable is left in it."""
    parameters: tuple[Any, ...] = getattr(annotation, "__parameters__", ())
    return isinstance(annotation, typing.TypeVar) or (not isinstance(annotation, type) and bool(parameters))


def _overrides(cls: type, base: type, name: str) -> bool:
    missing = object()
    return inspect.getattr_static(cls, name, missing) is not inspect.getattr_static(base, name, missing)


def _argument(cls: type, base: type, names: Names) -> Any:
    """What stands in the brackets of ``base``, through generic classes between it and ``cls``. `None` if nothing does."""
    for written in vars(cls).get("__orig_bases__", cls.__bases__):
        above = typing.get_origin(written) or written
        if isinstance(above, type) and issubclass(above, base):
            given = [type(None) if one is None else evaluate(one, cls.__module__, names) for one in typing.get_args(written)]
            if above is base:
                return given[0] if given else None
            return _substituted(getattr(above, _STATE), typing.cast(Any, above), given)
    return None


def _substituted(annotation: Any, above: Any, given: list[Any]) -> Any:
    """``annotation``, the state of the generic class ``above``, with what was ``given`` for its type variables."""
    if not given:
        return annotation
    values = dict(zip(above.__parameters__, given, strict=True))
    if isinstance(annotation, typing.TypeVar):
        return values[annotation]
    if not _is_open(annotation):
        return annotation
    return annotation[tuple(values[variable] for variable in annotation.__parameters__)]
