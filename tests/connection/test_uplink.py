"""The way up: one write a turn, back-pressure, and waiting for what was handed over to leave."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rivet_runner._connection.uplink import EVENT_BACKLOG_WARNING
from rivet_runner._session.dialect_v3 import MAX_UNCONFIRMED
from rivet_runner._session.event_log import MAX_BATCH
from rivet_runner._session.event_spacing import EVENT_SPACING
from rivet_runner._session.gateway import ENGINE_QUEUE
from rivet_runner._session.pace import BARRIER_TIMEOUT
from rivet_runner.protocol.v3 import (
    ActorIntentSleep,
    MessageId,
    ProtocolMetadata,
    ToClientAckEvents,
    ToClientInit,
    ToServerEvents,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    encode_to_client,
)
from tests.support.virtual_time import virtual_time
from tests.support.wired_uplink import WiredUplink


def message(number: int = 0) -> ToServerTunnelMessage:
    return ToServerTunnelMessage(MessageId(b"gate", b"requ", number), ToServerWebSocketMessage(b"x", True))


async def turn() -> None:
    """Let the turn of the event loop end."""
    await asyncio.sleep(0)


async def first_turn(task: asyncio.Task[object]) -> None:
    """Let ``task`` begin to wait."""
    await turn()
    assert not task.done()


@virtual_time
async def test_everything_of_one_turn_is_one_write_when_many_send() -> None:
    wired = await WiredUplink().connected()
    for number in range(100):
        await wired.uplink.send(message(number))
    assert wired.socket.writes == []
    await turn()
    assert wired.socket.writes == [[message(number) for number in range(100)]]


@virtual_time
async def test_a_message_is_kept_when_there_is_no_connection() -> None:
    wired = WiredUplink()
    await wired.uplink.send(message(1))
    wired.uplink.send_now(message(2))
    await turn()
    socket = wired.connect()
    await turn()
    assert socket.sent[1:] == [message(1), message(2)], "behind init"


@virtual_time
async def test_messages_wait_when_the_transport_is_congested() -> None:
    wired = await WiredUplink().connected()
    wired.socket.congested = True
    await wired.uplink.send(message())
    await turn()
    assert wired.socket.writes == []
    wired.socket.congested = False
    wired.socket.drained()
    await turn()
    assert wired.socket.writes == [[message()]]


@virtual_time
async def test_senders_go_on_in_order_when_a_full_outbox_has_room_again() -> None:
    wired = await WiredUplink(max_buffered=1).connected()
    wired.socket.congested = True
    await wired.uplink.send(message(0))
    assert wired.uplink.congested
    senders = [asyncio.create_task(wired.uplink.send(message(number))) for number in range(1, 4)]
    await first_turn(senders[0])
    wired.socket.congested = False
    wired.socket.drained()
    await asyncio.gather(*senders)
    await turn()
    assert wired.socket.sent == [message(number) for number in range(4)]
    assert not wired.uplink.congested


@virtual_time
async def test_a_sender_waits_behind_others_when_the_outbox_was_dropped_and_has_room() -> None:
    wired = await WiredUplink(max_buffered=1).connected()
    wired.lose()
    await wired.uplink.send(message(0))
    first = asyncio.create_task(wired.uplink.send(message(1)))
    await first_turn(first)
    wired.session.connection_opened()
    wired.session.receive(encode_to_client(ToClientInit("another runner", -1, ProtocolMetadata(15_000))))
    second = asyncio.create_task(wired.uplink.send(message(2)))
    await first_turn(second)
    wired.connect("another runner")
    await asyncio.gather(first, second)
    await turn()
    assert wired.socket.sent[-2:] == [message(1), message(2)]


@virtual_time
async def test_send_now_goes_beyond_the_bound_when_the_outbox_is_full() -> None:
    wired = await WiredUplink(max_buffered=1).connected()
    wired.socket.congested = True
    for number in range(3):
        wired.uplink.send_now(message(number))
    wired.socket.congested = False
    wired.uplink.flush_now()
    assert wired.socket.writes == [[message(number) for number in range(3)]]


@virtual_time
async def test_no_write_is_scheduled_when_flushes_are_held() -> None:
    wired = await WiredUplink().connected()
    wired.uplink.hold()
    await wired.uplink.send(message())
    wired.uplink.release()
    await turn()
    assert wired.socket.writes == []
    wired.uplink.flush_now()
    assert wired.socket.writes == [[message()]]


@virtual_time
async def test_flushed_returns_at_once_when_nothing_waits() -> None:
    wired = await WiredUplink().connected()
    assert await wired.uplink.flushed(0)


@virtual_time
async def test_flushed_waits_for_what_came_before_it_when_the_transport_is_congested() -> None:
    wired = await WiredUplink().connected()
    wired.socket.congested = True
    await wired.uplink.send(message())
    waiting = asyncio.create_task(wired.uplink.flushed(None))
    await first_turn(waiting)
    wired.socket.congested = False
    wired.socket.drained()
    assert await waiting


@virtual_time
async def test_flushed_is_false_when_the_time_is_up() -> None:
    wired = WiredUplink()
    await wired.uplink.send(message())
    assert not await wired.uplink.flushed(5)


@virtual_time
async def test_flushed_ends_when_the_outbox_is_dropped() -> None:
    wired = await WiredUplink().connected()
    wired.lose()
    await wired.uplink.send(message())
    waiting = asyncio.create_task(wired.uplink.flushed(None))
    await first_turn(waiting)
    wired.connect("another runner")
    wired.uplink.outbox_dropped()
    assert await waiting


@virtual_time
async def test_events_flushed_waits_for_the_next_message_of_events_when_one_has_just_left() -> None:
    wired = await WiredUplink().connected()
    loop = asyncio.get_running_loop()
    assert await wired.uplink.events_flushed(0)
    wired.uplink.report("a1", 1, ActorIntentSleep())
    await turn()
    began = loop.time()
    wired.uplink.report("a1", 1, ActorIntentSleep())
    assert not await wired.uplink.events_flushed(EVENT_SPACING / 2)
    assert await wired.uplink.events_flushed(10)
    assert loop.time() - began == pytest.approx(EVENT_SPACING)
    assert [len(sent.items) for sent in wired.socket.sent if isinstance(sent, ToServerEvents)] == [1, 1]


@virtual_time
async def test_a_connection_counts_only_while_it_lasts() -> None:
    wired = WiredUplink()
    assert not wired.uplink.is_on(wired.uplink.connection_number)
    wired.connect()
    first = wired.uplink.connection_number
    assert wired.uplink.is_on(first)
    wired.lose()
    assert not wired.uplink.is_on(first)
    wired.connect()
    assert not wired.uplink.is_on(first)
    assert wired.uplink.is_on(wired.uplink.connection_number)


@virtual_time
async def test_lost_returns_when_the_connection_is_lost_or_the_time_is_up() -> None:
    wired = await WiredUplink().connected()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wired.uplink.lost(5)
    assert loop.time() - began == 5
    loop.call_later(1, wired.lose)
    await wired.uplink.lost(5)
    assert loop.time() - began == 6
    wired.connect()
    await wired.uplink.lost(5)
    assert loop.time() - began == 11


@virtual_time
async def test_messages_leave_all_the_same_when_the_engine_takes_none_for_long(caplog: pytest.LogCaptureFixture) -> None:
    wired = await WiredUplink(rate=1e9).connected()
    for number in range(2 * ENGINE_QUEUE):
        await wired.uplink.send(message(number))
    await asyncio.sleep(BARRIER_TIMEOUT - 1)
    assert sum(isinstance(sent, ToServerTunnelMessage) for sent in wired.socket.sent) == ENGINE_QUEUE
    await asyncio.sleep(2)
    assert sum(isinstance(sent, ToServerTunnelMessage) for sent in wired.socket.sent) == 2 * ENGINE_QUEUE
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@virtual_time
async def test_a_growing_backlog_of_events_is_warned_of_once_when_it_is_not_confirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wired = await WiredUplink().connected()
    for _ in range(EVENT_BACKLOG_WARNING + 10):
        wired.uplink.report("a1", 1, ActorIntentSleep())
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    await asyncio.sleep((EVENT_BACKLOG_WARNING / MAX_BATCH + 2) * EVENT_SPACING)
    wired.session.receive(encode_to_client(ToClientAckEvents(EVENT_BACKLOG_WARNING)))
    wired.uplink.report("a1", 1, ActorIntentSleep())
    assert len(caplog.records) == 1
    for _ in range(EVENT_BACKLOG_WARNING):
        wired.uplink.report("a1", 1, ActorIntentSleep())
    assert [record.levelno for record in caplog.records] == 2 * [logging.WARNING], "it had gone meanwhile"


@pytest.mark.slow
@virtual_time
async def test_the_connection_is_made_anew_when_too_many_events_are_unconfirmed(caplog: pytest.LogCaptureFixture) -> None:
    wired = await WiredUplink().connected()
    for _ in range(MAX_UNCONFIRMED):
        wired.uplink.report("a1", 1, ActorIntentSleep())
    assert wired.socket.aborts == 0, "those that were not sent do not count"
    await asyncio.sleep((MAX_UNCONFIRMED / MAX_BATCH + 2) * EVENT_SPACING)
    assert wired.session.wants_new_init
    wired.uplink.report("a1", 1, ActorIntentSleep())
    assert wired.socket.aborts == 1
    assert caplog.records[-1].levelno == logging.ERROR
