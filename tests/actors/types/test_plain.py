"""Values of a program become plain data."""

from __future__ import annotations

import dataclasses
import enum
from collections import OrderedDict, UserDict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest

from rivet_runner.actors._types.plain import plain

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str): ...


class Inner(msgspec.Struct, rename="camel", tag="inner"):
    some_field: int
    tags: set[str] = set()
    left: int | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, array_like=True):
    a: int
    b: bytes


class Flat(msgspec.Struct):
    a: str
    at: datetime
    raw: bytes


class Outer(msgspec.Struct):
    flat: Flat
    some: list[Flat] = []
    any: Any = msgspec.field(default_factory=lambda: {1})


@dataclasses.dataclass
class Point:
    at: datetime
    inner: Inner


class Model(pydantic.BaseModel):
    when: datetime
    who: UUID | None = None
    raw: bytes = b""
    full_name: str = pydantic.Field(default="", serialization_alias="fullName")


class WithAddress(pydantic.BaseModel):
    address: IPv4Address
    raw: bytes = b"\xff"


class Opaque: ...


class WithOpaque(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    it: Opaque


class MayHoldOpaque(msgspec.Struct):
    it: Opaque | None = None


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", b"raw", NOON, [1, [2]], {"a": {1: None}}, {1, "a"}])
def test_plain_data_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value
    assert type(plain(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2, {3})), [1, [2, {3}]]),
        (frozenset({1}), {1}),
        ({(1, 2)}, [[1, 2]]),
        (Color.RED, "red"),
        ({Color.RED: Level.HIGH}, {"red": 3}),
        (Name("x"), "x"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=(1,)), {"a": [1]}),
        ({1: 2}.keys(), {1}),
        (MayHoldOpaque(), {"it": None}),
        (deque([1]), [1]),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 1), "2026-01-01"),
        (timedelta(seconds=90), "PT90S"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Outer(Flat("x", NOON, b"x")), {"flat": {"a": "x", "at": NOON, "raw": b"x"}, "some": [], "any": {1}}),
        ([Flat("x", NOON, b"x")], [{"a": "x", "at": NOON, "raw": b"x"}]),
        (Inner(1, {"a"}), {"type": "inner", "someField": 1, "tags": {"a"}}),
        ([Row(1, b"x")], [[1, b"x"]]),
        (Point(NOON, Inner(1)), {"at": NOON, "inner": {"type": "inner", "someField": 1, "tags": set()}}),
        (
            Model(when=NOON, who=UUID(int=1), raw=b"\xff"),
            {"when": NOON, "who": "00000000-0000-0000-0000-000000000001", "raw": b"\xff", "fullName": ""},
        ),
        (WithAddress(address=IPv4Address("10.0.0.1")), {"address": "10.0.0.1", "raw": b"\xff"}),
    ],
)
def test_other_values_become_plain(value: Any, expected: Any) -> None:
    made = plain(value)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    "value", [object(), [object()], {"a": complex(1)}, lambda: None, int, Point, WithOpaque(it=Opaque())]
)
def test_a_value_without_a_plain_form_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError):
        plain(value)


def test_a_datetime_without_a_time_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no time zone.*use datetime\.now"):
        plain({"at": datetime(2026, 1, 1)})
