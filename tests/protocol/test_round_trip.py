"""For every type of the protocol: what is encoded is decoded to the same, and nothing else ever is."""

from __future__ import annotations

import functools
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3
from tests.protocol.messages import SCHEMA, Messages, decode, encode, inside, model_of, reaches, sample

MODEL = model_of(SCHEMA.read_text(encoding="utf-8"))
ROOTS = ["ToServer", "ToClient", "ToServerlessServer"]
CASES = [(root, name) for name in MODEL.shapes for root in ROOTS if reaches(MODEL, root, name)]

# A uint of ten bytes, 2^63.
HUGE = b"\x80" * 9 + b"\x01"


@functools.cache
def messages(target: str | None = None) -> Messages:
    """Made once: building the strategies takes longer than drawing from them."""
    return Messages(MODEL, v3, target)


def test_every_type_of_the_schema_is_reached() -> None:
    assert {name for _, name in CASES} == set(MODEL.shapes)
    assert MODEL.roots() == ROOTS


@pytest.mark.parametrize(("root", "target"), CASES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_decoding_gives_back_what_was_encoded(root: str, target: str, data: st.DataObject) -> None:
    message = data.draw(messages(target).of(root))
    encoded = encode(v3, root, message)
    decoded = decode(v3, root, encoded)
    assert decoded == message
    assert [type(part) for part in inside(decoded)] == [type(part) for part in inside(message)]


@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_prefix_of_a_message_is_refused(root: str, data: st.DataObject) -> None:
    encoded = encode(v3, root, data.draw(messages().of(root)))
    for length in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(v3, root, encoded[:length])


@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=100, deadline=None)
@given(data=st.data(), more=st.binary(min_size=1, max_size=20))
def test_bytes_behind_a_message_are_refused(root: str, data: st.DataObject, more: bytes) -> None:
    encoded = encode(v3, root, data.draw(messages().of(root)))
    with pytest.raises(DecodeError, match=f"{root}: ends at offset {len(encoded)}, but there are"):
        decode(v3, root, encoded + more)


def refused_or_the_only_form(root: str, buffer: bytes) -> None:
    """Decoding is strict, so that no two byte strings mean the same message."""
    try:
        message = decode(v3, root, buffer)
    except DecodeError:
        return
    assert encode(v3, root, message) == buffer


@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_changed_message_is_refused_or_another_message(root: str, data: st.DataObject) -> None:
    encoded = encode(v3, root, data.draw(messages().of(root)))
    start = data.draw(st.integers(0, len(encoded) - 1))
    removed = data.draw(st.integers(0, 3))
    inserted = data.draw(st.binary(max_size=10) | st.sampled_from([HUGE, b"\x80\x00", b"\xff" * 11]))
    refused_or_the_only_form(root, encoded[:start] + inserted + encoded[start + removed :])


@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=200, deadline=None)
@given(tag=st.integers(0, 8), rest=st.binary(max_size=100))
def test_random_bytes_are_refused_or_a_message(root: str, tag: int, rest: bytes) -> None:
    refused_or_the_only_form(root, bytes([tag]) + rest)


@pytest.mark.parametrize(("root", "target"), CASES)
def test_a_huge_length_anywhere_costs_nothing(root: str, target: str) -> None:
    encoded = encode(v3, root, sample(MODEL, v3, root, target))
    started = time.monotonic()
    tracemalloc.start()
    for at in range(1, len(encoded)):
        refused_or_the_only_form(root, encoded[:at] + HUGE + b"abc")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param(b"\x02" + HUGE, id="list"),
        pytest.param(b"\x00" + HUGE, id="str"),
        pytest.param(b"\x05abcdefgh\x00\x00\x05" + HUGE, id="data"),
        pytest.param(b"\x05abcdefgh\x00\x00\x04\x00\x00" + HUGE, id="map"),
    ],
)
def test_a_length_of_2_to_the_63_before_three_bytes_is_refused_at_once(encoded: bytes) -> None:
    with pytest.raises(DecodeError, match=f"{2**63} .*from offset {len(encoded)} on"):
        v3.decode_to_client(encoded + b"abc")


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_bytes_like_object_is_decoded(make: Any) -> None:
    message = v3.ToClientTunnelMessage(v3.MessageId(b"gate", b"req1", 1), v3.ToClientWebSocketMessage(b"hello", True))
    decoded = v3.decode_to_client(make(v3.encode_to_client(message)))
    assert decoded == message
    assert type(decoded.message_kind.data) is bytes  # type: ignore[union-attr]


def test_a_message_does_not_change_with_the_buffer_it_was_decoded_from() -> None:
    message = v3.ToServerlessServerInit("runner")
    buffer = bytearray(v3.encode_to_serverless_server(message))
    decoded = v3.decode_to_serverless_server(memoryview(buffer)[:])
    buffer[:] = bytes(len(buffer))
    assert decoded == message


@pytest.mark.parametrize("wrong", [5, "text", None, [0]])
def test_what_is_no_buffer_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError):
        v3.decode_to_client(wrong)
