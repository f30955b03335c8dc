"""What each kind of malformed message is answered with, in every version."""

from __future__ import annotations

import pytest

from rivet_runner.errors import DecodeError
from rivet_runner.protocol.messages import StopCode
from tests.protocol.messages import decode, encode, replaced, sample
from tests.protocol.versions import V3, V7, Version, each_version


def start_of(version: Version, name: str) -> bytes:
    """The bytes before the contents of a message to the runner, or of a kind of tunnel message: the tags and the id."""
    encoded = encode(version.module, "ToClient", sample(version.model, version.module, "ToClient", name))
    return encoded[: 12 if "Request" in name or "WebSocket" in name else 1]


def refused(version: Version, buffer: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        version.module.decode_to_client(buffer)
    return str(caught.value)


@each_version
@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "ToClient: 1 byte expected at offset 0, but the message ends at 0"),
        (7, "MessageId.request_id: 4 bytes expected at offset 5, but the message ends at 7"),
        (10, "MessageId.message_index: 2 bytes expected at offset 9, but the message ends at 10"),
        (11, "ToClientTunnelMessage.message_kind: 1 byte expected at offset 11, but the message ends at 11"),
        (12, "ToClientWebSocketMessage.data: 1 byte expected at offset 12"),
        (14, "ToClientWebSocketMessage.data: 3 bytes from offset 13 on"),
        (16, "ToClientWebSocketMessage.binary: 1 byte expected at offset 16"),
    ],
)
def test_a_tunnel_message_cut_short_names_the_field_and_the_offset(version: Version, length: int, message: str) -> None:
    whole = start_of(version, "ToClientWebSocketMessage") + b"\x03abc\x01"
    assert refused(version, whole[:length]).startswith(message)


@each_version
def test_a_list_longer_than_the_message_is_refused(version: Version) -> None:
    buffer = start_of(version, "ToClientCommands") + b"\x02" + bytes(20)
    assert refused(version, buffer).startswith("ToClientCommands.items: 2 items of at least 14 each from offset 2 on")


@pytest.mark.parametrize(
    ("version", "before", "field"),
    [(V3, bytes(9), "CommandStartActor.actor_id"), (V7, b"", "ActorCheckpoint.actor_id")],
    ids=str,
)
def test_text_longer_than_the_message_is_refused(version: Version, before: bytes, field: str) -> None:
    buffer = start_of(version, "ToClientCommands") + b"\x01" + before
    cut = buffer + b"\x20" + bytes(20)
    assert refused(version, cut).startswith(f"{field}: 32 bytes from offset {len(buffer) + 1} on")


@each_version
@pytest.mark.parametrize("tag", [6, 7, 127, 128, 255])
def test_an_unknown_tag_is_refused(version: Version, tag: int) -> None:
    assert refused(version, bytes([tag, 0])) == f"ToClient: ToClient has no member {tag}, found at offset 0"
    tunnel = start_of(version, "ToClientRequestAbort")[:11]
    expected = f"ToClientTunnelMessage.message_kind: ToClientTunnelMessageKind has no member {tag + 1}"
    if tag < 255:
        assert refused(version, tunnel + bytes([tag + 1])) == f"{expected}, found at offset 11"


@each_version
def test_an_unknown_enum_value_is_refused(version: Version) -> None:
    message = sample(version.model, version.module, "ToServer", "StopCode")
    stopped = version.module.ActorStateStopped(StopCode.ERROR, None)
    event = replaced(message, "EventActorStateUpdate", "state", stopped)
    encoded = encode(version.module, "ToServer", event)
    assert encoded.endswith(b"\x01\x00")
    with pytest.raises(DecodeError) as caught:
        decode(version.module, "ToServer", encoded[:-2] + b"\x02\x00")
    offset = len(encoded) - 2
    assert str(caught.value) == f"ActorStateStopped.code: StopCode has no member 2, found at offset {offset}"


@each_version
@pytest.mark.parametrize("byte", [2, 127, 128, 255])
def test_a_bool_that_is_neither_0_nor_1_is_refused(version: Version, byte: int) -> None:
    expected = f"ToClientWebSocketMessage.binary: 0 or 1 expected at offset 15, got {byte}"
    assert refused(version, start_of(version, "ToClientWebSocketMessage") + b"\x02ab" + bytes([byte])) == expected


@each_version
@pytest.mark.parametrize("byte", [2, 127, 128, 255])
def test_an_optional_that_is_neither_0_nor_1_is_refused(version: Version, byte: int) -> None:
    expected = f"ToClientWebSocketClose.code: 0 or 1 expected at offset 12, got {byte}"
    assert refused(version, start_of(version, "ToClientWebSocketClose") + bytes([byte]) + bytes(10)) == expected


@each_version
@pytest.mark.parametrize(("text", "offset"), [(b"\xff", 13), (b"ab\xc3", 15), (b"\xed\xa0\x80", 13), (b"\xc0\x80", 13)])
def test_text_that_is_not_utf_8_is_refused(version: Version, text: bytes, offset: int) -> None:
    buffer = start_of(version, "ToClientWebSocketOpen") + bytes([len(text)]) + text + bytes(2)
    assert refused(version, buffer).startswith(f"ToClientWebSocketOpen.actor_id: not UTF-8 at offset {offset}: ")


@each_version
def test_a_repeated_map_key_is_refused(version: Version) -> None:
    headers = b"\x02\x01a\x011\x01a\x012"
    assert refused(version, start_of(version, "ToClientWebSocketOpen") + bytes(2) + headers) == (
        "ToClientWebSocketOpen.headers: the key 'a', which ends at offset 21, is there twice"
    )


@each_version
def test_an_entry_of_a_map_is_named_by_its_number(version: Version) -> None:
    buffer = start_of(version, "ToClientWebSocketOpen") + bytes(2) + b"\x02\x01a\x011\x01b\x09"
    assert refused(version, buffer).startswith("ToClientWebSocketOpen.headers[1] value: ")


@each_version
@pytest.mark.parametrize(
    ("length", "problem"),
    [
        (b"\x80\x00", "is not in its shortest form"),
        (b"\x82\x80\x00", "is not in its shortest form"),
        (b"\x80" * 9 + b"\x00", "is not in its shortest form"),
        (b"\xff" * 9 + b"\x02", "is 2^64 or more"),
        (b"\xff" * 10 + b"\x01", "is 2^64 or more"),
        (b"\x80" * 200, "is 2^64 or more"),
        (b"\x80", "is cut off by the end of the message"),
        (b"\xff" * 9, "is cut off by the end of the message"),
    ],
)
def test_a_uint_that_is_not_canonical_is_refused(version: Version, length: bytes, problem: str) -> None:
    buffer = start_of(version, "ToClientWebSocketMessage") + length
    assert refused(version, buffer) == f"ToClientWebSocketMessage.data: the uint at offset 12 {problem}"


@each_version
def test_the_largest_uint_is_read_as_one(version: Version) -> None:
    buffer = start_of(version, "ToClientWebSocketMessage") + b"\xff" * 9 + b"\x01"
    assert f" {2**64 - 1} bytes from offset 22 on" in refused(version, buffer)
