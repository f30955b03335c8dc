"""Writes the Python types of a schema: classes for structs and enums, aliases for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bare.shapes import AliasShape, EnumShape, Shape, StructShape, UnionShape, child_types, inner_names
from bare.source import LINE_LENGTH, annotation


def type_lines(shapes: Mapping[str, Shape]) -> Iterator[str]:
    """The types in their order, aliases last: an alias is evaluated where it stands."""
    for shape in shapes.values():
        if isinstance(shape, StructShape):
            yield from _struct_class(shape)
        elif isinstance(shape, EnumShape):
            yield from _enum_class(shape)
    aliases = _ordered_aliases(shapes)
    if aliases:
        yield ""
    for alias in aliases:
        yield ""
        yield from _alias(alias)


def _struct_class(shape: StructShape) -> Iterator[str]:
    # Only a value that may contain itself needs the garbage collector: nothing else is ever in a cycle.
    yield from ("", "", f"class {shape.name}(msgspec.Struct, frozen=True, gc={shape.recursive}):")
    yield from _docstring(shape.comment or (f"``{shape.name}`` of the schema.",))
    if shape.fields:
        yield ""
    for field in shape.fields:
        yield from (f"    # {line}".rstrip() for line in field.comment)
        yield f"    {field.name}: {annotation(field.type)}"


def _enum_class(shape: EnumShape) -> Iterator[str]:
    yield from ("", "", f"class {shape.name}(enum.IntEnum):")
    yield from _docstring(shape.comment or (f"``{shape.name}`` of the schema.",))
    yield ""
    for value in shape.values:
        yield from (f"    # {line}".rstrip() for line in value.comment)
        yield f"    {value.name} = {value.value}"


def _alias(shape: AliasShape | UnionShape) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in shape.comment)
    if isinstance(shape, AliasShape):
        yield f"{shape.name}: typing.TypeAlias = {annotation(shape.type)}"
        return
    members = list(shape.members.values())
    line = f"{shape.name}: typing.TypeAlias = {' | '.join(members)}"
    if len(line) <= LINE_LENGTH:
        yield line
        return
    yield f"{shape.name}: typing.TypeAlias = ("
    yield from (f"    {'| ' if position else ''}{member}" for position, member in enumerate(members))
    yield ")"


def _ordered_aliases(shapes: Mapping[str, Shape]) -> list[AliasShape | UnionShape]:
    """Aliases and unions, each behind those that it mentions."""
    ordered: list[AliasShape | UnionShape] = []

    def visit(name: str) -> None:
        shape = shapes.get(name)
        if shape in ordered or not isinstance(shape, AliasShape | UnionShape):
            return
        for type_ in child_types(shape):
            for inner in inner_names(type_):
                visit(inner)
        ordered.append(shape)

    for name in shapes:
        visit(name)
    return ordered


def _docstring(comment: tuple[str, ...]) -> Iterator[str]:
    lines = [line.replace("\\", "\\\\").replace('"""', "'''") for line in comment]
    if len(lines) == 1 and not lines[0].endswith('"'):
        yield f'    """{lines[0]}"""'
        return
    yield f'    """{lines[0]}'
    yield from (f"    {line}".rstrip() for line in lines[1:])
    yield '    """'
