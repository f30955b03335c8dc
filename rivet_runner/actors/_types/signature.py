"""The arguments of an action or of a scheduled method: a list from a client, fitted to the method's parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from rivet_runner.actors._types.annotations import Names, annotations_of
from rivet_runner.actors._types.convert import ConversionError, ValueType, unsupported_reason

__all__ = ["Signature", "signature_of"]

_SIGNATURES: WeakKeyDictionary[Callable[..., Any], Signature] = WeakKeyDictionary()
"""Of the methods of all classes. The names around a class are known only while it is made."""


class Signature:
    """The parameters of a method without its ``self``, and its result.

    ``names`` are those that the annotations may use beside the module's. Raises `TypeError` for a method that a list of
    arguments cannot be given to, or an annotation that no value can be converted to.
    """

    __slots__ = ("_exact", "_parameters", "_required", "_rest", "_result")

    def __init__(self, method: Callable[..., Any], names: Names | None = None) -> None:
        hints = annotations_of(method, names or {})
        self._parameters: list[tuple[str, ValueType[Any]]] = []
        self._required = 0
        self._rest: tuple[str, ValueType[Any]] | None = None
        for parameter in _without_self(method):
            self._add(parameter, hints.get(parameter.name, Any))
        # Arguments of exactly these types are right as they are.
        self._exact = [kind.exact for _, kind in self._parameters]
        result = hints.get("return", Any)
        self._result: ValueType[Any] = ValueType(Any if unsupported_reason(result) else result)

    def _add(self, parameter: inspect.Parameter, annotation: Any) -> None:
        name = parameter.name
        if parameter.kind is parameter.VAR_KEYWORD or (
            parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        ):
            raise TypeError(f"parameter {name!r} is for keywords alone, but arguments come as a list")
        if parameter.kind is parameter.KEYWORD_ONLY:
            return
        try:
            entry: tuple[str, ValueType[Any]] = name, ValueType(annotation)
        except TypeError as error:
            raise TypeError(f"the annotation of parameter {name!r} cannot be used: {error}") from None
        if parameter.kind is parameter.VAR_POSITIONAL:
            self._rest = entry
            return
        self._parameters.append(entry)
        if parameter.default is parameter.empty:
            self._required = len(self._parameters)

    def required(self) -> list[str]:
        """The names of the parameters without a default."""
        return [name for name, _ in self._parameters[: self._required]]

    def first(self) -> ValueType[Any]:
        """The type of the first parameter. It is anything if there are only ``*args``."""
        return self._parameters[0][1] if self._parameters else ValueType(Any)

    def bind(self, arguments: list[Any]) -> list[Any]:
        """Convert plain ``arguments``, in the order of the parameters. Defaults are left to the call.

        Raises `ConversionError` if there are too many or too few, or one does not fit. The path begins with the parameter.
        """
        if [*map(type, arguments)] == self._exact:
            return arguments
        given, parameters = len(arguments), self._parameters
        if given < self._required or (given > len(parameters) and self._rest is None):
            raise ConversionError("", f"takes {self._count()}, got {given}")
        try:
            bound = [kind.convert(value) for (_, kind), value in zip(parameters, arguments, strict=False)]
        except ConversionError:
            bound = [_fit(name, kind, value) for (name, kind), value in zip(parameters, arguments, strict=False)]
        if self._rest is not None:
            name, kind = self._rest
            rest = arguments[len(parameters) :]
            bound += [_fit(f"{name}[{index}]", kind, value) for index, value in enumerate(rest)]
        return bound

    def convert_result(self, value: Any) -> Any:
        """Convert what a call was answered with to the annotation of the result. Raises `ConversionError`."""
        return self._result.convert(value)

    def _count(self) -> str:
        least, most = self._required, len(self._parameters)
        if self._rest is not None:
            return f"at least {_arguments(least)}"
        return _arguments(most) if least == most else f"{least} to {_arguments(most)}"


def signature_of(method: Callable[..., Any], names: Names | None = None) -> Signature:
    """The signature of a function, made once: the ``names`` of its first call stay in force. Raises as `Signature` does."""
    signature = _SIGNATURES.get(method)
    if signature is None:
        signature = _SIGNATURES[method] = Signature(method, names)
    return signature


def _without_self(method: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = [*inspect.signature(method).parameters.values()]
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise TypeError("a method begins with the parameter self")
    return parameters[1:]


def _fit(name: str, kind: ValueType[Any], value: Any) -> Any:
    try:
        return kind.convert(value)
    except ConversionError as error:
        raise error.below(name) from None


def _arguments(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"
