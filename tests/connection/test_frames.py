"""Frames of our own, against those of the library."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Side
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from rivet_runner._connection.frames import FrameSplitter, binary_frames
from tests.support.examples import examples

MAX_SIZE = 200_000

payloads = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]).map(lambda size: b"x" * size),
)
frames = st.one_of(
    payloads.map(lambda data: Frame(Opcode.BINARY, data)),
    st.binary(max_size=125).map(lambda data: Frame(Opcode.PING, data)),
    st.binary(max_size=125).map(lambda data: Frame(Opcode.PONG, data)),
    payloads.map(lambda data: Frame(Opcode.TEXT, data)),
    payloads.map(lambda data: Frame(Opcode.BINARY, data, fin=False)),
    payloads.map(lambda data: Frame(Opcode.CONT, data)),
)


class Seen:
    """What a splitter hands out, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bytes]] = []
        self.splitter = FrameSplitter(
            lambda message: self.all.append(("message", message)),
            lambda frame: self.all.append(("other", frame)),
            MAX_SIZE,
        )


@settings(max_examples=examples(200))
@given(st.lists(frames, max_size=12), st.data())
def test_every_frame_is_handed_out_whole_and_in_order_when_the_stream_is_cut_anywhere(
    sent: list[Frame], data: st.DataObject
) -> None:
    stream = b"".join(frame.serialize(mask=False) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    seen = Seen()
    buffer = bytearray(len(stream))
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer[: stop - start] = stream[start:stop]  # the same buffer is used for each read
        seen.splitter.feed(memoryview(buffer)[: stop - start])
        assert 0 <= seen.splitter.missing <= len(stream) - stop
    assert seen.splitter.missing == 0
    expected = [
        ("message", bytes(frame.data))
        if frame.opcode is Opcode.BINARY and frame.fin
        else ("other", frame.serialize(mask=False))
        for frame in sent
    ]
    assert seen.all == expected


def test_each_byte_may_come_alone_when_there_are_all_three_header_lengths() -> None:
    sent = [b"a" * 5, b"b" * 300, b"c" * 66_000]
    stream = b"".join(Frame(Opcode.BINARY, data).serialize(mask=False) for data in sent)
    seen = Seen()
    for position in range(len(stream)):
        seen.splitter.feed(stream[position : position + 1])
    assert seen.all == [("message", data) for data in sent]


def test_it_tells_how_much_is_missing_when_a_message_has_begun() -> None:
    frame = Frame(Opcode.BINARY, b"x" * 100_000).serialize(mask=False)
    seen = Seen()
    seen.splitter.feed(frame[:1])
    assert seen.splitter.missing == 1, "as much as can be known"
    seen.splitter.feed(frame[1:4_000])
    assert seen.splitter.missing == len(frame) - 4_000
    seen.splitter.feed(frame[4_000:])
    assert (seen.splitter.missing, len(seen.all)) == (0, 1)


def test_a_frame_goes_to_the_library_by_its_header_when_it_is_too_large() -> None:
    seen = Seen()
    header = b"\x82\x7f" + (MAX_SIZE + 1).to_bytes(8, "big")
    seen.splitter.feed(header + b"x" * 10)
    assert seen.all == [("other", header + b"x" * 10)]


@given(st.lists(payloads, max_size=8))
def test_the_library_reads_what_is_written(messages: list[bytes]) -> None:
    server = ServerProtocol(state=OPEN, max_size=None)
    server.receive_data(binary_frames(messages))
    events = server.events_received()
    assert [(event.opcode, event.fin, bytes(event.data)) for event in events if isinstance(event, Frame)] == [
        (Opcode.BINARY, True, message) for message in messages
    ]


@settings(max_examples=examples(200))
@given(st.binary(max_size=300))
def test_nothing_is_lost_when_the_bytes_are_random(stream: bytes) -> None:
    """Whatever is no binary frame reaches the library, which fails the connection where it must."""
    seen = Seen()
    seen.splitter.feed(stream)
    client = ClientProtocol(parse_uri("ws://engine/"), state=OPEN, max_size=MAX_SIZE)
    assert client.side is Side.CLIENT
    for kind, data in seen.all:
        if kind == "other" and client.state is OPEN:
            client.receive_data(data)
    mark_delivered = sum(len(data) for _, data in seen.all)
    assert mark_delivered <= len(stream)
