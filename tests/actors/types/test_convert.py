"""Plain data becomes what an annotation asks for, or an error says where it does not fit."""

from __future__ import annotations

import dataclasses
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest

from rivet_runner.actors._types.convert import ConversionError, ValueType, convert, unsupported_reason

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Size(msgspec.Struct):
    width: int
    tags: set[str] = set()


class Tree(msgspec.Struct):
    children: list[Tree] = []


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.0


class Keyed(TypedDict):
    count: int


class Order(pydantic.BaseModel):
    amount: int
    lines: list[int] = []


class Opaque: ...


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3, int, 3),
        (3.0, int, 3),
        (1.7e12, int, 1_700_000_000_000),
        (-2.0, int, -2),
        ([1.0, 2], list[int], [1, 2]),
        ({1.0: 2.0}, dict[int, int], {1: 2}),
        ({1.0, 2.0}, set[int], {1, 2}),
        (3, float, 3.0),
        (1.0, Literal[1, 2], 1),
        (1.0, int | str, 1),
        ([1, 2], set[int], {1, 2}),
        ("2026-01-01T12:00:00Z", datetime, NOON),
        (NOON, datetime, NOON),
        ("2026-01-01", date, date(2026, 1, 1)),
        ("6d1c5d88-7d2f-4c1b-8a52-2d8f0f2ce5ab", UUID, UUID("6d1c5d88-7d2f-4c1b-8a52-2d8f0f2ce5ab")),
        (b"raw", bytes, b"raw"),
        ({"width": 1.0, "tags": ["a"]}, Size, Size(1, {"a"})),
        ({"x": 1.0, "y": 2}, Point, Point(1, 2.0)),
        ({"count": 1.0}, Keyed, {"count": 1}),
        ({"amount": 1.0, "lines": [2]}, Order, None),
        (3.0, Annotated[int, []], 3),
        (None, Size | None, None),
        (None, Order | None, None),
        (None, None, None),
        ({"any": [1.5]}, Any, {"any": [1.5]}),
        ({"any": [1.5]}, object, {"any": [1.5]}),
        ([1.5, {}], list[object], [1.5, {}]),
        (Order(amount=1), Order | None, Order(amount=1)),
        ({"children": [{"children": []}]}, Tree, Tree([Tree()])),
    ],
)
def test_a_value_that_fits_is_converted(value: Any, annotation: Any, expected: Any) -> None:
    made = convert(value, annotation)
    if expected is None and value is not None:
        assert isinstance(made, annotation)
    else:
        assert made == expected
        assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "path", "message"),
    [
        ("1", int, "", "Expected `int`, got `str`"),
        (1.5, int, "", "Expected `int`, got `float`"),
        (2.0**60, int, "", "Expected `int`, got `float`"),
        (math.nan, int, "", "Expected `int`, got `float`"),
        (math.inf, int, "", "Expected `int`, got `float`"),
        (True, int, "", "Expected `int`, got `bool`"),
        (1, bool, "", "Expected `bool`, got `int`"),
        ([1, "x"], list[int], "[1]", "Expected `int`, got `str`"),
        ({"width": "wide"}, Size, "width", "Expected `int`, got `str`"),
        ([{"width": 1, "tags": [1]}], list[Size], "[0].tags[0]", "Expected `str`, got `int`"),
        ({}, Size, "", "Object missing required field `width`"),
        ({"a": 1}, dict[int, int], "", "Expected `int`, got `str` for a key"),
        ([{}], list[Opaque], "[0]", "plain data cannot become a Opaque"),
        ({"amount": "many"}, Order, "amount", "Input should be a valid integer, unable to parse string as an integer"),
        ([{"amount": 1, "lines": [[]]}], list[Order], "[0].lines[0]", "Input should be a valid integer"),
        (0, Annotated[int, msgspec.Meta(gt=0)], "", "Expected `int` >= 1"),
    ],
)
def test_a_value_that_does_not_fit_says_where(value: Any, annotation: Any, path: str, message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(value, annotation)
    assert (caught.value.path, caught.value.message) == (path, message)
    assert str(caught.value) == (f"{path}: {message}" if path else message)


@pytest.mark.slow
def test_a_value_that_is_nested_too_deeply_is_an_error() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"children": [deep]}
    try:
        with pytest.raises(ConversionError):
            convert(deep, Tree)
    finally:
        while deep:
            deep = deep["children"].pop()


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Opaque, "plain data cannot become a .*Opaque"),
        (list[Opaque], "plain data cannot become a .*Opaque"),
        (dict[str, Opaque | None], "plain data cannot become a .*Opaque"),
        (Callable[[int], int], "plain data cannot become a collections.abc.Callable"),
        (complex, "plain data cannot become a builtins.complex"),
        (Size | Tree, "tagged"),
        (Order | str, "union"),
        ("Size", "not supported"),
    ],
)
def test_an_annotation_that_nothing_fits_is_a_type_error(annotation: Any, reason: str) -> None:
    assert unsupported_reason(annotation) is not None
    with pytest.raises(TypeError, match=reason):
        ValueType(annotation)


@pytest.mark.parametrize(
    "annotation", [Any, object, None, int, Tree, Order, list[Order], NewType("Id", str), Keyed, Annotated[int, []]]
)
def test_an_annotation_that_values_fit_is_accepted(annotation: Any) -> None:
    assert unsupported_reason(annotation) is None


def test_an_error_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(ConversionError("a.b", "is wrong")))
    assert (error.path, error.message, str(error)) == ("a.b", "is wrong", "a.b: is wrong")


def test_a_path_continues_that_of_the_parent() -> None:
    assert ConversionError("width", "x").below("size").path == "size.width"
    assert ConversionError("[0]", "x").below("sizes").path == "sizes[0]"
    assert ConversionError("", "x").below("size").path == "size"


@pytest.mark.slow
def test_pydantic_is_not_imported_for_values_without_models() -> None:
    program = (
        "import sys\n"
        "from rivet_runner.actors._types.convert import convert\n"
        "from rivet_runner.actors._types.plain import plain\n"
        "assert convert([1.0], list[int]) == [1] and plain((1,)) == [1]\n"
        "assert 'pydantic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
