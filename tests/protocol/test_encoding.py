"""A value that does not fit its field is refused by name, whatever the field."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from bare.model import Model
from bare.schema import Data, List, Map, Named, Optional, Primitive, Type
from bare.shapes import EnumShape, FieldShape, StructShape
from multidict import CIMultiDict

from rivet_runner.protocol.messages import (
    ActorName,
    ActorStateStopped,
    KvDeleteRangeRequest,
    KvGetRequest,
    MessageId,
    StopCode,
    ToClientWebSocketMessage,
    ToServerKvRequest,
    ToServerResponseAbort,
    ToServerResponseStart,
    ToServerStopping,
    ToServerTunnelMessage,
    ToServerTunnelMessageKind,
    ToServerWebSocketMessage,
)
from tests.protocol.messages import bounds, encode, reaches, replaced, sample
from tests.protocol.versions import ROOTS, V3, V7, VERSIONS, Version, each_version


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
    for version in VERSIONS:
        model = version.model
        for shape in model.shapes.values():
            if isinstance(shape, StructShape):
                root = next(root for root in ROOTS if reaches(model, root, shape.name))
                for field in shape.fields:
                    yield pytest.param(version, root, shape.name, field, id=f"{version}-{shape.name}.{field.name}")


@pytest.mark.parametrize(("version", "root", "struct", "field"), list(cases()))
def test_a_wrong_value_is_refused_with_the_name_of_its_field(
    version: Version, root: str, struct: str, field: FieldShape
) -> None:
    right = sample(version.model, version.module, root, struct)
    assert encode(version.module, root, right)
    for wrong, error, behind in mistakes(version.model, field.type):
        with pytest.raises(error) as caught:
            encode(version.module, root, replaced(right, struct, field.name, wrong))
        # A lone surrogate is a ValueError, and no UnicodeEncodeError that would hide the name.
        assert type(caught.value) is error, wrong
        assert str(caught.value).startswith(f"{struct}.{field.name}{behind}"), wrong
        assert len(str(caught.value)) < 300


@each_version
@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("wrong", [None, 1, "text", Stranger(), MessageId, MessageId(b"gate", b"req1", 0)])
def test_what_is_no_member_of_the_union_is_refused(version: Version, root: str, wrong: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{root}: expected a member of {root}, got "):
        encode(version.module, root, wrong)


@each_version
def test_a_message_of_the_other_direction_is_refused(version: Version) -> None:
    with pytest.raises(TypeError, match=r"^ToClient: expected a member of ToClient, got ToServerStopping$"):
        version.module.encode_to_client(ToServerStopping())
    kind: Any = ToClientWebSocketMessage(b"", True)
    message = ToServerTunnelMessage(MessageId(b"gate", b"req1", 0), kind)
    with pytest.raises(TypeError, match=r"^ToServerTunnelMessage\.message_kind: expected a member of"):
        version.module.encode_to_server(message)


def test_a_member_that_only_another_version_has_is_refused() -> None:
    request = ToServerKvRequest("a", 1, KvDeleteRangeRequest(b"a", b"b"))
    assert V7.module.encode_to_server(request)
    expected = "expected a member of KvRequestData, got KvDeleteRangeRequest"
    with pytest.raises(TypeError, match=rf"^ToServerKvRequest\.data: {expected}$"):
        V3.module.encode_to_server(request)
    message = ToServerTunnelMessage(MessageId(b"gate", b"req1", 0), V3.module.DeprecatedTunnelAck())
    assert V3.module.encode_to_server(message)
    with pytest.raises(TypeError, match=r"got DeprecatedTunnelAck$"):
        V7.module.encode_to_server(message)


@each_version
@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"total_slots": -1}, ValueError, "ToServerInit.total_slots: expected u32, got -1"),
        ({"version": 2**32, "total_slots": -1}, ValueError, "ToServerInit.version: expected u32, got"),
        ({"version": True}, TypeError, "ToServerInit.version: expected u32, got bool"),
        ({"version": 2**9000}, ValueError, "ToServerInit.version: expected u32, got an integer of 9001 bits"),
        (
            {"prepopulate_actor_names": {"a": ActorName("{}"), "b": ActorName("\ud800")}},
            ValueError,
            "ActorName.metadata: not encodable as UTF-8 at character 0: surrogates not allowed",
        ),
        (
            {"prepopulate_actor_names": {"a": "b"}},
            TypeError,
            "ToServerInit.prepopulate_actor_names['a'] value: expected ActorName, got str",
        ),
        (
            {"prepopulate_actor_names": {1: ActorName("")}},
            TypeError,
            "ToServerInit.prepopulate_actor_names[1] key: expected str, got int",
        ),
    ],
)
def test_the_message_says_what_was_expected(
    version: Version, fields: dict[str, Any], error: type[Exception], text: str
) -> None:
    init = sample(version.model, version.module, "ToServerInit")
    with pytest.raises(error) as caught:
        version.module.encode_to_server(msgspec.structs.replace(init, **fields))
    assert str(caught.value).startswith(text)


@each_version
def test_an_item_of_a_list_is_named_by_its_number(version: Version) -> None:
    keys: Any = [b"", "k"]
    with pytest.raises(TypeError, match=r"^KvGetRequest\.keys\[1\]: expected bytes, got str$"):
        version.module.encode_to_server(ToServerKvRequest("a", 1, KvGetRequest(keys)))


class Number(enum.IntEnum):
    SEVEN = 7


class Text(enum.StrEnum):
    PATH = "/path"


class Count(int):
    """An integer of a class of its own, as a library may return."""

    def __int__(self) -> int:
        raise AssertionError("the value is the int itself")


def tunnelled(version: Version, kind: ToServerTunnelMessageKind) -> bytes:
    return encode(version.module, "ToServer", ToServerTunnelMessage(MessageId(b"gate", b"req1", 0), kind))


@each_version
@pytest.mark.parametrize("data", [bytearray(b"data"), memoryview(b"data"), memoryview(b"-d-a-t-a")[1::2]])
def test_any_bytes_like_object_is_encoded(version: Version, data: Any) -> None:
    expected = tunnelled(version, ToServerWebSocketMessage(b"data", True))
    assert tunnelled(version, ToServerWebSocketMessage(data, True)) == expected
    message = ToServerTunnelMessage(MessageId(data, data, 0), ToServerResponseAbort())
    assert version.module.encode_to_server(message)[1:9] == b"datadata"


@each_version
@pytest.mark.parametrize("keys", [(b"a", b"b"), deque([b"a", b"b"])])
def test_any_sequence_is_encoded(version: Version, keys: Any) -> None:
    expected = version.module.encode_to_server(ToServerKvRequest("a", 1, KvGetRequest([b"a", b"b"])))
    assert version.module.encode_to_server(ToServerKvRequest("a", 1, KvGetRequest(keys))) == expected


@each_version
def test_any_mapping_is_encoded_in_its_order(version: Version) -> None:
    headers = {"b": "1", "a": "2"}
    expected = tunnelled(version, ToServerResponseStart(200, headers, None, False))
    assert expected.endswith(b"\x02\x01b\x011\x01a\x012\x00\x00")
    for mapping in (MappingProxyType(headers), CIMultiDict(headers)):
        assert tunnelled(version, ToServerResponseStart(200, mapping, None, False)) == expected


@each_version
def test_a_multi_mapping_with_a_repeated_key_is_refused(version: Version) -> None:
    headers = CIMultiDict([("set-cookie", "a"), ("set-cookie", "b")])
    with pytest.raises(ValueError, match=r"^ToServerResponseStart\.headers: a key is there twice$"):
        tunnelled(version, ToServerResponseStart(200, headers, None, False))


@each_version
def test_subclasses_of_int_and_str_are_encoded_by_their_value(version: Version) -> None:
    expected = tunnelled(version, ToServerResponseStart(7, {"/path": "/path"}, None, False))
    for number in (Number.SEVEN, Count(7)):
        message = ToServerResponseStart(number, {Text.PATH: Text.PATH}, None, False)
        assert tunnelled(version, message) == expected


@each_version
@pytest.mark.parametrize("code", list(StopCode))
def test_a_stop_code_is_encoded_from_its_plain_number_too(version: Version, code: StopCode) -> None:
    def stopped(given: Any) -> bytes:
        message = sample(version.model, version.module, "ToServer", "ActorStateStopped")
        state = ActorStateStopped(given, None)
        return encode(version.module, "ToServer", replaced(message, "EventActorStateUpdate", "state", state))

    assert stopped(int(code)) == stopped(code)
    with pytest.raises(TypeError, match=r"^ActorStateStopped\.code: expected StopCode, got Number$"):
        stopped(Number.SEVEN)
