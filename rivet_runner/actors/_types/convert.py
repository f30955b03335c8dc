"""Plain data, converted to an annotation.

*Plain data* is what any encoding of the protocol can carry: `None`, bool, int, float, str, bytes, aware datetimes, and
dicts, lists and sets of those.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
import msgspec.inspect

from rivet_runner.actors._types.conversion_error import ConversionError
from rivet_runner.actors._types.models import convert_model, is_model

__all__ = ["ConversionError", "ValueType", "convert", "parts_of", "unsupported_reason"]

T = TypeVar("T")

MAX_WHOLE_FLOAT: Final = 2**53
"""The largest float that still names one integer. JavaScript has integers up to here, and sends some of them as floats."""

# msgspec ends its messages with the place of the error: "Expected `int`, got `str` - at `$.items[0].size`".
_PLACE = re.compile(r" - at (`key` in )?`\$([^`]*)`\Z")

_SCALARS: Final = frozenset({bool, int, str, bytes})


class ValueType(Generic[T]):
    """An annotation that values are converted to. It was checked, so conversion fails for the value's sake alone.

    Raises `TypeError` with the reason if nothing can be converted to ``annotation``.
    """

    __slots__ = ("annotation", "exact")

    def __init__(self, annotation: Any) -> None:
        reason = unsupported_reason(annotation)
        if reason is not None:
            raise TypeError(reason)
        self.annotation: Any = annotation
        self.exact: type | None = annotation if isinstance(annotation, type) and annotation in _SCALARS else None
        """A value of exactly this type is right as it is."""

    def convert(self, value: Any) -> T:
        """Convert plain data. Raises `ConversionError`."""
        if type(value) is self.exact:
            return cast(T, value)
        if self.exact is int:
            value = _with_whole_floats(value)  # at once, because raising and trying again takes far longer
        return cast(T, convert(value, self.annotation))


def convert(value: Any, annotation: Any) -> Any:
    """Convert plain data to ``annotation``, as msgspec does in its strict mode. Raises `ConversionError`.

    An integral float is good for an int, and an int for a float. Pydantic converts to its models.
    """
    if annotation is Any or annotation is object:
        return value
    try:
        return msgspec.convert(value, annotation, dec_hook=_decode_custom)
    except msgspec.ValidationError as error:
        try:
            whole = _with_whole_floats(value)
            return msgspec.convert(whole, annotation, dec_hook=_decode_custom)
        except (msgspec.ValidationError, RecursionError):
            raise _conversion_error(error) from None
    except RecursionError:
        raise ConversionError("", "the value is nested too deeply") from None


def unsupported_reason(annotation: Any) -> str | None:
    """Why nothing can be converted to ``annotation``, or `None` if values can."""
    if annotation is Any or annotation is object or annotation is None:
        return None
    try:
        described = msgspec.inspect.type_info(annotation)
    except (TypeError, NameError) as error:
        return str(error)
    for node in parts_of(described):
        if isinstance(node, msgspec.inspect.CustomType) and node.cls is not object and not is_model(node.cls):
            return f"plain data cannot become a {node.cls.__module__}.{node.cls.__qualname__}"
    return None


class _ModelError(ValueError):
    """Carries an error of a model through msgspec, which adds the place of the model."""

    def __init__(self, error: ConversionError) -> None:
        super().__init__(error.message)
        self.error = error


def _decode_custom(kind: Any, value: Any) -> Any:
    if kind is object:
        return value
    if not is_model(kind):
        raise TypeError(f"plain data cannot become a {kind.__qualname__}")
    try:
        return convert_model(kind, value)
    except ConversionError as error:
        raise _ModelError(error) from None


def _conversion_error(error: msgspec.ValidationError) -> ConversionError:
    text = str(error)
    place = _PLACE.search(text)
    path, message = "", text
    if place is not None:
        path, message = place[2].removeprefix("."), text[: place.start()]
        if place[1]:
            message += " for a key"
    if isinstance(error.__cause__, _ModelError):
        return error.__cause__.error.below(path)
    return ConversionError(path, message)


def _with_whole_floats(value: Any) -> Any:
    """``value`` with ints in place of integral floats. msgspec turns them into floats where floats are asked for."""
    kind = type(value)
    if kind is float:
        return int(value) if value.is_integer() and abs(value) <= MAX_WHOLE_FLOAT else value
    if kind is dict:
        return {_with_whole_floats(key): _with_whole_floats(item) for key, item in value.items()}
    if kind is list:
        return [_with_whole_floats(item) for item in value]
    if kind is set:
        return {_with_whole_floats(item) for item in value}
    return value


def parts_of(described: msgspec.inspect.Type) -> Iterator[msgspec.inspect.Type]:
    """A type as msgspec describes it and all types in it, each once."""
    seen: set[int] = set()
    waiting: list[Any] = [described]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
        elif isinstance(node, msgspec.inspect.Type | msgspec.inspect.Field) and id(node) not in seen:
            seen.add(id(node))
            waiting.extend(getattr(node, name) for name in node.__struct_fields__)
            if isinstance(node, msgspec.inspect.Type):
                yield node
