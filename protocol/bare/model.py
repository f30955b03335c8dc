"""The types of a schema in the shapes that they take in Python, checked.

Four shapes remain: a struct, an enum, a union of structs and enums, and an alias of anything else. A named
type that is a union member but no struct or enum becomes a struct, everywhere it is used: without fields for
``void``, with the field ``items`` for a list, with the field ``value`` for anything else.
"""

from __future__ import annotations

import math

from bare.checks import check_definitions
from bare.naming import name_everything
from bare.schema import (
    Data,
    Definition,
    Enum,
    Field,
    List,
    Map,
    Named,
    Optional,
    Primitive,
    SchemaError,
    Struct,
    Type,
    Union,
)
from bare.shapes import (
    AliasShape,
    EnumShape,
    FieldShape,
    Shape,
    StructShape,
    UnionShape,
    child_types,
    field_name,
    inner_names,
    is_void,
    mentions,
    uint_size,
)

_MAP_KEYS = frozenset(["uint", "u8", "u16", "u32", "u64", "int", "i8", "i16", "i32", "i64", "bool", "str"])
# Each level is a block within a block in the generated function, and Python allows twenty of those.
_MAX_NESTING = 12


class Model:
    """All shapes by name, in the order of the schema, and what the emitters ask about them."""

    def __init__(self, definitions: tuple[Definition, ...]) -> None:
        named = name_everything(definitions)
        check_definitions(named)
        shaper = _Shaper(named)
        self.shapes = {name: shaper.shape(definition) for name, definition in named.items()}
        self._least = self._least_sizes()
        for shape in self.shapes.values():
            if math.isinf(self._least[shape.name]):
                raise SchemaError(shape.line, f"{shape.name} contains itself, so that no value of it can end")
            for type_ in child_types(shape):
                self._check_type(type_)
                if self._nesting(type_) > _MAX_NESTING:
                    raise SchemaError(type_.line, f"nested more than {_MAX_NESTING} deep; put a struct in between")
        for shape in self.shapes.values():
            if isinstance(shape, StructShape):
                shape.recursive = shape.name in self._reachable(shape.name)

    def resolve(self, type_: Type) -> Type:
        """Follow aliases down to a type that is built in, or the name of a struct, enum or union."""
        while isinstance(type_, Named) and isinstance(shape := self.shapes[type_.name], AliasShape):
            type_ = shape.type
        return type_

    def shape(self, name: str) -> Shape:
        return self.shapes[name]

    def least_size(self, type_: Type) -> int:
        """The fewest bytes that a value of the type can take."""
        return int(self._size(type_, self._least))

    def roots(self) -> list[str]:
        """The types to give public functions: those that no other mentions, and one of each cycle."""
        mentioned = {name for shape in self.shapes.values() for name in mentions(shape) if name != shape.name}
        roots = [name for name in self.shapes if name not in mentioned]
        reached = {name for root in roots for name in (root, *self._reachable(root))}
        for name in self.shapes:
            if name not in reached:
                roots.append(name)
                reached |= {name, *self._reachable(name)}
        return roots

    def stands_alone(self, union: UnionShape) -> bool:
        """Whether a value of the union is always a whole message."""
        return all(union.name not in mentions(shape) for shape in self.shapes.values())

    def is_recursive(self, root: str) -> bool:
        names = (root, *self._reachable(root))
        return any(name in self._reachable(name) for name in names)

    def _reachable(self, start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = mentions(self.shapes[waiting.pop()]) - seen
            seen |= new
            waiting.extend(new)
        return seen

    def _least_sizes(self) -> dict[str, float]:
        """Grow from "nothing is finite" until nothing changes; what is left infinite can never be encoded."""
        least: dict[str, float] = dict.fromkeys(self.shapes, math.inf)
        changed = True
        while changed:
            changed = False
            for name, shape in self.shapes.items():
                size = self._shape_size(shape, least)
                changed |= size < least[name]
                least[name] = size
        return least

    def _shape_size(self, shape: Shape, least: dict[str, float]) -> float:
        match shape:
            case StructShape():
                return sum(self._size(field.type, least) for field in shape.fields)
            case EnumShape():
                return min(uint_size(value.value) for value in shape.values)
            case UnionShape():
                return min(uint_size(tag) + least[name] for tag, name in shape.members.items())
        return self._size(shape.type, least)

    def _size(self, type_: Type, least: dict[str, float]) -> float:
        match type_:
            case Named():
                return least[type_.name]
            case Data(length=int(length)):
                return length
            case List(length=int(length)):
                return length * self._size(type_.item, least)
            case Primitive() if type_.name[1:].isdecimal():
                return int(type_.name[1:]) // 8
        return 1

    def _check_type(self, type_: Type) -> None:
        match type_:
            case Optional():
                if isinstance(self.resolve(type_.item), Optional):
                    message = "an optional of an optional has no form in Python, where None is one value"
                    raise SchemaError(type_.line, message)
                self._check_type(type_.item)
            case List():
                self._check_type(type_.item)
            case Map():
                key = self.resolve(type_.key)
                is_enum = isinstance(key, Named) and isinstance(self.shapes[key.name], EnumShape)
                if not is_enum and not (isinstance(key, Primitive) and key.name in _MAP_KEYS):
                    raise SchemaError(type_.key.line, "a map key must be an integer, bool, str or enum")
                self._check_type(type_.value)
            case Named() if is_void(self.shapes[type_.name]):
                raise SchemaError(type_.line, f"{type_.name} is void, which only a union may contain")
            case Primitive(name="void"):
                raise SchemaError(type_.line, "void is only allowed as a type of its own or in a union")

    def _nesting(self, type_: Type) -> int:
        type_ = self.resolve(type_)
        match type_:
            case Optional() | List():
                return 1 + self._nesting(type_.item)
            case Map():
                return 1 + max(self._nesting(type_.key), self._nesting(type_.value))
        return 0


class _Shaper:
    """Decides the shape of each definition, which for an alias depends on how the others use it."""

    def __init__(self, definitions: dict[str, Definition]) -> None:
        self._definitions = definitions
        unions = [definition.type for definition in definitions.values() if isinstance(definition.type, Union)]
        members = [member.type for union in unions for member in union.members]
        self._in_union = {member.name for member in members if isinstance(member, Named)}

    def _ultimate(self, type_: Type) -> Type:
        while isinstance(type_, Named):
            type_ = self._definitions[type_.name].type
        return type_

    def shape(self, definition: Definition) -> Shape:
        name, type_, comment, line = definition.name, definition.type, definition.comment, definition.line
        match type_:
            case Struct():
                fields = tuple(_field_shape(name, field) for field in type_.fields)
                return StructShape(name, fields, comment, line)
            case Enum():
                return EnumShape(name, type_.values, comment, line)
            case Union():
                members = {member.tag: member.type.name for member in type_.members if isinstance(member.type, Named)}
                return UnionShape(name, members, comment, line)
        ultimate = self._ultimate(type_)
        if isinstance(ultimate, Primitive) and ultimate.name == "void":
            return StructShape(name, (), comment, line)
        if name in self._in_union or self._is_recursive_alias(name):
            field_name = "items" if isinstance(ultimate, List) else "value"
            return StructShape(name, (FieldShape(field_name, f"{name}.{field_name}", type_, ()),), comment, line)
        return AliasShape(name, type_, comment, line)

    def _is_recursive_alias(self, name: str) -> bool:
        """Whether an alias reaches itself through aliases alone, which an annotation cannot say."""
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            type_ = self._definitions[waiting.pop()].type
            new = set() if isinstance(type_, Struct | Enum | Union) else set(inner_names(type_)) - seen
            seen |= new
            waiting.extend(new)
        return name in seen


def _field_shape(struct: str, field: Field) -> FieldShape:
    name = field_name(field.name)
    return FieldShape(name, f"{struct}.{name}", field.type, field.comment)
