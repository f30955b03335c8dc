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
from rivet_runner.protocol.messages import MessageId, ToClientTunnelMessage, ToClientWebSocketMessage
from tests.protocol.messages import Messages, decode, encode, inside, reaches, sample
from tests.protocol.versions import ROOTS, VERSIONS, Version, each_version
from tests.support.examples import examples

CASES = [
    pytest.param(version, root, name, id=f"{version}-{root}-{name}")
    for version in VERSIONS
    for name in version.model.shapes
    for root in ROOTS
    if reaches(version.model, root, name)
]

# A uint of ten bytes, 2^63.
HUGE = b"\x80" * 9 + b"\x01"


@functools.cache
def messages(version: Version, target: str | None = None) -> Messages:
    """Made once: building the strategies takes longer than drawing from them."""
    return Messages(version.model, version.module, target)


@each_version
def test_every_type_of_the_schema_is_reached(version: Version) -> None:
    reached = {name for name in version.model.shapes for root in ROOTS if reaches(version.model, root, name)}
    assert reached == set(version.model.shapes)
    assert sorted(version.model.roots()) == sorted(ROOTS)


@pytest.mark.parametrize(("version", "root", "target"), CASES)
@settings(max_examples=examples(15), deadline=None)
@given(data=st.data())
def test_decoding_gives_back_what_was_encoded(version: Version, root: str, target: str, data: st.DataObject) -> None:
    message = data.draw(messages(version, target).of(root))
    encoded = encode(version.module, root, message)
    decoded = decode(version.module, root, encoded)
    assert decoded == message
    assert [type(part) for part in inside(decoded)] == [type(part) for part in inside(message)]


@each_version
@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_a_prefix_of_a_message_is_refused(version: Version, root: str, data: st.DataObject) -> None:
    encoded = encode(version.module, root, data.draw(messages(version).of(root)))
    for length in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(version.module, root, encoded[:length])


@each_version
@pytest.mark.parametrize("root", ROOTS)
@settings(deadline=None)
@given(data=st.data(), more=st.binary(min_size=1, max_size=20))
def test_bytes_behind_a_message_are_refused(version: Version, root: str, data: st.DataObject, more: bytes) -> None:
    encoded = encode(version.module, root, data.draw(messages(version).of(root)))
    with pytest.raises(DecodeError, match=f"{root}: ends at offset {len(encoded)}, but there are"):
        decode(version.module, root, encoded + more)


def refused_or_the_only_form(version: Version, root: str, buffer: bytes) -> None:
    """Decoding is strict, so that no two byte strings mean the same message."""
    try:
        message = decode(version.module, root, buffer)
    except DecodeError:
        return
    assert encode(version.module, root, message) == buffer


@each_version
@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_a_changed_message_is_refused_or_another_message(version: Version, root: str, data: st.DataObject) -> None:
    encoded = encode(version.module, root, data.draw(messages(version).of(root)))
    start = data.draw(st.integers(0, len(encoded) - 1))
    removed = data.draw(st.integers(0, 3))
    inserted = data.draw(st.binary(max_size=10) | st.sampled_from([HUGE, b"\x80\x00", b"\xff" * 11]))
    refused_or_the_only_form(version, root, encoded[:start] + inserted + encoded[start + removed :])


@each_version
@pytest.mark.parametrize("root", ROOTS)
@settings(max_examples=examples(200), deadline=None)
@given(tag=st.integers(0, 8), rest=st.binary(max_size=100))
def test_random_bytes_are_refused_or_a_message(version: Version, root: str, tag: int, rest: bytes) -> None:
    refused_or_the_only_form(version, root, bytes([tag]) + rest)


@pytest.mark.parametrize(("version", "root", "target"), CASES)
def test_a_huge_length_anywhere_costs_nothing(version: Version, root: str, target: str) -> None:
    encoded = encode(version.module, root, sample(version.model, version.module, root, target))

    def decode_each() -> None:
        for at in range(1, len(encoded)):
            refused_or_the_only_form(version, root, encoded[:at] + HUGE + b"abc")

    decode_each()  # what the first time leaves behind, such as the lines that a coverage run has seen, is not the message's
    started = time.process_time()
    tracemalloc.start()
    decode_each()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
    assert time.process_time() - started < 2


@each_version
@pytest.mark.parametrize(
    ("message", "before"),
    [
        pytest.param("ToClientCommands", 1, id="list"),
        pytest.param("ToClientInit", 1, id="str"),
        pytest.param("ToClientWebSocketMessage", 12, id="data"),
        pytest.param("ToClientWebSocketOpen", 14, id="map"),
    ],
)
def test_a_length_of_2_to_the_63_before_three_bytes_is_refused_at_once(version: Version, message: str, before: int) -> None:
    target = sample(version.model, version.module, "ToClient", message)
    # Empty text before the map.
    encoded = encode(version.module, "ToClient", target)[: min(before, 12)] + bytes(max(0, before - 12)) + HUGE
    with pytest.raises(DecodeError, match=f"{2**63} .*from offset {len(encoded)} on"):
        version.module.decode_to_client(encoded + b"abc")


@each_version
@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_any_bytes_like_object_is_decoded(version: Version, make: Any) -> None:
    message = ToClientTunnelMessage(MessageId(b"gate", b"req1", 1), ToClientWebSocketMessage(b"hello", True))
    decoded = version.module.decode_to_client(make(version.module.encode_to_client(message)))
    assert decoded == message
    assert type(decoded.message_kind.data) is bytes


@each_version
def test_a_message_does_not_change_with_the_buffer_it_was_decoded_from(version: Version) -> None:
    message = sample(version.model, version.module, "ToServerlessServer")
    buffer = bytearray(version.module.encode_to_serverless_server(message))
    decoded = version.module.decode_to_serverless_server(memoryview(buffer)[:])
    buffer[:] = bytes(len(buffer))
    assert decoded == message


@each_version
@pytest.mark.parametrize("wrong", [5, "text", None, [0]])
def test_what_is_no_buffer_is_a_type_error(version: Version, wrong: Any) -> None:
    with pytest.raises(TypeError):
        version.module.decode_to_client(wrong)
