"""Writes the functions of a schema: a reader and writers for each type, tables by which unions are dispatched, and the
public functions of the types that stand alone.

The private parts come as *blocks* by name, each with the type that it is for: `bare.family` decides which module gets a
block that several versions of a protocol have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bare.decoding import DecodeFunction
from bare.encoding import EncodeFunction
from bare.model import Model
from bare.schema import Named
from bare.shapes import EnumShape, Shape, StructShape, UnionShape, child_types, inner_names, snake_case
from bare.source import Scope, is_fixed, table_name

_WRITER = "collections.abc.Callable[[list[bytes], typing.Any], None]"


@dataclass(frozen=True)
class Block:
    """A function, table or constant; ``lines`` writes it for one module."""

    type: str
    lines: Callable[[Scope], list[str]]


def constants(model: Model) -> dict[str, Block]:
    """The values of enums and of types without contents, by name: decoding makes no others."""
    blocks: dict[str, Block] = {}
    for shape in model.shapes.values():
        if isinstance(shape, EnumShape):
            values = ", ".join(f"{value.value}: {shape.name}.{value.name}" for value in shape.values)
            _add_constant(blocks, shape, "VALUES", f"{{{values}}}")
        elif isinstance(shape, StructShape) and not shape.fields:
            _add_constant(blocks, shape, "VALUE", f"{shape.name}()")
    return blocks


def _add_constant(blocks: dict[str, Block], shape: Shape, kind: str, value: str) -> None:
    name = table_name(kind, shape.name)
    blocks[name] = Block(shape.name, lambda scope: [f"{scope.name(name)}: typing.Final = {value}"])


def private_functions(model: Model) -> dict[str, Block]:
    """The readers and writers by name, then the tables, which mention them."""
    return _Private(model).blocks


def public_functions(model: Model, scope: Scope) -> Iterator[list[str]]:
    for root in model.roots():
        yield _encode(model, scope, root)
        yield _decode(model, scope, root)


class _Private:
    """Collects the blocks.

    A tag is written together with what comes before it, by the function of the type that contains the union. Before the tag
    of a whole message there is nothing: there the member's function writes the tag too, as a variant for that tag.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        unions = [shape for shape in model.shapes.values() if isinstance(shape, UnionShape)]
        self._whole_messages = [union for union in unions if model.stands_alone(union)]
        self._called = self._called_types()
        self.blocks: dict[str, Block] = {}
        for shape in model.shapes.values():
            if isinstance(shape, StructShape | EnumShape):
                self._add_functions(shape)
        for shape in model.shapes.values():
            if isinstance(shape, UnionShape):
                self._add_tables(shape)

    def _called_types(self) -> set[str]:
        """The types with a writer for use within others: members of unions, and structs too varied for a run."""
        members: set[str] = set()
        others = set(self._model.roots())
        for shape in self._model.shapes.values():
            if isinstance(shape, UnionShape) and shape not in self._whole_messages:
                members.update(shape.members.values())
            for type_ in child_types(shape):
                others.update(inner_names(type_))
        structs = {name for name in others if isinstance(self._model.shape(name), StructShape)}
        return members | {name for name in structs if not is_fixed(self._model, Named(name, line=0))}

    def _first_tags(self, name: str) -> list[int]:
        """The tags by which whole messages of the type begin."""
        return sorted({tag for union in self._whole_messages for tag, member in union.members.items() if member == name})

    def _add_functions(self, shape: StructShape | EnumShape) -> None:
        name, tags = snake_case(shape.name), self._first_tags(shape.name)
        if tags or shape.name in self._called:
            self.blocks[f"read_{name}"] = Block(shape.name, lambda scope: _reader(self._model, scope, shape))
        if shape.name in self._called:
            self._add_writer(shape, f"write_{name}", None)
        for tag in tags:
            self._add_writer(shape, f"write_{name}_tag_{tag}", tag)

    def _add_writer(self, shape: StructShape | EnumShape, name: str, tag: int | None) -> None:
        self.blocks[name] = Block(shape.name, lambda scope: _writer(self._model, scope, shape, name, tag))

    def _add_tables(self, shape: UnionShape) -> None:
        writers = _first_writers if shape in self._whole_messages else _writers
        self.blocks[table_name("READERS", shape.name)] = Block(shape.name, lambda scope: list(_readers(shape, scope)))
        self.blocks[table_name("WRITERS", shape.name)] = Block(shape.name, lambda scope: list(writers(shape, scope)))


