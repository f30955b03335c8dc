"""Makes messages of any schema: random ones for properties, and one full sample to put mistakes into.

The shapes come from the schema, because the Python types of a Struct do not say ``u16`` or ``data[4]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
from bare.model import Model
from bare.module import generate
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type, parse
from bare.shapes import EnumShape, Shape, StructShape, UnionShape, mentions, snake_case
from hypothesis import strategies as st


def model_of(schema: str) -> Model:
    return Model(parse(schema))


def module_of(schema: str) -> ModuleType:
    """Compile a schema and load the result."""
    module = ModuleType("compiled_schema")
    exec(compile(generate(schema, "test.bare"), "<compiled schema>", "exec"), module.__dict__)
    return module


def bounds(name: str) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    bits = 64 if name in ("uint", "int") else int(name[1:])
    return (0, 2**bits - 1) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def reaches(model: Model, start: str, target: str) -> bool:
    """Whether a value of one type can contain a value of another, or is one."""
    seen = {start}
    waiting = [start]
    while waiting:
        new = mentions(model.shape(waiting.pop())) - seen
        seen |= new
        waiting.extend(new)
    return target in seen


def members_towards(model: Model, union: UnionShape, target: str | None) -> list[str]:
    """The members of a union that can contain the target; all of them where none can."""
    members = list(union.members.values())
    if target is None:
        return members
    return [name for name in members if reaches(model, name, target)] or members


class Messages:
    """Random values of a schema's types; with a ``target``, every union is on the way to that type."""

    def __init__(self, model: Model, module: ModuleType, target: str | None = None, *, most_items: int = 3) -> None:
        self._model = model
        self._module = module
        self._target = target
        self._most_items = most_items
        self._known: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, name: str) -> st.SearchStrategy[Any]:
        if name not in self._known:
            # A recursive type asks for itself before its own strategy is there.
            self._known[name] = st.deferred(lambda: self._shape(self._model.shape(name)))
        return self._known[name]

    def _shape(self, shape: Shape) -> st.SearchStrategy[Any]:
        match shape:
            case StructShape():
                made = getattr(self._module, shape.name)
                return st.tuples(*(self._type(field.type) for field in shape.fields)).map(lambda given: made(*given))
            case EnumShape():
                return st.sampled_from(list(getattr(self._module, shape.name)))
            case UnionShape():
                return st.one_of([self.of(name) for name in members_towards(self._model, shape, self._target)])
        return self._type(shape.type)

    def _type(self, type_: Type) -> st.SearchStrategy[Any]:
        match type_:
            case Named():
                return self.of(type_.name)
            case Data():
                return st.binary(min_size=type_.length or 0, max_size=type_.length or 200)
            case Optional():
                return st.none() | self._type(type_.item)
            case List():
                return st.lists(
                    self._type(type_.item), min_size=type_.length or 0, max_size=type_.length or self._most_items
                )
            case Map():
                return st.dictionaries(self._type(type_.key), self._type(type_.value), max_size=self._most_items)
            case Primitive():
                return _primitive(type_.name)
        raise AssertionError(type_)


def _primitive(name: str) -> st.SearchStrategy[Any]:
    match name:
        case "bool":
            return st.booleans()
        case "str":
            return st.text(max_size=150)
        case "f32":
            return st.floats(width=32, allow_nan=False)
        case "f64":
            return st.floats(allow_nan=False)
    least, most = bounds(name)
    return st.integers(least, most) | st.sampled_from([least, most, 0, 1, 127])


def sample(model: Model, module: ModuleType, name: str, target: str | None = None) -> Any:
    """One value of a type with every optional given and one item in every list and map."""

    def value(type_: Type) -> Any:
        match type_:
            case Named():
                return sample(model, module, type_.name, target)
            case Data():
                return b"d" * (type_.length or 3)
            case Optional():
                return value(type_.item)
            case List():
                return [value(type_.item)] * (type_.length or 1)
            case Map():
                return {value(type_.key): value(type_.value)}
            case Primitive():
                return {"bool": True, "str": "text", "f32": 0.5, "f64": 0.5}.get(type_.name, 1)
        raise AssertionError(type_)

    shape = model.shape(name)
    match shape:
        case StructShape():
            return getattr(module, name)(*(value(field.type) for field in shape.fields))
        case EnumShape():
            return next(iter(getattr(module, name)))
        case UnionShape():
            return sample(model, module, members_towards(model, shape, target)[0], target)
    return value(shape.type)


def replaced(value: Any, struct: str, field: str, new: Any) -> Any:
    """The same value, but with another value in one field of every Struct of that name inside it."""
    if isinstance(value, msgspec.Struct):
        if type(value).__name__ == struct:
            return msgspec.structs.replace(value, **{field: new})
        names = value.__struct_fields__
        return type(value)(*(replaced(getattr(value, name), struct, field, new) for name in names))
    if isinstance(value, list):
        return [replaced(item, struct, field, new) for item in value]
    if isinstance(value, dict):
        return {key: replaced(item, struct, field, new) for key, item in value.items()}
    return value


def inside(value: Any) -> Iterator[Any]:
    """A value and everything inside it."""
    yield value
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from inside(getattr(value, name))
    elif isinstance(value, list):
        for item in value:
            yield from inside(item)
    elif isinstance(value, dict):
        for item in (*value.keys(), *value.values()):
            yield from inside(item)


def encode(module: ModuleType, root: str, message: Any) -> bytes:
    encoded = getattr(module, f"encode_{snake_case(root)}")(message)
    assert type(encoded) is bytes
    return encoded


def decode(module: ModuleType, root: str, buffer: bytes | bytearray | memoryview) -> Any:
    return getattr(module, f"decode_{snake_case(root)}")(buffer)
