"""What each kind of malformed message is answered with."""

from __future__ import annotations

import pytest

from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3

TUNNEL = b"\x05gatereq1\x01\x00"


def refused(buffer: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        v3.decode_to_client(buffer)
    return str(caught.value)


@pytest.mark.parametrize(
    ("buffer", "message"),
    [
        (b"", "ToClient: 1 byte expected at offset 0, but the message ends at 0"),
        (TUNNEL[:7], "MessageId.request_id: 4 bytes expected at offset 5, but the message ends at 7"),
        (TUNNEL[:10], "MessageId.message_index: 2 bytes expected at offset 9, but the message ends at 10"),
        (
            TUNNEL,
            "ToClientTunnelMessage.message_kind: 1 byte expected at offset 11, but the message ends at 11",
        ),
        (TUNNEL + b"\x05", "ToClientWebSocketMessage.data: 1 byte expected at offset 12"),
        (TUNNEL + b"\x05\x03ab", "ToClientWebSocketMessage.data: 3 bytes from offset 13 on"),
        (TUNNEL + b"\x05\x02ab", "ToClientWebSocketMessage.binary: 1 byte expected at offset 15"),
        (b"\x02\x02" + bytes(20), "ToClientCommands.items: 2 items of at least 14 each from offset 2 on"),
        (b"\x02\x01" + bytes(9) + b"\x05abcd", "CommandStartActor.actor_id: 5 bytes from offset 12 on"),
    ],
)
def test_a_short_message_names_the_field_and_the_offset(buffer: bytes, message: str) -> None:
    assert refused(buffer).startswith(message)


@pytest.mark.parametrize("tag", [6, 7, 127, 128, 255])
def test_an_unknown_tag_is_refused(tag: int) -> None:
    assert refused(bytes([tag, 0])) == f"ToClient: ToClient has no member {tag}, found at offset 0"
    expected = f"ToClientTunnelMessage.message_kind: ToClientTunnelMessageKind has no member {tag + 1}"
    if tag < 255:
        assert refused(TUNNEL + bytes([tag + 1])) == f"{expected}, found at offset 11"


def test_an_unknown_enum_value_is_refused() -> None:
    message = v3.EventActorStateUpdate("a", 1, v3.ActorStateStopped(v3.StopCode.ERROR, None))
    encoded = v3.encode_to_server(v3.ToServerEvents([v3.EventWrapper(0, message)]))
    assert encoded.endswith(b"\x01\x00")
    with pytest.raises(DecodeError) as caught:
        v3.decode_to_server(encoded[:-2] + b"\x02\x00")
    assert str(caught.value) == (f"ActorStateStopped.code: StopCode has no member 2, found at offset {len(encoded) - 2}")


@pytest.mark.parametrize("byte", [2, 127, 128, 255])
def test_a_bool_that_is_neither_0_nor_1_is_refused(byte: int) -> None:
    expected = f"ToClientWebSocketMessage.binary: 0 or 1 expected at offset 15, got {byte}"
    assert refused(TUNNEL + b"\x05\x02ab" + bytes([byte])) == expected


@pytest.mark.parametrize("byte", [2, 127, 128, 255])
def test_an_optional_that_is_neither_0_nor_1_is_refused(byte: int) -> None:
    expected = f"ToClientWebSocketClose.code: 0 or 1 expected at offset 12, got {byte}"
    assert refused(TUNNEL + b"\x06" + bytes([byte]) + bytes(10)) == expected


@pytest.mark.parametrize(("text", "offset"), [(b"\xff", 13), (b"ab\xc3", 15), (b"\xed\xa0\x80", 13), (b"\xc0\x80", 13)])
def test_text_that_is_not_utf_8_is_refused(text: bytes, offset: int) -> None:
    buffer = TUNNEL + b"\x04" + bytes([len(text)]) + text + bytes(2)
    assert refused(buffer).startswith(f"ToClientWebSocketOpen.actor_id: not UTF-8 at offset {offset}: ")


def test_a_repeated_map_key_is_refused() -> None:
    headers = b"\x02\x01a\x011\x01a\x012"
    assert refused(TUNNEL + b"\x04\x00\x00" + headers) == (
        "ToClientWebSocketOpen.headers: the key 'a', which ends at offset 21, is there twice"
    )


def test_an_entry_of_a_map_is_named_by_its_number() -> None:
    headers = b"\x02\x01a\x011\x01b\x09"
    assert refused(TUNNEL + b"\x04\x00\x00" + headers).startswith("ToClientWebSocketOpen.headers[1] value: ")


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
def test_a_uint_that_is_not_canonical_is_refused(length: bytes, problem: str) -> None:
    assert refused(TUNNEL + b"\x05" + length) == f"ToClientWebSocketMessage.data: the uint at offset 12 {problem}"


def test_the_largest_uint_is_read_as_one() -> None:
    assert f" {2**64 - 1} bytes from offset 22 on" in refused(TUNNEL + b"\x05" + b"\xff" * 9 + b"\x01")
