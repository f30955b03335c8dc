"""What one side encodes, the other decodes: in each encoding, and in each version of the protocol."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rivet_runner.actors._wire.encodings import VERSION, VERSIONS, Codec, Encoding, codec
from rivet_runner.actors._wire.messages import ActionRequest, ActorSpecifier, Error, ToClient, ToServer
from rivet_runner.actors._wire.values import load_cbor
from tests.actors.wire.examples import TO_CLIENT, TO_SERVER, VALUES

each_encoding = pytest.mark.parametrize(
    "wire", [codec(encoding) for encoding in Encoding], ids=lambda wire: wire.encoding.value
)


@each_encoding
@pytest.mark.parametrize("message", TO_SERVER)
def test_a_message_to_the_server_arrives(wire: Codec, message: ToServer) -> None:
    assert wire.decode_to_server(wire.encode_to_server(message)) == message


@each_encoding
@pytest.mark.parametrize("message", TO_CLIENT)
def test_a_message_to_the_client_arrives(wire: Codec, message: ToClient) -> None:
    assert wire.decode_to_client(wire.encode_to_client(message)) == message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("message", TO_CLIENT)
def test_an_older_client_gets_all_but_the_actor_of_an_error(version: int, message: ToClient) -> None:
    wire = codec(Encoding.BARE)
    data = wire.encode_to_client(message, version)
    assert isinstance(data, bytes)
    assert wire.version_of(data) == version
    if isinstance(message, Error) and version < 4:
        message = msgspec.structs.replace(message, actor=None)
    assert wire.decode_to_client(data) == message


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_of_an_older_client_is_the_same(version: int) -> None:
    wire = codec(Encoding.BARE)
    data = wire.encode_to_server(ActionRequest(1, "go", [2]))
    assert isinstance(data, bytes)
    head = version.to_bytes(2, "little")
    assert wire.decode_to_server(head + data[2:]) == ActionRequest(1, "go", [2])
    assert wire.decode_action_request(head + wire.encode_action_request([2])[2:]) == ([2], version)


@each_encoding
def test_arguments_and_outputs_of_http_arrive(wire: Codec) -> None:
    assert wire.decode_action_request(wire.encode_action_request(VALUES)) == (VALUES, VERSION)
    assert wire.decode_action_request(wire.encode_action_request([])) == ([], VERSION)
    for value in VALUES:
        assert wire.decode_action_response(wire.encode_action_response(value)) == value


@each_encoding
@pytest.mark.parametrize("metadata", [None, *VALUES])
def test_an_error_of_http_arrives(wire: Codec, metadata: Any) -> None:
    error = Error("user", "bad", "no", metadata, None, ActorSpecifier("actor", 1, "key"))
    assert wire.decode_error(wire.encode_error(error)) == error
    assert wire.decode_error(wire.encode_error(error, 2)) == (
        msgspec.structs.replace(error, actor=None) if wire.encoding is Encoding.BARE else error
    )


def test_frames_of_json_are_text_and_the_others_bytes() -> None:
    frames = {encoding: codec(encoding).encode_to_client(TO_CLIENT[0]) for encoding in Encoding}
    assert [type(frame) for frame in frames.values()] == [str, bytes, bytes]


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"\xf7", None),
        (b"\x81\xf7", [None]),
        (b"\x82\x01\xf7", [1, None]),
        (b"\x82\xf7\x61a", [None, "a"]),
        (b"\x82\x01\x61a", [1, "a"]),
        (b"\xa1\x61a\xf7", {"a": None}),
    ],
)
def test_undefined_of_javascript_is_none_when_it_stands_anywhere(encoded: bytes, value: Any) -> None:
    assert load_cbor(encoded) == value
