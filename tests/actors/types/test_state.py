"""The types of states: made, stored, read."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal, NewType, TypedDict, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest

from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.state import StateType

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
T = TypeVar("T")


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, extra="forbid")

    who: UUID
    day: date
    price: Decimal
    address: IPv4Address
    raw: bytes
    tags: set[str]
    full_name: str = pydantic.Field(default="", validation_alias="name", serialization_alias="fullName")

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def shout(self) -> str:
        return self.full_name.upper()


class Struct(msgspec.Struct):
    count: int = 0
    tags: set[str] = set()
    when: datetime | None = None
    inner: Inner | None = None


@dataclasses.dataclass
class Point:
    x: int = 0
    history: list[tuple[int, int]] = dataclasses.field(default_factory=list)


class Keyed(TypedDict, total=False):
    count: int


class NeedsKeys(TypedDict):
    count: int
    size: int


class Needy(msgspec.Struct):
    count: int


class NeedyModel(pydantic.BaseModel):
    count: int


@dataclasses.dataclass
class NeedyPoint:
    x: int


class Opaque: ...


INNER = Inner(
    who=UUID(int=1),
    day=date(2026, 1, 1),
    price=Decimal("1.50"),
    address=IPv4Address("10.0.0.1"),
    raw=b"\xff\x00",
    tags={"a", "b"},
    name="Ada",  # type: ignore[call-arg]
)


@pytest.mark.parametrize(
    ("annotation", "state"),
    [
        (Struct, Struct(3, {"a"}, NOON)),
        (Struct, Struct(inner=INNER)),
        (Point, Point(1, [(1, 2)])),
        (Inner, INNER),
        (Keyed, {"count": 1}),
        (dict, {"a": [1, None, 1.5, b"\xff", NOON], 2: {"b": True}}),
        (dict[str, set[int]], {"a": {1, 2}}),
        (list[Struct], [Struct(1), Struct(2)]),
        (list[Inner], [INNER]),
        (set[int], {1, 2}),
        (int, 2**63),
        (float, 1.0),
        (str, "text"),
        (bytes, b"\xff"),
        (bool, True),
        (Literal["on", "off"], "on"),
        (Annotated[int, msgspec.Meta(ge=0)], 3),
        (datetime, NOON),
        (Decimal, Decimal("1.50")),
        (int | str, "x"),
    ],
)
def test_a_state_comes_back_as_it_was(annotation: Any, state: Any) -> None:
    kind: StateType[Any] = StateType.of(annotation)
    back = kind.decode(kind.encode(state))
    assert back == state
    assert type(back) is type(state)


def test_the_order_of_a_dict_is_kept() -> None:
    kind: StateType[Any] = StateType.of(dict)
    assert [*kind.decode(kind.encode({"b": 1, "a": 2}))] == ["b", "a"]


@pytest.mark.parametrize(
    ("annotation", "state"),
    [
        (Struct, Struct()),
        (Point, Point()),
        (Keyed, {}),
        (dict, {}),
        (dict[str, int], {}),
        (list[int], []),
        (set[int], set()),
        (int, 0),
        (str, ""),
        (Annotated[int, msgspec.Meta(ge=0)], 0),
        (NewType("Scores", dict[str, int]), {}),
    ],
)
def test_a_state_is_made_without_arguments(annotation: Any, state: Any) -> None:
    kind: StateType[Any] = StateType.of(annotation)
    assert kind.unmakeable is None
    assert kind.make() == state


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Needy, "Needy() needs arguments (missing a required argument: 'count')"),
        (NeedyModel, "NeedyModel() needs arguments (missing a required argument: 'count')"),
        (NeedyPoint, "NeedyPoint() needs arguments (missing a required argument: 'x')"),
        (NeedsKeys, "NeedsKeys has required keys: count, size"),
        (int | str, "int | str cannot be made"),
        (Literal["on"], "cannot be made"),
    ],
)
def test_a_state_that_needs_arguments_says_so(annotation: Any, reason: str) -> None:
    kind: StateType[Any] = StateType.of(annotation)
    assert kind.unmakeable is not None
    assert reason in kind.unmakeable
    with pytest.raises(TypeError, match=r"needs arguments|required keys|cannot be made"):
        kind.make()


@pytest.mark.parametrize("annotation", [None, type(None)])
def test_no_state_is_a_type_too(annotation: Any) -> None:
    kind: StateType[Any] = StateType.of(annotation)
    assert kind.is_none
    assert kind.make() is None
    assert kind.decode(kind.encode(None)) is None


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (Opaque, "plain data cannot become a .*Opaque"),
        (list[Opaque], "plain data cannot become a .*Opaque"),
        (Struct | Needy, "tagged"),
        (int | None, "`None` as a value: use a Struct with an optional field"),
        (Any, "`None` as a value"),
        (object, "`None` as a value"),
    ],
)
def test_a_type_that_no_state_can_have_is_an_error(annotation: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        StateType.of(annotation)


@pytest.mark.parametrize("state", [{"a": object()}, {"a": complex(1)}, {"a": 2**70}, {"a": "\ud800"}])
def test_a_value_without_stored_form_is_a_type_error(state: Any) -> None:
    with pytest.raises(TypeError, match="the state cannot be stored: "):
        StateType[Any].of(dict).encode(state)


def test_a_state_that_contains_itself_is_a_type_error() -> None:
    state: dict[str, Any] = {}
    state["me"] = state
    with pytest.raises(TypeError, match="the state cannot be stored: "):
        StateType[Any].of(dict).encode(state)


@pytest.mark.parametrize(
    ("stored", "annotation", "error"),
    [
        ({"count": "x"}, Struct, "count: Expected `int`, got `str`"),
        ([{"count": "x"}], list[Struct], r"\[0\].count: Expected `int`, got `str`"),
        ({"who": "x"}, Inner, "who: "),
        ({"count": 1.5}, Struct, "count: Expected `int`, got `float`"),
    ],
)
def test_a_stored_state_of_another_type_says_where_it_does_not_fit(stored: Any, annotation: Any, error: str) -> None:
    kind: StateType[Any] = StateType.of(annotation)
    with pytest.raises(ConversionError, match=f"the stored state does not fit .*: {error}.*; migrate_state may change it"):
        kind.decode(msgspec.msgpack.encode(stored))
    with pytest.raises(ConversionError, match=f"the result of migrate_state does not fit .*: {error}"):
        kind.from_plain(stored)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x81\xa1", b"\x01\x01", b"\x91" * 100_000])
def test_damaged_data_is_a_conversion_error(data: bytes) -> None:
    for annotation in (Struct, dict, Inner):
        kind: StateType[Any] = StateType.of(annotation)
        with pytest.raises(ConversionError, match="damaged"):
            kind.decode(data)
        with pytest.raises(ConversionError, match="damaged"):
            kind.decode_plain(data)


def test_a_migration_reads_plain_data_and_makes_the_state_of_it() -> None:
    old = msgspec.msgpack.encode({"counter": 3.0, "tags": ["a"]})
    kind: StateType[Struct] = StateType.of(Struct)
    raw = kind.decode_plain(old)
    assert raw == {"counter": 3.0, "tags": ["a"]}
    assert kind.from_plain({"count": raw["counter"], "tags": raw["tags"]}) == Struct(3, {"a"})
    assert StateType.of(Inner).from_plain(INNER.model_dump(round_trip=True) | {"who": str(UUID(int=1))}).who == UUID(int=1)
