"""Gives a name to every anonymous type that needs one, made from where it stands (``Outer`` + ``Field``).

Two kinds need one: an anonymous struct, enum or union, because a Python class has a name; and a union member
that is no struct, enum or void, because a union is told apart by the Python class of its value.
"""

from __future__ import annotations

from dataclasses import replace

from bare.schema import (
    Definition,
    Enum,
    Field,
    List,
    Map,
    Member,
    Named,
    Optional,
    Primitive,
    SchemaError,
    Struct,
    Type,
    Union,
)
from bare.shapes import pascal_case


def name_everything(definitions: tuple[Definition, ...]) -> dict[str, Definition]:
    """The same definitions by name, with those of the anonymous types added at the end."""
    return _Naming(definitions).definitions


class _Naming:
    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        self.definitions: dict[str, Definition] = {}
        for definition in definitions:
            self._define(definition)
        for definition in definitions:
            self._name_inside(definition)

    def _define(self, definition: Definition) -> None:
        if definition.name in self.definitions:
            raise SchemaError(definition.line, f"{definition.name} is already defined")
        self.definitions[definition.name] = definition

    def _name_inside(self, definition: Definition) -> None:
        type_ = self._inside(definition.type, definition.name)
        self.definitions[definition.name] = replace(definition, type=type_)

    def _inside(self, type_: Type, path: str) -> Type:
        """The same type, every anonymous struct, enum and union inside it replaced by a name."""
        match type_:
            case Struct():
                fields = tuple(
                    replace(field, type=self._named(field.type, path + pascal_case(field.name))) for field in type_.fields
                )
                return replace(type_, fields=fields)
            case Union():
                return replace(type_, members=tuple(self._member(member, path) for member in type_.members))
            case Optional():
                return replace(type_, item=self._named(type_.item, path))
            case List():
                return replace(type_, item=self._named(type_.item, f"{path}Item"))
            case Map():
                key, value = self._named(type_.key, f"{path}Key"), self._named(type_.value, f"{path}Value")
                return replace(type_, key=key, value=value)
        return type_

    def _named(self, type_: Type, name: str) -> Type:
        if isinstance(type_, Struct | Enum | Union):
            return self._hoist(type_, name)
        return self._inside(type_, name)

    def _hoist(self, type_: Type, name: str) -> Named:
        definition = Definition(name, type_, (), line=type_.line)
        self._define(definition)
        self._name_inside(definition)
        return Named(name, line=type_.line)

    def _member(self, member: Member, union: str) -> Member:
        type_ = member.type
        if isinstance(type_, Named):
            definition = self.definitions.get(type_.name)
            if definition is None or not isinstance(definition.type, Union):
                return member
            # The members of a union inside a union may be in both; a struct around it says which is meant.
            wrapper = Struct((Field("value", type_, (), line=type_.line),), line=type_.line)
            return replace(member, type=self._hoist(wrapper, union + type_.name))
        name = pascal_case(type_.name) if isinstance(type_, Primitive) else f"Member{member.tag}"
        return replace(member, type=self._hoist_member(type_, union + name))

    def _hoist_member(self, type_: Type, name: str) -> Named:
        if isinstance(type_, Union):
            inner = self._hoist(type_, f"{name}Value")
            type_ = Struct((Field("value", inner, (), line=type_.line),), line=type_.line)
        return self._hoist(type_, name)
