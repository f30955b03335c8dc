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

from rivet_runner.protocol import v3
from tests.protocol.messages import SCHEMA, decode, encode, inside, model_of

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "golden" / "v3.json").read_text(encoding="utf-8"))


def built(hint: Any, described: Any) -> Any:
    """Make the Python value that the JSON of a vector describes."""
    match described:
        case {"tag": tag, "val": value}:
            return built_struct(getattr(v3, tag), value)
        case {"int": digits}:
            return int(digits)
        case {"data": digits}:
            return bytes.fromhex(digits)
        case {"map": entries}:
            value_hint = get_args(only(hint, Mapping))[1]
            return {key: built(value_hint, value) for key, value in entries}
        case list():
            item_hint = get_args(only(hint, Sequence))[0]
            return [built(item_hint, item) for item in described]
        case dict():
            return built_struct(hint, described)
        case str() if hint is v3.StopCode:
            return v3.StopCode[described.upper()]
    return described


def built_struct(made: type[Any], described: Any) -> Any:
    hints = get_type_hints(made)
    if described is None:
        return made()
    if isinstance(described, list):
        return made(built(hints["items"], described))
    fields = {snake_case(name): value for name, value in described.items()}
    return made(**{name: built(hints[name], value) for name, value in fields.items()})


def only(hint: Any, origin: type) -> Any:
    """The list or map type of a field, which may be optional."""
    choices = get_args(hint) if isinstance(hint, UnionType) or NoneType in get_args(hint) else [hint]
    return next(choice for choice in choices if get_origin(choice) is origin)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_bytes_and_message_are_those_of_the_other_implementation(vector: dict[str, Any]) -> None:
    message = built(None, vector["message"])
    encoded = bytes.fromhex(vector["bytes"])
    assert encode(v3, vector["union"], message) == encoded
    decoded = decode(v3, vector["union"], encoded)
    assert decoded == message
    # Dictionaries are equal in any order, but their bytes are not.
    assert repr(decoded) == repr(message)


def test_the_vectors_hold_every_type_and_every_optional_in_both_forms() -> None:
    seen: set[str] = set()
    optionals: set[tuple[str, bool]] = set()
    for vector in VECTORS:
        for part in inside(built(None, vector["message"])):
            if isinstance(part, msgspec.Struct):
                seen.add(type(part).__name__)
                for name in part.__struct_fields__:
                    optionals.add((f"{type(part).__name__}.{name}", getattr(part, name) is None))
    model = model_of(SCHEMA.read_text(encoding="utf-8"))
    structs = [shape for shape in model.shapes.values() if isinstance(shape, StructShape)]
    assert seen == {shape.name for shape in structs}
    for shape in structs:
        hints = get_type_hints(getattr(v3, shape.name))
        for field in shape.fields:
            label = f"{shape.name}.{field.name}"
            assert (label, False) in optionals
            assert ((label, True) in optionals) == (NoneType in get_args(hints[field.name])), label
