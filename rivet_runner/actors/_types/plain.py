"""Any value of a program, turned into plain data."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

import msgspec
import msgspec.inspect

from rivet_runner.actors._types.convert import parts_of
from rivet_runner.actors._types.models import is_model, plain_of_fields

__all__ = ["plain"]


def plain(value: Any) -> Any:
    """Turn ``value`` into plain data: Structs, dataclasses, pydantic models, enums, UUIDs, Decimals and so on.

    Raises `TypeError` for a value of another kind, and `ValueError` for a datetime without a time zone.
    """
    rule = _RULES.get(type(value))
    return value if rule is _same else (rule or _by_kind)(value)


def _same(value: Any) -> Any:
    return value


def _list(value: Any) -> list[Any]:
    return [plain(item) for item in value]


def _dict(value: Any) -> dict[Any, Any]:
    return {plain(key): plain(item) for key, item in value.items()}


def _set(value: Any) -> Any:
    items = _list(value)
    try:
        return set(items)
    except TypeError:  # an item became a list or a dict, which no set takes
        return items


def _datetime(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError(f"{value!r} has no time zone, so clients could not tell the moment: use datetime.now(UTC)")
    return value


_RULES: Final[dict[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((type(None), bool, int, float, str, bytes), _same),
    **dict.fromkeys((list, tuple), _list),
    **dict.fromkeys((set, frozenset), _set),
    dict: _dict,
    datetime: _datetime,
    bytearray: bytes,
    memoryview: bytes,
}


_MAY_BE_SETS: Final = (
    msgspec.inspect.SetType,
    msgspec.inspect.FrozenSetType,
    msgspec.inspect.AnyType,
    msgspec.inspect.CustomType,
)

_SCALARS: Final[tuple[type[Any], ...]] = (int, float, str, bytes)


def _by_kind(value: Any) -> Any:
    """The rule for a value whose type has none of its own. A subclass of a plain type counts as that type."""
    if isinstance(value, msgspec.Struct):
        return _by_msgspec(value) if _has_no_sets(type(value)) else _struct(value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if is_model(type(value)):
        return _model(value)
    if isinstance(value, Mapping):
        return _dict(value)
    for kind in _SCALARS:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, datetime):
        return _datetime(value)
    if isinstance(value, Set):
        return _set(value)
    if isinstance(value, Sequence):
        return _list(value)
    return msgspec.to_builtins(value)


def _by_msgspec(value: Any) -> Any:
    """Faster by far than the other rules, but it makes lists of sets."""
    return msgspec.to_builtins(value, builtin_types=(bytes, datetime), enc_hook=plain)


@functools.lru_cache(maxsize=1024)
def _has_no_sets(kind: type[msgspec.Struct]) -> bool:
    """Whether the fields of ``kind`` declare all of their types, and no set among them."""
    try:
        described = msgspec.inspect.type_info(kind)
    except (TypeError, NameError):
        return False
    return not any(isinstance(node, _MAY_BE_SETS) for node in parts_of(described))


def _struct(value: msgspec.Struct) -> Any:
    settings = value.__struct_config__
    if settings.array_like or settings.omit_defaults:
        return _by_msgspec(value)
    made = {} if settings.tag is None else {settings.tag_field: settings.tag}
    for name, field in zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True):
        item = getattr(value, field)
        if item is not msgspec.UNSET:
            made[name] = plain(item)
    return made


def _model(value: Any) -> Any:
    fields = value.model_dump(by_alias=True)
    try:
        return plain(fields)
    except TypeError:
        return plain_of_fields(fields)
