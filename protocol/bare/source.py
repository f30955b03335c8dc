"""Python source under construction: what the emitters for decoding and encoding have in common."""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from bare.model import Model
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type
from bare.shapes import EnumShape, StructShape, snake_case

LINE_LENGTH = 110
# The largest value of a uint that takes one byte.
ONE_BYTE_MAX = 127
NUMBER_FORMATS = {
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "i8": "b",
    "i16": "h",
    "i32": "i",
    "i64": "q",
    "f32": "f",
    "f64": "d",
}
# A struct of more values keeps a function of its own instead of joining the run of each user.
_MAX_RUN = 32
# Names that the generated functions use themselves, so that no local variable may take them.
_RESERVED = {"at", "buf", "end", "error", "message", "out", "size", *keyword.kwlist, *dir(builtins)}
_RESERVED |= {"collections", "enum", "msgspec", "struct", "typing"}


class Scope:
    """The module that functions are written for: the names in it, and the ``struct.Struct`` methods that it needs.

    ``public`` holds what it imports from another generated module, or lets others import; everything else is its own.
    """

    def __init__(self, public: Collection[str] = ()) -> None:
        self.public = frozenset(public)
        self._formats: dict[str, set[str]] = {"unpack_from": set(), "pack": set()}

    def name(self, name: str) -> str:
        """What the module calls a function or a table."""
        return name if name in self.public else f"_{name}"

    def packer(self, method: str, format_: str) -> str:
        self._formats[method].add(format_)
        return self._packer_name(method, format_)

    def packer_lines(self) -> Iterator[str]:
        for method, formats in self._formats.items():
            for format_ in sorted(formats):
                name = self._packer_name(method, format_)
                yield f'{name}: typing.Final = struct.Struct("<{format_}").{method}'

    def _packer_name(self, method: str, format_: str) -> str:
        return f"_{method.upper()}_{format_.replace('?', 'bool')}"


class Function:
    """The lines of one function, its indentation, and the local names already taken."""

    def __init__(self, model: Model, scope: Scope) -> None:
        self.model = model
        self.scope = scope
        self.lines: list[str] = []
        self._depth = 1
        self._names: set[str] = set()

    def emit(self, *lines: str) -> None:
        self.lines.extend("    " * self._depth + line if line else "" for line in lines)

    def emit_call(self, before: str, arguments: list[str], after: str = ")") -> None:
        """Emit ``before(arguments)``, an argument a line where one line would be too long."""
        line = f"{before}({', '.join(arguments)}{after}"
        if len(line) + 4 * self._depth <= LINE_LENGTH:
            self.emit(line)
            return
        self.emit(f"{before}(")
        with self.indented():
            self.emit(*(f"{argument}," for argument in arguments))
        self.emit(after)

    @contextmanager
    def indented(self) -> Iterator[None]:
        self._depth += 1
        yield
        self._depth -= 1

    def local(self, wanted: str) -> str:
        """A local name that nothing else uses, as close to the wanted one as can be."""
        name, number = wanted, 1
        while name in self._names or name in _RESERVED or name in self.scope.public:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name)
        return name

    def fixed_struct(self, type_: Type) -> StructShape | None:
        """The struct that a name stands for, if it always has the same size and can join a run."""
        if isinstance(type_, Named):
            shape = self.model.shape(type_.name)
            if isinstance(shape, StructShape) and is_fixed(self.model, type_):
                return shape
        return None


def is_fixed(model: Model, type_: Type) -> bool:
    """Whether one short struct format can describe every value of the type."""
    return _run_length(model, type_) <= _MAX_RUN


def _run_length(model: Model, type_: Type) -> float:
    """How many values of a run the type takes; infinite if its size varies."""
    type_ = model.resolve(type_)
    match type_:
        case Primitive() if type_.name in NUMBER_FORMATS or type_.name == "bool":
            return 1
        case Data(length=int()):
            return 1
        case Named():
            shape = model.shape(type_.name)
            if isinstance(shape, EnumShape) and is_one_byte(shape):
                return 1
            if isinstance(shape, StructShape) and not shape.recursive:
                return sum(_run_length(model, field.type) for field in shape.fields)
    return math.inf


def is_one_byte(shape: EnumShape) -> bool:
    return all(value.value <= ONE_BYTE_MAX for value in shape.values)


def quoted(label: str) -> str:
    """A label as source; one with an index in it is an f-string, evaluated only when an error names it."""
    return f'f"{label}"' if "{" in label else f'"{label}"'


def table_name(kind: str, name: str) -> str:
    return f"{snake_case(name).upper()}_{kind}"


def annotation(type_: Type) -> str:
    """The Python type of a field."""
    match type_:
        case Named():
            return type_.name
        case Optional():
            return f"{annotation(type_.item)} | None"
        case List():
            return f"collections.abc.Sequence[{annotation(type_.item)}]"
        case Map():
            return f"collections.abc.Mapping[{annotation(type_.key)}, {annotation(type_.value)}]"
        case Data():
            return "bytes"
        case Primitive(name="bool" | "str"):
            return type_.name
        case Primitive(name="f32" | "f64"):
            return "float"
    return "int"
