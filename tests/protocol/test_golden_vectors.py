"""The bytes that another implementation of BARE makes of the same schema; ``golden/README.md`` says how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from bare.shapes import StructShape, snake_case

from rivet_runner.protocol.messages import StopCode
from tests.protocol.messages import decode, encode, inside
from tests.protocol.versions import VERSIONS, Version, each_version

GOLDEN = Path(__file__).parent / "golden"
VECTORS: dict[Version, list[dict[str, Any]]] = {
    version: json.loads((GOLDEN / f"{version}.json").read_text(encoding="utf-8")) for version in VERSIONS
}


def built(module: Any, hint: Any, described: Any) -> Any:
    """Make the Python value that the JSON of a vector describes."""
    match described:
        case {"tag": tag, "val": value}:
            return built_struct(module, getattr(module, tag), value)
        case {"int": digits}:
            return int(digits)
        case {"data": digits}:
            return bytes.fromhex(digits)
        case {"map": entries}:
            value_hint = get_args(only(hint, Mapping))[1]
            return {key: built(module, value_hint, value) for key, value in entries}
        case list():
            item_hint = get_args(only(hint, Sequence))[0]
            return [built(module, item_hint, item) for item in described]
        case dict():
            return built_struct(module, hint, described)
        case str() if hint is StopCode:
            return StopCode[described.upper()]
    return described


def built_struct(module: Any, made: type[Any], described: Any) -> Any:
    hints = get_type_hints(made)
    if described is None:
        return made()
    if isinstance(described, list):
        return made(built(module, hints["items"], described))
    fields = {snake_case(name): value for name, value in described.items()}
    return made(**{name: built(module, hints[name], value) for name, value in fields.items()})


def only(hint: Any, origin: type) -> Any:
    """The list or map type of a field, which may be optional."""
    choices = get_args(hint) if isinstance(hint, UnionType) or NoneType in get_args(hint) else [hint]
    return next(choice for choice in choices if get_origin(choice) is origin)


@pytest.mark.parametrize(
    ("version", "vector"),
    [
        pytest.param(version, vector, id=f"{version}-{vector['name']}")
        for version, vectors in VECTORS.items()
        for vector in vectors
    ],
)
def test_bytes_and_message_are_those_of_the_other_implementation(version: Version, vector: dict[str, Any]) -> None:
    message = built(version.module, None, vector["message"])
    encoded = bytes.fromhex(vector["bytes"])
    assert encode(version.module, vector["union"], message) == encoded
    decoded = decode(version.module, vector["union"], encoded)
    assert decoded == message
    # Dictionaries are equal in any order, but their bytes are not.
    assert repr(decoded) == repr(message)


@each_version
def test_the_vectors_hold_every_type_and_every_optional_in_both_forms(version: Version) -> None:
    seen: set[str] = set()
    optionals: set[tuple[str, bool]] = set()
    for vector in VECTORS[version]:
        for part in inside(built(version.module, None, vector["message"])):
            if isinstance(part, msgspec.Struct):
                seen.add(type(part).__name__)
                for name in part.__struct_fields__:
                    optionals.add((f"{type(part).__name__}.{name}", getattr(part, name) is None))
    structs = [shape for shape in version.model.shapes.values() if isinstance(shape, StructShape)]
    assert seen == {shape.name for shape in structs}
    for shape in structs:
        hints = get_type_hints(getattr(version.module, shape.name))
        for field in shape.fields:
            label = f"{shape.name}.{field.name}"
            assert (label, False) in optionals
            assert ((label, True) in optionals) == (NoneType in get_args(hints[field.name])), label
