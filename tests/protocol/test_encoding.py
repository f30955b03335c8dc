"""A value that does not fit its field is refused by name, whatever the field."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from bare.model import Model
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type
from bare.shapes import EnumShape, StructShape
from multidict import CIMultiDict

from rivet_runner.protocol import v3
from tests.protocol.messages import SCHEMA, bounds, encode, model_of, reaches, replaced, sample

MODEL = model_of(SCHEMA.read_text(encoding="utf-8"))
ROOTS = MODEL.roots()


class Stranger:
    """A value that belongs nowhere."""


# A wrong value, the error it is answered with, and what stands behind the field's name in the message.
Mistake = tuple[Any, type[Exception], str]


def mistakes(model: Model, type_: Type) -> Iterator[Mistake]:
    type_ = model.resolve(type_)
    yield Stranger(), TypeError, ""
    match type_:
        case Primitive():
            yield from primitive_mistakes(type_.name)
        case Data():
            yield from [("text", TypeError, ""), (4, TypeError, ""), ([1, 2, 3, 4], TypeError, "")]
            yield None, TypeError, ""
            if type_.length is not None:
                for length in (0, type_.length - 1, type_.length + 1):
                    yield b"d" * length, ValueError, ""
                    yield bytearray(length), ValueError, ""
        case Optional():
            yield from (mistake for mistake in mistakes(model, type_.item) if mistake[0] is not None)
        case List():
            yield from [("text", TypeError, ""), (b"data", TypeError, ""), ({}, TypeError, "")]
            yield from [(None, TypeError, ""), (iter(()), TypeError, "")]
            for item, error, behind in mistakes(model, type_.item):
                yield [item], error, f"[0]{behind}"
        case Map():
            yield from [([], TypeError, ""), (None, TypeError, ""), ("text", TypeError, "")]
            yield {Stranger(): None}, TypeError, "["
        case Named():
            yield None, TypeError, ""
            shape = model.shape(type_.name)
            if isinstance(shape, EnumShape):
                unknown = max(value.value for value in shape.values) + 1
                yield from [(unknown, ValueError, ""), (-1, ValueError, ""), (True, TypeError, "")]
                yield from [("OK", TypeError, ""), (0.0, TypeError, "")]


def primitive_mistakes(name: str) -> Iterator[Mistake]:
    yield None, TypeError, ""
    if name == "bool":
        yield from [(0, TypeError, ""), (1, TypeError, ""), ("", TypeError, "")]
    elif name == "str":
        yield from [(b"data", TypeError, ""), (1, TypeError, ""), ("a\ud800", ValueError, "")]
    else:
        least, most = bounds(name)
        yield from [(least - 1, ValueError, ""), (most + 1, ValueError, ""), (2**20000, ValueError, "")]
        yield from [(True, TypeError, ""), (1.0, TypeError, ""), ("1", TypeError, "")]


def cases() -> Iterator[Any]:
    for shape in MODEL.shapes.values():
        if isinstance(shape, StructShape):
            root = next(root for root in ROOTS if reaches(MODEL, root, shape.name))
            for field in shape.fields:
                yield pytest.param(root, shape.name, field.name, field.type, id=f"{shape.name}.{field.name}")


@pytest.mark.parametrize(("root", "struct", "field", "type_"), list(cases()))
def test_a_wrong_value_is_refused_with_the_name_of_its_field(root: str, struct: str, field: str, type_: Type) -> None:
    right = sample(MODEL, v3, root, struct)
    assert encode(v3, root, right)
    for wrong, error, behind in mistakes(MODEL, type_):
        with pytest.raises(error) as caught:
            encode(v3, root, replaced(right, struct, field, wrong))
        # A lone surrogate is a ValueError, and no UnicodeEncodeError that would hide the name.
        assert type(caught.value) is error, wrong
        named = f"{struct}.{field}{behind}"
        assert str(caught.value).startswith(named), wrong
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("wrong", [None, 1, "text", Stranger(), v3.MessageId, v3.MessageId(b"gate", b"req1", 0)])
def test_what_is_no_member_of_the_union_is_refused(root: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{root}: expected a member of {root}, got "):
        encode(v3, root, wrong)


def test_a_message_of_the_other_direction_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^ToServer: expected a member of ToServer, got ToClientClose$"):
        v3.encode_to_server(v3.ToClientClose())  # type: ignore[arg-type]
    kind: Any = v3.ToClientWebSocketMessage(b"", True)
    message = v3.ToServerTunnelMessage(v3.MessageId(b"gate", b"req1", 0), kind)
    with pytest.raises(TypeError, match=r"^ToServerTunnelMessage\.message_kind: expected a member of"):
        v3.encode_to_server(message)


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (
            v3.ToServerInit("n", 1, -1, None, None, None),
            ValueError,
            "ToServerInit.total_slots: expected u32, got -1",
        ),
        (
            v3.ToServerInit("n", 2**32, -1, None, None, None),
            ValueError,
            "ToServerInit.version: expected u32, got",
        ),
        (
            v3.ToServerInit("n", True, 1, None, None, None),
            TypeError,
            "ToServerInit.version: expected u32, got bool",
        ),
        (v3.ToServerPing(2**9000), ValueError, "ToServerPing.ts: expected i64, got an integer of 9001 bits"),
        (
            v3.ToServerInit("n", 1, 1, None, {"a": v3.ActorName("{}"), "b": v3.ActorName("\ud800")}, None),
            ValueError,
            "ActorName.metadata: not encodable as UTF-8 at character 0: surrogates not allowed",
        ),
        (
            v3.ToServerInit("n", 1, 1, None, {"a": "b"}, None),  # type: ignore[dict-item]
            TypeError,
            "ToServerInit.prepopulate_actor_names['a'] value: expected ActorName, got str",
        ),
        (
            v3.ToServerInit("n", 1, 1, None, {1: v3.ActorName("")}, None),  # type: ignore[dict-item]
            TypeError,
            "ToServerInit.prepopulate_actor_names[1] key: expected str, got int",
        ),
        (
            v3.ToServerKvRequest("a", 1, v3.KvGetRequest([b"", "k"])),  # type: ignore[list-item]
            TypeError,
            "KvGetRequest.keys[1]: expected bytes, got str",
        ),
    ],
)
def test_the_message_says_what_was_expected(message: v3.ToServer, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        v3.encode_to_server(message)
    assert str(caught.value).startswith(text)


class Number(enum.IntEnum):
    SEVEN = 7


class Text(enum.StrEnum):
    PATH = "/path"


class Count(int):
    """An integer of a class of its own, as a library may return."""

    def __int__(self) -> int:
        raise AssertionError("the value is the int itself")


def tunnelled(kind: v3.ToServerTunnelMessageKind) -> bytes:
    return v3.encode_to_server(v3.ToServerTunnelMessage(v3.MessageId(b"gate", b"req1", 0), kind))


@pytest.mark.parametrize("data", [bytearray(b"data"), memoryview(b"data"), memoryview(b"-d-a-t-a")[1::2]])
def test_any_bytes_like_object_is_encoded(data: Any) -> None:
    expected = tunnelled(v3.ToServerWebSocketMessage(b"data", True))
    assert tunnelled(v3.ToServerWebSocketMessage(data, True)) == expected
    message = v3.ToServerTunnelMessage(v3.MessageId(data, data, 0), v3.ToServerResponseAbort())
    assert v3.encode_to_server(message)[1:9] == b"datadata"


@pytest.mark.parametrize("keys", [(b"a", b"b"), deque([b"a", b"b"])])
def test_any_sequence_is_encoded(keys: Any) -> None:
    expected = v3.encode_to_server(v3.ToServerKvRequest("a", 1, v3.KvGetRequest([b"a", b"b"])))
    assert v3.encode_to_server(v3.ToServerKvRequest("a", 1, v3.KvGetRequest(keys))) == expected


def test_any_mapping_is_encoded_in_its_order() -> None:
    headers = {"b": "1", "a": "2"}
    expected = tunnelled(v3.ToServerResponseStart(200, headers, None, False))
    assert expected.endswith(b"\x02\x01b\x011\x01a\x012\x00\x00")
    for mapping in (MappingProxyType(headers), CIMultiDict(headers)):
        assert tunnelled(v3.ToServerResponseStart(200, mapping, None, False)) == expected


def test_a_multi_mapping_with_a_repeated_key_is_refused() -> None:
    headers = CIMultiDict([("set-cookie", "a"), ("set-cookie", "b")])
    with pytest.raises(ValueError, match=r"^ToServerResponseStart\.headers: a key is there twice$"):
        tunnelled(v3.ToServerResponseStart(200, headers, None, False))


def test_subclasses_of_int_and_str_are_encoded_by_their_value() -> None:
    expected = tunnelled(v3.ToServerResponseStart(7, {"/path": "/path"}, None, False))
    for number in (Number.SEVEN, Count(7)):
        message = v3.ToServerResponseStart(number, {Text.PATH: Text.PATH}, None, False)
        assert tunnelled(message) == expected


@pytest.mark.parametrize("code", list(v3.StopCode))
def test_a_stop_code_is_encoded_from_its_plain_number_too(code: v3.StopCode) -> None:
    def stopped(given: Any) -> bytes:
        state = v3.ActorStateStopped(given, None)
        return v3.encode_to_server(v3.ToServerEvents([v3.EventWrapper(0, v3.EventActorStateUpdate("", 0, state))]))

    assert stopped(int(code)) == stopped(code)
    with pytest.raises(TypeError, match=r"^ActorStateStopped\.code: expected StopCode, got Number$"):
        stopped(Number.SEVEN)
