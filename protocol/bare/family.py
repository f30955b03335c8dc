"""What the versions of one protocol have in common.

A type is *shared* if every version that has it spells it alike, and everything that it contains is shared: it becomes one
Python class. Unions alone may differ in their members, because a union is no class but an annotation. The shared annotation
then names the members of all versions, and each version says which of them it has.

A shared type is *settled* if it contains no such union. Its bytes are the same in every version, and so are its functions.
"""

from __future__ import annotations

from collections.abc import Mapping

from bare.functions import Block, constants, private_functions
from bare.model import Model
from bare.shapes import Shape, UnionShape, mentions


class Family:
    """The models of all versions, by the names of their modules."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models
        self._found = self._collect()
        own = self._spread({name for name, found in self._found.items() if not _alike(found)})
        self.types = {name: _merged(found) for name, found in self._found.items() if name not in own}
        """The shared types. A union has the members of all versions here, and its tags mean nothing."""
        open_unions = {name for name in self.types if _is_open(self._found[name])}
        self._settled = set(self.types) - self._spread(open_unions)
        self.constants = self._repeated([constants(model) for model in models.values()])
        """The constants of settled types that several versions need, by name."""
        self.functions = self._repeated([private_functions(model) for model in models.values()])
        """The functions and tables of settled types that several versions need, by name."""

    def imported_types(self, version: str) -> set[str]:
        """The types that the version's module need not write: all shared ones, unless it has fewer members of a union."""
        shapes = self._models[version].shapes
        return {name for name, shape in self.types.items() if name in shapes and _same_members(shape, shapes[name])}

    def _collect(self) -> dict[str, list[Shape]]:
        found: dict[str, list[Shape]] = {}
        for model in self._models.values():
            for name, shape in model.shapes.items():
                found.setdefault(name, []).append(shape)
        return found

    def _spread(self, names: set[str]) -> set[str]:
        """The names, and those of all types that contain one of them in some version."""
        names = set(names)
        while more := {
            name
            for name, found in self._found.items()
            if name not in names and any(mentions(shape) & names for shape in found)
        }:
            names |= more
        return names

    def _repeated(self, versions: list[dict[str, Block]]) -> dict[str, Block]:
        every = {name: block for blocks in versions for name, block in blocks.items() if block.type in self._settled}
        return {name: block for name, block in every.items() if sum(name in blocks for blocks in versions) > 1}


def _alike(found: list[Shape]) -> bool:
    """Whether the versions spell a type alike; unions always count as alike."""
    if all(isinstance(shape, UnionShape) for shape in found):
        return True
    return all(shape == found[0] for shape in found)


def _is_open(found: list[Shape]) -> bool:
    """Whether the type is a union that has other members, or other tags, in some version."""
    return any(shape != found[0] for shape in found)


def _merged(found: list[Shape]) -> Shape:
    first = found[0]
    if not isinstance(first, UnionShape):
        return first
    members = dict.fromkeys(member for shape in found if isinstance(shape, UnionShape) for member in shape.members.values())
    return UnionShape(first.name, dict(enumerate(members)), first.comment, first.line)


def _same_members(merged: Shape, own: Shape) -> bool:
    if isinstance(merged, UnionShape) and isinstance(own, UnionShape):
        return set(merged.members.values()) == set(own.members.values())
    return True
