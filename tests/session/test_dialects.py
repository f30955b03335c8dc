"""What every dialect does, whatever the version."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from rivet_runner._session.dialect import InitAnswered, KvAnswered, KvEntries, Phase, SetAlarm
from rivet_runner._session.dialect_v3 import DialectV3
from rivet_runner._session.dialect_v7 import DialectV7
from rivet_runner.errors import DecodeError
from rivet_runner.protocol import v3, v7
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    KvDeleteRangeRequest,
    KvDeleteResponse,
    KvErrorResponse,
    KvGetRequest,
    MessageId,
    ToClientTunnelMessage,
    ToClientWebSocketMessage,
    ToServerKvRequest,
    ToServerStopping,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
)
from tests.session.dialects import Speaker, each_dialect

Kind = type[DialectV3 | DialectV7]


@pytest.mark.parametrize(
    ("kind", "init"),
    [
        (DialectV3, v3.ToServerInit("pool", 2, 10, None, {"counter": v3.ActorName("{}")}, '{"a":1}')),
        (DialectV7, v7.ToServerInit("pool", 2, 10, {"counter": v7.ActorName("{}")}, '{"a":1}')),
    ],
    ids=["v3", "v7"],
)
def test_init_is_first_when_a_connection_opens(kind: Kind, init: Any) -> None:
    speaker = Speaker(kind)
    speaker.dialect.report("a1", 1, ActorIntentSleep())
    speaker.dialect.stopping()
    speaker.dialect.keep_draining()
    speaker.dialect.keep_alive(1)
    assert speaker.sent() == []
    speaker.dialect.connection_opened()
    assert speaker.sent() == [init]
    assert speaker.sent() == []


@each_dialect
def test_init_is_sent_again_only_while_it_has_no_answer(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.dialect.send_init()
    assert speaker.sent() == []
    speaker.dialect.connection_opened()
    (init,) = speaker.sent()
    speaker.dialect.send_init()
    assert speaker.sent() == [init]
    speaker.answer_init()
    speaker.dialect.send_init()
    assert speaker.sent() == []


@each_dialect
def test_the_answer_to_init_tells_the_id_and_whether_the_runner_was_forgotten(kind: Kind) -> None:
    speaker = Speaker(kind)
    assert (speaker.dialect.runner_id, speaker.dialect.phase) == (None, Phase.DISCONNECTED)
    (answer,) = speaker.connect("r1")
    assert isinstance(answer, InitAnswered)
    assert (answer.runner_id, answer.forgotten, answer.lost_threshold) == ("r1", False, 15.0)
    assert (speaker.dialect.runner_id, speaker.dialect.phase) == ("r1", Phase.CONNECTED)
    speaker.dialect.connection_lost()
    assert speaker.dialect.phase is Phase.DISCONNECTED
    assert speaker.connect("r1") == [answer]
    speaker.dialect.connection_lost()
    (answer,) = speaker.connect("r2")
    assert isinstance(answer, InitAnswered)
    assert (answer.runner_id, answer.forgotten, answer.lost_threshold) == ("r2", True, 15.0)


@pytest.mark.parametrize(
    ("kind", "answer", "limits"),
    [
        (DialectV3, v3.ToClientInit("r1", -1, v3.ProtocolMetadata(15_000)), (15.0, None, None)),
        (DialectV7, v7.ToClientInit("r1", v7.ProtocolMetadata(15_000, 1_800_000, None)), (15.0, 1800.0, None)),
        (DialectV7, v7.ToClientInit("r1", v7.ProtocolMetadata(9_000, 60_000, 10_000)), (9.0, 60.0, 10.0)),
    ],
)
def test_the_answer_to_init_tells_limits_in_seconds(kind: Kind, answer: Any, limits: tuple[float | None, ...]) -> None:
    speaker = Speaker(kind)
    speaker.dialect.connection_opened()
    (received,) = speaker.receive(answer)
    assert isinstance(received, InitAnswered)
    assert (received.lost_threshold, received.stop_threshold, received.drain_grace) == limits


@each_dialect
def test_only_the_first_answer_to_init_counts(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.connect("r1")
    assert speaker.answer_init("r2") == []
    assert speaker.dialect.runner_id == "r1"


@each_dialect
def test_nothing_is_sent_when_the_connection_was_lost(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.connect()
    speaker.dialect.stopping()
    speaker.dialect.report("a1", 1, ActorIntentSleep())
    speaker.dialect.connection_lost()
    assert speaker.sent() == []
    assert speaker.dialect.wait(speaker.now) is None
    speaker.dialect.connection_opened()
    speaker.dialect.connection_lost()
    assert speaker.sent() == []


@each_dialect
def test_bytes_that_are_no_message_change_nothing(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.connect()
    speaker.dialect.report("a1", 1, ActorIntentSleep())
    with pytest.raises(DecodeError):
        speaker.dialect.decode(b"\xff")
    assert speaker.dialect.events_pending
    assert len(speaker.sent()) == 1


@each_dialect
def test_a_tunnel_message_is_handed_on_as_it_came(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.connect()
    message = ToClientTunnelMessage(MessageId(b"gate", b"req1", 1), ToClientWebSocketMessage(b"hello", True))
    assert speaker.receive(message) == [message]


@each_dialect
def test_a_tunnel_message_and_a_call_are_encoded_for_the_version(kind: Kind) -> None:
    speaker = Speaker(kind)
    message = ToServerTunnelMessage(MessageId(b"gate", b"req1", 1), ToServerWebSocketMessage(b"hello", True))
    call = ToServerKvRequest("a1", 7, KvGetRequest([b"k"]))
    assert speaker.codec.decode_to_server(speaker.dialect.encode(message)) == message
    assert speaker.codec.decode_to_server(speaker.dialect.encode(call)) == call


@each_dialect
def test_a_range_can_be_deleted_when_the_version_says_so(kind: Kind) -> None:
    speaker = Speaker(kind)
    call = ToServerKvRequest("a1", 7, KvDeleteRangeRequest(b"a", b"b"))
    if speaker.dialect.has_delete_range:
        assert speaker.codec.decode_to_server(speaker.dialect.encode(call)) == call
    else:
        with pytest.raises(TypeError, match=r"^ToServerKvRequest\.data: "):
            speaker.dialect.encode(call)


@each_dialect
def test_entries_are_answered_without_their_metadata(kind: Kind) -> None:
    speaker = Speaker(kind)
    codec = speaker.codec
    for answer in (codec.KvGetResponse, codec.KvListResponse):
        data = answer([b"k"], [b"v"], [codec.KvMetadata(b"version", 5)])
        assert speaker.receive(codec.ToClientKvResponse(7, data)) == [KvAnswered(7, KvEntries([b"k"], [b"v"]))]


@each_dialect
@pytest.mark.parametrize("answer", [KvDeleteResponse(), KvErrorResponse("no")])
def test_another_answer_to_a_call_is_handed_on_as_it_came(kind: Kind, answer: Any) -> None:
    speaker = Speaker(kind)
    assert speaker.receive(speaker.codec.ToClientKvResponse(7, answer)) == [KvAnswered(7, answer)]


@each_dialect
def test_the_engine_is_told_of_a_drain_when_there_is_a_connection(kind: Kind) -> None:
    speaker = Speaker(kind)
    speaker.connect()
    speaker.dialect.stopping()
    assert speaker.sent() == [ToServerStopping()]


@each_dialect
def test_the_backlog_counts_what_is_not_confirmed(kind: Kind) -> None:
    speaker = Speaker(kind)
    dialect = speaker.dialect
    dialect.report("a1", 1, ActorIntentSleep())
    dialect.report("a2", 1, SetAlarm(5))
    assert (dialect.event_backlog, dialect.overdue_events, dialect.events_pending) == (2, 2, True)
    speaker.connect()
    assert dialect.wait(speaker.now) == 0.0
    speaker.sent()
    assert (dialect.event_backlog, dialect.events_pending) == (2, False)
    assert dialect.wait(speaker.now) is None
    dialect.connection_lost()
    speaker.connect("another")
    assert (dialect.event_backlog, dialect.overdue_events, dialect.events_pending) == (0, 0, False)


@pytest.mark.parametrize(
    ("kind", "packet"),
    [(DialectV3, b"\x03\x00\x00\x02r1"), (DialectV7, b"\x07\x00\x00\x02r1\x07\x00")],
    ids=["v3", "v7"],
)
def test_the_packet_of_a_serverless_runner_begins_with_the_version(kind: Kind, packet: bytes) -> None:
    assert kind.serverless_packet("r1") == packet


@pytest.mark.slow
def test_no_codec_is_imported_until_its_version_is_spoken() -> None:
    program = (
        "import sys; from rivet_runner import Runner; from rivet_runner._session.dialects import serverless_packet;"
        "codecs = lambda: [name for name in ('v3', 'v7') if f'rivet_runner.protocol.{name}' in sys.modules];"
        "print(codecs()); serverless_packet(7, 'r1'); print(codecs())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['v7']"]
