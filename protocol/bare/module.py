"""Puts the generated module together: types, functions, tables by which unions are dispatched."""

from __future__ import annotations

from collections.abc import Iterator

from bare.decoding import DecodeFunction
from bare.encoding import EncodeFunction
from bare.model import Model
from bare.schema import Named, parse
from bare.shapes import (
    AliasShape,
    EnumShape,
    StructShape,
    UnionShape,
    child_types,
    inner_names,
    snake_case,
)
from bare.source import LINE_LENGTH, Packers, annotation, is_fixed, table_name

# The exact type of every value is checked before it is encoded, which a type checker holds to be unnecessary.
HEADER = '''\
# This file is generated from {source} by protocol/generate.py: change that schema, and generate again.
# mypy: no-warn-unreachable
# ruff: noqa: E501
"""The messages of {source} as frozen Structs, and the functions that encode and decode them.

``encode_*`` raises a ``TypeError`` or ``ValueError`` that names the field. ``decode_*`` takes any bytes-like
object and raises ``DecodeError`` for anything but exactly one message; it makes a ``list`` of a list, and a
``dict`` of a map in the order of the bytes. A type without contents is a Struct without fields, and a message
that is a list is a Struct with the one field ``items``.
"""

from __future__ import annotations

import collections.abc
import enum
import struct
import typing

import msgspec

from rivet_runner.protocol import _bare
'''


def generate(schema: str, source: str) -> str:
    """Compile a schema to the text of a Python module; ``source`` is what the module calls the schema."""
    return _Module(Model(parse(schema)), source).text()