def _reader(model: Model, scope: Scope, shape: StructShape | EnumShape) -> list[str]:
    name = scope.name(f"read_{snake_case(shape.name)}")
    function = DecodeFunction(model, scope)
    if isinstance(shape, StructShape):
        function.struct(shape)
    else:
        value = function.read(Named(shape.name, line=0), shape.name, "value")
        function.flush()
        function.emit(f"return {value}, at")
    return [f"def {name}(buf: bytes, at: int, size: int) -> tuple[{shape.name}, int]:", *function.lines]


def _writer(model: Model, scope: Scope, shape: StructShape | EnumShape, name: str, tag: int | None) -> list[str]:
    function = EncodeFunction(model, scope)
    if isinstance(shape, StructShape):
        function.struct(shape, tag)
    else:
        function.enum(shape, tag)
    return [f"def {scope.name(name)}(out: list[bytes], message: {shape.name}) -> None:", *function.lines]


def _readers(shape: UnionShape, scope: Scope) -> Iterator[str]:
    reader = f"collections.abc.Callable[[bytes, int, int], tuple[{shape.name}, int]]"
    name = scope.name(table_name("READERS", shape.name))
    readers = {tag: scope.name(f"read_{snake_case(member)}") for tag, member in shape.members.items()}
    if list(readers) == list(range(len(readers))):
        yield f"{name}: typing.Final[tuple[{reader}, ...]] = ("
        yield from (f"    {function}," for function in readers.values())
        yield ")"
    else:
        yield f"{name}: typing.Final[dict[int, {reader}]] = {{"
        yield from (f"    {tag}: {function}," for tag, function in readers.items())
        yield "}"


def _writers(shape: UnionShape, scope: Scope) -> Iterator[str]:
    name = scope.name(table_name("WRITERS", shape.name))
    yield f"{name}: typing.Final[dict[type, tuple[int, {_WRITER}]]] = {{"
    for tag, member in shape.members.items():
        yield f"    {member}: ({tag}, {scope.name(f'write_{snake_case(member)}')}),"
    yield "}"


def _first_writers(shape: UnionShape, scope: Scope) -> Iterator[str]:
    name = scope.name(table_name("WRITERS", shape.name))
    yield f"{name}: typing.Final[dict[type, {_WRITER}]] = {{"
    for tag, member in shape.members.items():
        yield f"    {member}: {scope.name(f'write_{snake_case(member)}_tag_{tag}')},"
    yield "}"


def _encode(model: Model, scope: Scope, root: str) -> list[str]:
    function = EncodeFunction(model, scope)
    function.emit('"""Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""')
    function.emit("out: list[bytes] = []")
    if model.is_recursive(root):
        function.emit("try:")
        with function.indented():
            function.message(root)
        function.emit("except RecursionError:")
        function.emit(f'    raise _bare.too_deep_to_encode("{root}") from None')
    else:
        function.message(root)
    function.emit('return b"".join(out)')
    return [f"def encode_{snake_case(root)}(message: {root}) -> bytes:", *function.lines]


def _decode(model: Model, scope: Scope, root: str) -> list[str]:
    function = DecodeFunction(model, scope)
    function.emit('"""Decode exactly one message; raises ``DecodeError`` for anything else."""')
    function.emit("if type(buf) is not bytes:", "    buf = _bare.as_bytes(buf)", "at = 0", "size = len(buf)")
    if model.is_recursive(root):
        function.emit("try:")
        with function.indented():
            value = function.read(Named(root, line=0), root, "value")
            function.flush()
        function.emit("except RecursionError:")
        function.emit(f'    raise _bare.too_deep_to_decode("{root}") from None')
    else:
        value = function.read(Named(root, line=0), root, "value")
        function.flush()
    function.emit("if at != size:", f'    raise _bare.left_over("{root}", at, size)', f"return {value}")
    head = f"def decode_{snake_case(root)}(buf: bytes | bytearray | memoryview) -> {root}:"
    return [head, *function.lines]
