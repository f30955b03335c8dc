"""Names, states, inputs, hooks and settings of a class, and the classes that are refused."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any, Generic, TypeVar

import msgspec
import pytest

from rivet_runner.actors import DurableActor, action
from rivet_runner.actors._declaring.declaration import declaration_of
from rivet_runner.actors.connection import Connection
from rivet_runner.http import Request

T = TypeVar("T")
K = TypeVar("K")


class State(msgspec.Struct):
    count: int = 0


@dataclasses.dataclass
class Needy:
    count: int


class Opaque: ...


class Box(msgspec.Struct, Generic[T]):
    items: list[T] = []


def refused(error: str, of: Any = None, /, **members: Any) -> None:
    """Check that a class `Room` with these ``members``, and the state ``of``, is a `TypeError`."""
    with pytest.raises(TypeError, match=error):
        type("Room", (DurableActor,), {"__orig_bases__": (DurableActor[of],), "__module__": __name__, **members})


def test_the_actor_s_name_is_that_of_the_class_or_one_of_its_own() -> None:
    class ChatRoom(DurableActor[None]): ...

    class X(DurableActor[None]): ...

    class Renamed(DurableActor[None], name="room"): ...

    class Below(Renamed): ...

    assert [declaration_of(cls).name for cls in (ChatRoom, X, Renamed, Below)] == ["chatRoom", "x", "room", "below"]
    assert declaration_of(Below).cls is Below


@pytest.mark.parametrize("name", ["", 5])
def test_a_name_that_no_actor_can_have_is_refused(name: Any) -> None:
    with pytest.raises(TypeError, match=r"the actor name of .*Room must be a text that is not empty"):

        class Room(DurableActor[None], name=name): ...


def test_the_state_is_the_type_argument_also_through_generic_classes() -> None:
    class Base(DurableActor[T], Generic[T]): ...

    class Two(Base[T], Generic[K, T]): ...

    class Boxed(DurableActor[Box[T]], Generic[T]): ...

    class A(Base[State]): ...

    class B(Two[int, dict[str, int]]): ...

    class C(Boxed[int]): ...

    class D(A): ...

    class Fixed(A, Generic[T]): ...

    class G(Fixed[int]): ...

    class E(DurableActor["State"]): ...

    class F(Base[None]): ...

    annotations = [declaration_of(cls).state_type.annotation for cls in (A, B, C, D, E, F, G)]
    assert annotations == [State, dict[str, int], Box[int], State, State, type(None), State]
    for open_class in (Base, Two, Boxed):
        with pytest.raises(TypeError, match=r"leaves its state open: make a subclass that names it, \w+\[State\]"):
            declaration_of(open_class)


def test_names_mean_what_they_meant_where_they_were_written() -> None:
    def elsewhere() -> tuple[type[DurableActor[Any]], type[DurableActor[Any]]]:
        class Local(msgspec.Struct):
            count: int = 0

        class Base(DurableActor["Local"]):
            def initial_state(self, input: Local) -> Local:
                return input

        class Open(DurableActor[T], Generic[T]):
            def initial_state(self, input: Local) -> T:
                raise NotImplementedError

        return Base, Open

    base, open_base = elsewhere()

    class Room(base): ...  # type: ignore[valid-type, misc]

    class Other(open_base[State]): ...  # type: ignore[valid-type, misc]

    assert declaration_of(Room).state_type.make() == declaration_of(Room).input_type.convert({})
    assert declaration_of(Other).state_type.annotation is State
    assert type(declaration_of(Other).input_type.convert({})).__name__ == "Local"


def test_a_state_that_cannot_work_is_refused() -> None:
    refused("the state of Room cannot be used: plain data cannot become a .*Opaque", Opaque)
    refused("the state of Room cannot be used: .*: use a Struct with an optional field", State | None)
    refused("the state of Room cannot be used: name 'Nope' is not defined", "Nope")
    refused(
        r"the state of Room cannot be made: Needy\(\) needs arguments .*; give its fields defaults, or define init", Needy
    )
    with pytest.raises(
        TypeError,
        match=r"the state of .*Room cannot be used: it must be named, DurableActor\[State\]",
    ):

        class Room(DurableActor): ...  # type: ignore[type-arg]


def test_a_state_with_required_fields_is_accepted_if_there_is_an_initial_one() -> None:
    class Room(DurableActor[Needy]):
        def initial_state(self, input: int) -> Needy:
            return Needy(input)

    class Below(Room): ...

    for cls in (Room, Below):
        assert declaration_of(cls).input_type.convert(3.0) == 3


def test_the_input_is_that_of_on_create_without_an_initial_state() -> None:
    class Room(DurableActor[None]):
        async def on_create(self, input: int) -> None: ...

    class Both(DurableActor[Needy]):
        def initial_state(self, input: int) -> Needy:
            return Needy(input)

        async def on_create(self, input: Any) -> None: ...

    for cls in (Room, Both):
        assert declaration_of(cls).input_type.convert(3.0) == 3


def test_the_input_is_anything_without_an_annotation() -> None:
    class Room(DurableActor[State]): ...

    class Other(DurableActor[State]):
        def initial_state(self, input):  # type: ignore[no-untyped-def]
            return State()

    for cls in (Room, Other):
        assert declaration_of(cls).input_type.convert({"a": 1.5}) == {"a": 1.5}


def test_an_input_that_cannot_be_converted_is_refused() -> None:
    def initial_state(self: Any, input: Opaque) -> None: ...

    refused("the input of Room.initial_state cannot be used: .* become a .*Opaque", initial_state=initial_state)


async def hook_without_parameters(self: Any) -> None: ...
async def async_initial_state(self: Any, input: Any) -> None: ...
def sync_hook(self: Any) -> None: ...
def migrate(cls: Any, raw: Any) -> Any: ...
async def async_migrate(cls: Any, raw: Any) -> Any: ...
def migrate_nothing(cls: Any) -> Any: ...


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("on_start", sync_hook, r"Room.on_start must be a coroutine function: async def on_start\(self\)"),
        ("run", sync_hook, r"Room.run must be a coroutine function: async def run\(self\)"),
        ("on_create", hook_without_parameters, r"Room.on_create has the wrong .*: async def on_create\(self, input\)"),
        ("before_connect", hook_without_parameters, r"async def before_connect\(self, params, request\)"),
        ("on_error", hook_without_parameters, r"async def on_error\(self, error, where\)"),
        ("initial_state", async_initial_state, r"must be a plain function.*: def initial_state\(self, input\)"),
        ("migrate_state", migrate, r"must be a class method: @classmethod def migrate_state\(cls, raw\)"),
        ("migrate_state", classmethod(async_migrate), "must be a plain class method, because it is not awaited"),
        ("migrate_state", classmethod(migrate_nothing), r"wrong parameters .*: def migrate_state\(cls, raw\)"),
        ("save", hook_without_parameters, "Room.save hides DurableActor.save: take another name for it; rename it"),
        ("state", 5, "Room.state hides DurableActor.state"),
        ("key", "a", "Room.key hides DurableActor.key"),
        ("__init__", lambda self, size: None, "Room.__init__ takes only self .*: actors get their data by `input`"),
        ("sleep_after", -1, "Room.sleep_after must be seconds over 0, or None to stay awake, not -1"),
        ("sleep_after", True, "Room.sleep_after must be seconds over 0"),
        ("sleep_after", math.inf, "Room.sleep_after must be seconds over 0"),
        ("save_interval", None, "Room.save_interval must be seconds, 0 or more, not None"),
        ("hibernate", 1, "Room.hibernate must be True or False, not 1"),
        ("run_keeps_awake", None, "Room.run_keeps_awake must be True or False"),
        ("max_incoming_message", 0, "Room.max_incoming_message must be a whole number of bytes, over 0, not 0"),
        ("max_outgoing_message", 1.5, "Room.max_outgoing_message must be a whole number of bytes"),
        ("max_params", "4", "Room.max_params must be a whole number of bytes"),
    ],
)
def test_a_member_that_cannot_work_is_refused(name: str, value: Any, error: str) -> None:
    refused(error, **{name: value})


def test_members_that_work_are_accepted() -> None:
    class Room(DurableActor[State]):
        sleep_after = None
        save_interval = 0
        hibernate = False
        max_params = 8

        def __init__(self, extra: int = 0) -> None:
            self.extra = extra

        @classmethod
        def migrate_state(cls, raw: Any) -> Any:
            return raw

        async def before_connect(self, params: Any, request: Request) -> dict[str, Any]:
            return {}

        async def on_connect(self, connection: Connection, *more: Any) -> None: ...

        def __repr__(self) -> str:
            return "room"

    assert declaration_of(Room).name == "room"


def test_an_action_is_no_misspelt_hook() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Room(DurableActor[None]):
            @action
            async def rung(self) -> None: ...

            @action
            async def fetch(self) -> None: ...

    assert sorted(declaration_of(Room).actions) == ["fetch", "rung"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_wake", "on_start"),
        ("on_actor_start", "on_start"),
        ("on_strat", "on_start"),
        ("on_stop", "on_sleep"),
        ("fetch", "on_request"),
        ("on_conect", "on_connect"),
        ("create_state", "initial_state"),
    ],
)
def test_a_near_miss_of_a_hook_is_warned_of_where_the_class_is_made(name: str, meant: str) -> None:
    with pytest.warns(UserWarning, match=f"Room.{name} is not a hook.*did you mean {meant}") as caught:
        type("Room", (DurableActor,), {"__orig_bases__": (DurableActor[None],), name: hook_without_parameters})
    assert caught[0].filename == __file__
