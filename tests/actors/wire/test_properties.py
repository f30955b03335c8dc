"""Any plain data arrives, and any bytes are a message or a `DecodeError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rivet_runner import DecodeError
from rivet_runner.actors._wire.conventions import MAX_DEPTH
from rivet_runner.actors._wire.encodings import VERSION, Codec, Encoding, codec
from rivet_runner.actors._wire.messages import ActionRequest, ActionResponse, ActorSpecifier, Error, Event, Init
from rivet_runner.actors._wire.subprotocols import offered, read_offer

CODECS = [codec(encoding) for encoding in Encoding]
each_encoding = pytest.mark.parametrize("wire", CODECS, ids=lambda wire: wire.encoding.value)

texts = st.text(max_size=8) | st.sampled_from(["$", "$$", "$BigInt", "$Set", "$Undefined", "$Uint8Array", "$other", "\x1b;"])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.binary(max_size=12)
)
hashable = st.integers(-(2**65), 2**65) | texts | st.binary(max_size=4)
values = st.recursive(
    leaves | st.sets(hashable, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(texts, inner).map(list)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


@each_encoding
@given(args=st.lists(values, max_size=3), id_=st.integers(0, 2**64 - 1), name=texts)
def test_arguments_arrive(wire: Codec, args: list[Any], id_: int, name: str) -> None:
    request = ActionRequest(id_, name, args)
    assert wire.decode_to_server(wire.encode_to_server(request)) == request
    assert wire.decode_action_request(wire.encode_action_request(args)) == (args, VERSION)


@each_encoding
@given(output=values, id_=st.integers(0, 2**64 - 1))
def test_outputs_arrive(wire: Codec, output: Any, id_: int) -> None:
    response = ActionResponse(id_, output)
    assert wire.decode_to_client(wire.encode_to_client(response)) == response
    assert wire.decode_action_response(wire.encode_action_response(output)) == output


@each_encoding
@given(metadata=values, group=texts, generation=st.integers(0, 2**64 - 1), key=st.none() | texts)
def test_errors_arrive(wire: Codec, metadata: Any, group: str, generation: int, key: str | None) -> None:
    error = Error(group, "code", "message", metadata, 3, ActorSpecifier("actor", generation, key))
    assert wire.decode_to_client(wire.encode_to_client(error)) == error


@given(moment=times)
@pytest.mark.parametrize("encoding", [Encoding.CBOR, Encoding.BARE])
def test_times_arrive_to_the_exactness_of_a_float(encoding: Encoding, moment: datetime) -> None:
    wire = codec(encoding)
    assert abs(wire.decode_action_response(wire.encode_action_response(moment)) - moment).total_seconds() < 0.0001


@given(moment=times)
def test_times_are_text_in_json(moment: datetime) -> None:
    wire = codec(Encoding.JSON)
    assert datetime.fromisoformat(wire.decode_action_response(wire.encode_action_response(moment))) == moment


# ---------------------------------------------------------------- garbage

SEEDS = [
    frame
    for wire in CODECS
    for frame in (
        wire.encode_to_server(ActionRequest(1, "go", [["$x", 1], b"\x00", {2**60}, {"a": [None, 1.5]}])),
        wire.encode_to_client(Error("g", "c", "m", {"by": 1}, 1, ActorSpecifier("a", 1, "k"))),
        wire.encode_to_client(Init("a", "c")),
        wire.encode_to_client(Event("e", [1])),
        wire.encode_action_request([1, "two"]),
    )
]
seeds = st.sampled_from([seed.encode() if isinstance(seed, str) else seed for seed in SEEDS])


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def decoders(wire: Codec) -> list[Callable[[bytes], Any]]:
    return [
        wire.decode_to_server,
        wire.decode_to_client,
        wire.decode_action_request,
        wire.decode_action_response,
        wire.decode_error,
        wire.version_of,
    ]


def check(data: bytes) -> None:
    for wire in CODECS:
        for decode in decoders(wire):
            with suppress(DecodeError):
                decode(data)


# Tags of CBOR that its library would make something else of: a big fraction, a shared reference, a pattern, a message.
@example(b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\xd8\x1c\x81\xd8\x1d\x00")
@example(b"\xd8\x23\x61(")
@example(b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00")
@example(b"\xa1\xa0\x00")
@example(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
@given(data=st.binary(max_size=60))
def test_bytes_are_a_message_or_an_error(data: bytes) -> None:
    check(data)


@given(data=spoilt())
def test_a_spoilt_message_is_a_message_or_an_error(data: bytes) -> None:
    check(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner, max_size=3), max_leaves=6
)


@given(
    tag=st.sampled_from(["ActionRequest", "SubscriptionRequest", "Error", "Event", "Init", "ActionResponse", 1]),
    data=st.data(),
)
def test_fields_of_any_type_are_a_message_or_an_error(tag: Any, data: st.DataObject) -> None:
    names = ["id", "name", "args", "eventName", "subscribe", "group", "code", "message", "actionId", "actor", "output"]
    fields = {name: data.draw(json_values) for name in names if data.draw(st.booleans())}
    envelope = {"body": {"tag": tag, "val": data.draw(st.just(fields) | json_values)}}
    check(json.dumps(envelope).encode())
    check(cbor2.dumps(envelope))


@each_encoding
@pytest.mark.parametrize("depth", [MAX_DEPTH // 2, 100 * MAX_DEPTH])
def test_the_depth_of_what_comes_in_is_bounded(wire: Codec, depth: int) -> None:
    if wire.encoding is Encoding.JSON:
        body = b'{"args":' + b"[" * depth + b"]" * depth + b"}"
    else:
        args = b"\x81" * depth + b"\x80"
        if wire.encoding is Encoding.CBOR:
            body = b"\xa1" + cbor2.dumps("args") + args
        else:
            body = b"\x04\x00" + length_prefix(len(args)) + args
    if depth > MAX_DEPTH:
        with pytest.raises(DecodeError, match=r"deep|depth|recursion"):
            wire.decode_action_request(body)
    else:
        arguments, _ = wire.decode_action_request(body)
        assert arguments


def length_prefix(length: int) -> bytes:
    parts = []
    while length >= 0x80:
        parts.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*parts, length])


@each_encoding
def test_a_value_that_is_too_deep_or_no_plain_data_cannot_be_sent(wire: Codec) -> None:
    deep: Any = [2**60]
    for _ in range(10 * MAX_DEPTH):
        deep = [deep]
    with pytest.raises(ValueError, match="levels deep"):
        wire.encode_action_response(deep)
    with pytest.raises(ValueError, match="levels deep"):
        wire.encode_action_request([deep])
    for value in (object(), [object()], {"a": {object()}}):
        with pytest.raises(TypeError, match="object"):
            wire.encode_action_response(value)
    for time in (datetime(2025, 1, 1), [datetime(2025, 1, 1)]):
        with pytest.raises(ValueError, match="timezone"):
            wire.encode_action_response(time)


@pytest.mark.parametrize("encoding", [Encoding.CBOR, Encoding.BARE])
def test_text_is_not_bytes(encoding: Encoding) -> None:
    wire = codec(encoding)
    for decode in (wire.decode_to_server, wire.decode_to_client):
        with pytest.raises(DecodeError, match="not text"):
            decode("{}")


def test_a_dollar_may_be_written_as_an_escape_of_json() -> None:
    wire = codec(Encoding.JSON)
    assert wire.decode_action_request(b'{"args":[["\\u0024BigInt","5"]]}') == ([5], VERSION)
    frame = '{"body":{"tag":"ActionRequest","val":{"id":1,"name":"go","args":[["\\u0024BigInt","5"]]}}}'
    assert wire.decode_to_server(frame) == ActionRequest(1, "go", [5])


def test_an_id_may_be_a_number_in_json_next_to_an_argument_that_is_a_bigint() -> None:
    frame = '{"body":{"tag":"ActionRequest","val":{"id":1,"name":"go","args":[["$BigInt","5"]]}}}'
    assert codec(Encoding.JSON).decode_to_server(frame) == ActionRequest(1, "go", [5])


@given(params=json_values.filter(lambda value: value == value))
def test_parameters_of_a_connection_arrive(params: Any) -> None:
    try:
        offer = read_offer(offered(Encoding.CBOR, params))
    except DecodeError:
        pytest.fail("what we offer cannot be read")
    assert offer.encoding is Encoding.CBOR


heads = st.sampled_from(["rivet", "rivet_encoding.", "rivet_conn_params."])


@given(subprotocols=st.lists(st.builds("{}{}".format, heads, st.text(max_size=6))))
def test_subprotocols_are_an_offer_or_an_error(subprotocols: list[str]) -> None:
    with suppress(DecodeError):
        read_offer(subprotocols)


def test_an_offer_without_anything_is_json_without_parameters() -> None:
    offer = read_offer(["rivet"])
    assert (offer.encoding, offer.params) == (Encoding.JSON, None)


def test_parameters_are_as_javascript_writes_them() -> None:
    offer = read_offer(["rivet", "rivet_encoding.bare", "rivet_conn_params.%7B%22a%22%3A%5B%22%24BigInt%22%2C1%5D%7D"])
    assert (offer.encoding, offer.params) == (Encoding.BARE, {"a": ["$BigInt", 1]})