class _Module:
    def __init__(self, model: Model, source: str) -> None:
        self._model = model
        self._source = source
        self._packers = Packers()
        self._called = self._called_structs()

    def text(self) -> str:
        functions = [line for block in self._functions() for line in ("", "", *block)]
        lines = [HEADER.format(source=self._source)]
        lines += self._all()
        lines += self._types()
        lines += [
            "",
            "",
            "_ONE_BYTE: typing.Final = _bare.ONE_BYTE",
            *self._packers.lines(),
            *self._constants(),
        ]
        lines += functions
        return "\n".join(lines) + "\n"

    def _functions(self) -> Iterator[list[str]]:
        for shape in self._model.shapes.values():
            if isinstance(shape, StructShape | EnumShape):
                yield from self._private_functions(shape)
        yield from self._tables()
        for root in self._model.roots():
            yield self._encode(root)
            yield self._decode(root)

    # ------------------------------------------------------------ types

    def _all(self) -> Iterator[str]:
        functions = [f"{verb}_{snake_case(root)}" for root in self._model.roots() for verb in ("decode", "encode")]
        yield "__all__ = ["
        yield from (f'    "{name}",' for name in [*sorted(self._model.shapes), *sorted(functions)])
        yield "]"

    def _types(self) -> Iterator[str]:
        for shape in self._model.shapes.values():
            if isinstance(shape, StructShape):
                yield from self._struct_class(shape)
            elif isinstance(shape, EnumShape):
                yield from self._enum_class(shape)
        yield ""
        for name in self._ordered_aliases():
            yield ""
            yield from self._alias(name)

    def _struct_class(self, shape: StructShape) -> Iterator[str]:
        # Only a value that may contain itself needs the garbage collector: nothing else is ever in a cycle.
        yield from ("", "", f"class {shape.name}(msgspec.Struct, frozen=True, gc={shape.recursive}):")
        yield from _docstring(shape.comment or (f"``{shape.name}`` of the schema.",))
        if shape.fields:
            yield ""
        for field in shape.fields:
            yield from (f"    # {line}".rstrip() for line in field.comment)
            yield f"    {field.name}: {annotation(self._model, field.type)}"

    def _enum_class(self, shape: EnumShape) -> Iterator[str]:
        yield from ("", "", f"class {shape.name}(enum.IntEnum):")
        yield from _docstring(shape.comment or (f"``{shape.name}`` of the schema.",))
        yield ""
        for value in shape.values:
            yield from (f"    # {line}".rstrip() for line in value.comment)
            yield f"    {value.name} = {value.value}"

    def _alias(self, name: str) -> Iterator[str]:
        shape = self._model.shape(name)
        assert isinstance(shape, AliasShape | UnionShape)
        yield from (f"# {line}".rstrip() for line in shape.comment)
        if isinstance(shape, AliasShape):
            yield f"{name}: typing.TypeAlias = {annotation(self._model, shape.type)}"
            return
        members = list(shape.members.values())
        line = f"{name}: typing.TypeAlias = {' | '.join(members)}"
        if len(line) <= LINE_LENGTH:
            yield line
            return
        yield f"{name}: typing.TypeAlias = ("
        yield from (f"    {'| ' if position else ''}{member}" for position, member in enumerate(members))
        yield ")"

    def _ordered_aliases(self) -> list[str]:
        """Aliases and unions, each behind those that it mentions: an alias is evaluated where it stands."""
        ordered: list[str] = []

        def visit(name: str) -> None:
            shape = self._model.shape(name)
            if name in ordered or not isinstance(shape, AliasShape | UnionShape):
                return
            for type_ in child_types(shape):
                for inner in inner_names(type_):
                    visit(inner)
            ordered.append(name)

        for name in self._model.shapes:
            visit(name)
        return ordered

    # ------------------------------------------------------------ functions

    def _called_structs(self) -> set[str]:
        """The structs that some field reads and writes through a call: all that are too varied for a run."""
        names = set(self._model.roots())
        for shape in self._model.shapes.values():
            for type_ in child_types(shape):
                names.update(inner_names(type_))
        return {
            name
            for name in names
            if isinstance(self._model.shape(name), StructShape) and not is_fixed(self._model, Named(name, line=0))
        }

    def _tags(self, name: str) -> list[int]:
        """The tags under which unions hold the type, each once."""
        unions = [shape for shape in self._model.shapes.values() if isinstance(shape, UnionShape)]
        return sorted({tag for union in unions for tag, member in union.members.items() if member == name})

    def _private_functions(self, shape: StructShape | EnumShape) -> Iterator[list[str]]:
        name, tags = snake_case(shape.name), self._tags(shape.name)
        if tags or shape.name in self._called:
            head = f"def _read_{name}(buf: bytes, at: int, size: int) -> tuple[{shape.name}, int]:"
            yield [head, *self._read_body(shape)]
        for tag in [None, *tags] if shape.name in self._called else tags:
            suffix = "" if tag is None else f"_tag_{tag}"
            head = f"def _write_{name}{suffix}(out: list[bytes], message: {shape.name}) -> None:"
            yield [head, *self._write_body(shape, tag)]

    def _read_body(self, shape: StructShape | EnumShape) -> list[str]:
        function = DecodeFunction(self._model, self._packers)
        if isinstance(shape, StructShape):
            function.struct(shape)
        else:
            value = function.read(Named(shape.name, line=0), shape.name, "value")
            function.flush()
            function.emit(f"return {value}, at")
        return function.lines

    def _write_body(self, shape: StructShape | EnumShape, tag: int | None) -> list[str]:
        function = EncodeFunction(self._model, self._packers)
        if isinstance(shape, StructShape):
            function.struct(shape, tag)
        else:
            assert tag is not None
            function.enum(shape, tag)
        return function.lines

    def _encode(self, root: str) -> list[str]:
        function = EncodeFunction(self._model, self._packers)
        function.emit('"""Encode one message; raises ``TypeError`` or ``ValueError`` that names the field."""')
        function.emit("out: list[bytes] = []")
        if self._model.is_recursive(root):
            function.emit("try:")
            with function.indented():
                function.write(Named(root, line=0), "message", root, "value")
                function.flush()
            function.emit("except RecursionError:")
            function.emit(f'    raise _bare.too_deep_to_encode("{root}") from None')
        else:
            function.write(Named(root, line=0), "message", root, "value")
            function.flush()
        function.emit('return b"".join(out)')
        return [f"def encode_{snake_case(root)}(message: {root}) -> bytes:", *function.lines]

    def _decode(self, root: str) -> list[str]:
        function = DecodeFunction(self._model, self._packers)
        function.emit('"""Decode exactly one message; raises ``DecodeError`` for anything else."""')
        function.emit("if type(buf) is not bytes:", "    buf = _bare.as_bytes(buf)", "at = 0", "size = len(buf)")
        if self._model.is_recursive(root):
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

    # ------------------------------------------------------------ tables

    def _constants(self) -> Iterator[str]:
        for shape in self._model.shapes.values():
            if isinstance(shape, EnumShape):
                values = ", ".join(f"{value.value}: {shape.name}.{value.name}" for value in shape.values)
                yield f"{table_name('VALUES', shape.name)}: typing.Final = {{{values}}}"
            elif isinstance(shape, StructShape) and not shape.fields:
                yield f"{table_name('VALUE', shape.name)}: typing.Final = {shape.name}()"

    def _tables(self) -> Iterator[list[str]]:
        for shape in self._model.shapes.values():
            if isinstance(shape, UnionShape):
                yield [*self._readers(shape), *self._writers(shape)]

    def _readers(self, shape: UnionShape) -> Iterator[str]:
        reader = f"collections.abc.Callable[[bytes, int, int], tuple[{shape.name}, int]]"
        name = table_name("READERS", shape.name)
        readers = {tag: f"_read_{snake_case(member)}" for tag, member in shape.members.items()}
        if list(readers) == list(range(len(readers))):
            yield f"{name}: typing.Final[tuple[{reader}, ...]] = ("
            yield from (f"    {function}," for function in readers.values())
            yield ")"
        else:
            yield f"{name}: typing.Final[dict[int, {reader}]] = {{"
            yield from (f"    {tag}: {function}," for tag, function in readers.items())
            yield "}"

    def _writers(self, shape: UnionShape) -> Iterator[str]:
        writer = "collections.abc.Callable[[list[bytes], typing.Any], None]"
        yield f"{table_name('WRITERS', shape.name)}: typing.Final[dict[type, {writer}]] = {{"
        for tag, member in shape.members.items():
            yield f"    {member}: _write_{snake_case(member)}_tag_{tag},"
        yield "}"


def _docstring(comment: tuple[str, ...]) -> Iterator[str]:
    lines = [line.replace("\\", "\\\\").replace('"""', "'''") for line in comment]
    if len(lines) == 1 and not lines[0].endswith('"'):
        yield f'    """{lines[0]}"""'
        return
    yield f'    """{lines[0]}'
    yield from (f"    {line}".rstrip() for line in lines[1:])
    yield '    """'
