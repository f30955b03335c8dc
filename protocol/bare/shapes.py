"""The four Python shapes that the types of a schema take, and what can be asked of one shape alone."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from bare.schema import EnumValue, List, Map, Named, Optional, SchemaError, Type

# Built-in names that the annotations of a struct use: a field of that name would hide it from a type checker.
_ANNOTATION_NAMES = frozenset(["bool", "bytes", "collections", "float", "int", "str"])
# Attributes of int that an enum value must not replace.
_INT_ATTRIBUTES = frozenset(name for name in dir(int) if not name.startswith("_"))


@dataclass
class FieldShape:
    """``name`` as in Python; ``label`` is what error messages call it."""

    name: str
    label: str
    type: Type
    comment: tuple[str, ...] = field(compare=False)


@dataclass
class StructShape:
    name: str
    fields: tuple[FieldShape, ...]
    comment: tuple[str, ...] = field(compare=False)
    line: int = field(compare=False)
    recursive: bool = False


@dataclass
class EnumShape:
    name: str
    values: tuple[EnumValue, ...]
    comment: tuple[str, ...] = field(compare=False)
    line: int = field(compare=False)


@dataclass
class UnionShape:
    """``members`` maps tags to names of structs and enums."""

    name: str
    members: dict[int, str]
    comment: tuple[str, ...] = field(compare=False)
    line: int = field(compare=False)


@dataclass
class AliasShape:
    name: str
    type: Type
    comment: tuple[str, ...] = field(compare=False)
    line: int = field(compare=False)


Shape = StructShape | EnumShape | UnionShape | AliasShape


def snake_case(name: str) -> str:
    """``lastCommandIdx`` → ``last_command_idx``, ``HTTPServer`` → ``http_server``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def pascal_case(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def field_name(name: str) -> str:
    """What Python calls a field: snake case, with an underscore behind what Python keeps for itself."""
    name = snake_case(name)
    return f"{name}_" if keyword.iskeyword(name) or name in _ANNOTATION_NAMES else name


def check_type_name(name: str, line: int) -> None:
    # The generated functions use built-in exceptions by their plain names.
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise SchemaError(line, f"{name} has a meaning in Python and cannot name a type")


def check_value_name(name: str, line: int) -> None:
    if keyword.iskeyword(name) or name in _INT_ATTRIBUTES or name in ("mro", "name", "value"):
        raise SchemaError(line, f"{name} has a meaning in Python and cannot name a value of an enum")


def is_void(shape: Shape) -> bool:
    return isinstance(shape, StructShape) and not shape.fields


def uint_size(value: int) -> int:
    """Bytes of a value as a BARE uint: seven bits each."""
    return max(1, (value.bit_length() + 6) // 7)


def child_types(shape: Shape) -> list[Type]:
    """The types that a shape spells out; a union has none of its own, only members."""
    match shape:
        case StructShape():
            return [field.type for field in shape.fields]
        case AliasShape():
            return [shape.type]
    return []


def inner_names(type_: Type) -> Iterator[str]:
    """The names of other types inside a type."""
    match type_:
        case Named():
            yield type_.name
        case Optional() | List():
            yield from inner_names(type_.item)
        case Map():
            yield from inner_names(type_.key)
            yield from inner_names(type_.value)


def mentions(shape: Shape) -> set[str]:
    """The names of the types that a value of the shape may contain directly."""
    if isinstance(shape, UnionShape):
        return set(shape.members.values())
    return {name for type_ in child_types(shape) for name in inner_names(type_)}
