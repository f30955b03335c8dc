"""The rules of BARE that a schema must keep, as far as its text alone can show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from bare.schema import (
    Data,
    Definition,
    Enum,
    EnumValue,
    Field,
    List,
    Map,
    Member,
    Named,
    Optional,
    SchemaError,
    Struct,
    Type,
    Union,
)
from bare.shapes import check_type_name, check_value_name, field_name, snake_case

_MAX_U64 = 2**64 - 1
# Python cannot compile a format for more, and no message is as long.
_MAX_FIXED_LENGTH = 2**31 - 1


def check_definitions(definitions: dict[str, Definition]) -> None:
    """Raise :class:`SchemaError` for the first definition that breaks a rule."""
    in_python: dict[str, str] = {}
    for definition in definitions.values():
        check_type_name(definition.name, definition.line)
        other = in_python.setdefault(snake_case(definition.name), definition.name)
        if other != definition.name:
            message = f"{definition.name} and {other} would have functions of the same name in Python"
            raise SchemaError(definition.line, message)
        _check(definition.type, definitions)
    for definition in definitions.values():
        _check_end(definition, definitions)


def _check(type_: Type, definitions: dict[str, Definition]) -> None:
    match type_:
        case Named() if type_.name not in definitions:
            raise SchemaError(type_.line, f"the type {type_.name} is not defined")
        case Data(length=int(length)):
            _check_length(length, type_.line)
        case Optional():
            _check(type_.item, definitions)
        case List():
            if type_.length is not None:
                _check_length(type_.length, type_.line)
            _check(type_.item, definitions)
        case Map():
            _check(type_.key, definitions)
            _check(type_.value, definitions)
        case Struct():
            _check_struct(type_, definitions)
        case Enum():
            _check_enum(type_)
        case Union():
            _check_union(type_, definitions)


def _check_length(length: int, line: int) -> None:
    if not 1 <= length <= _MAX_FIXED_LENGTH:
        raise SchemaError(line, f"a fixed length must be between 1 and {_MAX_FIXED_LENGTH}")


def _check_struct(struct: Struct, definitions: dict[str, Definition]) -> None:
    if not struct.fields:
        raise SchemaError(struct.line, "a struct must have a field; a type without contents is void")
    _check_unique(struct.fields, lambda field: field_name(field.name), "the field")
    for field in struct.fields:
        _check(field.type, definitions)


def _check_enum(enum: Enum) -> None:
    if not enum.values:
        raise SchemaError(enum.line, "an enum must have a value")
    _check_unique(enum.values, lambda value: value.name, "the name")
    _check_unique(enum.values, lambda value: str(value.value), "the value")
    for value in enum.values:
        _check_u64(value.value, value.line)
        check_value_name(value.name, value.line)


def _check_union(union: Union, definitions: dict[str, Definition]) -> None:
    if not union.members:
        raise SchemaError(union.line, "a union must have a member")
    _check_unique(union.members, lambda member: str(member.tag), "the tag")
    for member in union.members:
        _check_u64(member.tag, member.line)
        _check(member.type, definitions)
    # By now every member has a name.
    _check_unique(union.members, lambda member: getattr(member.type, "name", ""), "the member")


def _check_end(definition: Definition, definitions: dict[str, Definition]) -> None:
    seen = {definition.name}
    type_ = definition.type
    while isinstance(type_, Named):
        if type_.name in seen:
            raise SchemaError(definition.line, f"{definition.name} is only defined as itself")
        seen.add(type_.name)
        type_ = definitions[type_.name].type


def _check_u64(value: int, line: int) -> None:
    if value > _MAX_U64:
        raise SchemaError(line, f"{value} is larger than 2^64 - 1")


_Part = TypeVar("_Part", Field, EnumValue, Member)


def _check_unique(parts: tuple[_Part, ...], key: Callable[[_Part], str], what: str) -> None:
    seen: set[str] = set()
    for part in parts:
        if key(part) in seen:
            raise SchemaError(part.line, f"{what} {key(part)} is given twice")
        seen.add(key(part))
