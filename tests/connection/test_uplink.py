"""The way up: one write a turn, back-pressure, and waiting for what was handed over to leave."""

from __future__ import annotations

import asyncio
import logging

import pytest

from rivet_runner._connection.uplink import EVENT_BACKLOG_BOUND, EVENT_BACKLOG_WARNING, Uplink
from rivet_runner._session.events import MAX_BATCH
from rivet_runner._session.pace import BARRIER_TIMEOUT, WINDOW, Pace
from rivet_runner._session.session import EVENT_SPACING, Session
from rivet_runner.protocol.v3 import (
    ActorIntentSleep,
    EventActorIntent,
    MessageId,
    ProtocolMetadata,
    ToClientAckEvents,
    ToClientInit,
    ToServerEvents,
    ToServerInit,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    encode_to_client,
)
from tests.support.fake_socket import FakeSocket
from tests.support.virtual_time import virtual_time

EVENT = EventActorIntent("a1", 1, ActorIntentSleep())


def message(number: int = 0) -> ToServerTunnelMessage:
    return ToServerTunnelMessage(MessageId(b"gate", b"requ", number), ToServerWebSocketMessage(b"x", True))


class Scene:
    """An uplink, its session, and the socket of a connection whose init was answered."""

    def __init__(self, *, max_buffered: int = 1_000_000, rate: float = 0) -> None:
        pace = Pace(rate, lambda: "a1")
        self.session = Session(ToServerInit("n", 1, 1, None, None, None), max_buffered=max_buffered, pace=pace)
        self.uplink = Uplink(self.session)
        self.socket = FakeSocket()

    async def connect(self, runner_id: str = "r1") -> FakeSocket:
        """A connection opens and its init is answered. Its writes so far are forgotten."""
        self.socket = FakeSocket()
        self.session.connection_opened()
        self.uplink.attach(self.socket.real)
        self.session.receive(encode_to_client(ToClientInit(runner_id, -1, ProtocolMetadata(15_000))))
        self.uplink.flush_soon()
        return self.socket

    async def connected(self) -> Scene:
        await self.connect()
        await turn()
        self.socket.writes.clear()
        return self

    def lose(self) -> None:
        self.uplink.detach()
        self.session.connection_lost()


async def turn() -> None:
    """Let the turn of the event loop end."""
    await asyncio.sleep(0)


async def first_turn(task: asyncio.Task[object]) -> None:
    """Let ``task`` begin to wait."""
    await turn()
    assert not task.done()


@virtual_time
async def test_everything_of_one_turn_is_one_write_when_many_send() -> None:
    scene = await Scene().connected()
    for number in range(100):
        await scene.uplink.send(message(number))
    assert scene.socket.writes == []
    await turn()
    assert scene.socket.writes == [[message(number) for number in range(100)]]


@virtual_time
async def test_a_message_is_kept_when_there_is_no_connection() -> None:
    scene = Scene()
    await scene.uplink.send(message(1))
    scene.uplink.send_now(message(2))
    await turn()
    socket = await scene.connect()
    await turn()
    assert socket.sent[1:] == [message(1), message(2)], "behind init"


@virtual_time
async def test_messages_wait_when_the_transport_is_congested() -> None:
    scene = await Scene().connected()
    scene.socket.congested = True
    await scene.uplink.send(message())
    await turn()
    assert scene.socket.writes == []
    scene.socket.congested = False
    scene.socket.drained()
    await turn()
    assert scene.socket.writes == [[message()]]


@virtual_time
async def test_senders_go_on_in_order_when_a_full_outbox_has_room_again() -> None:
    scene = await Scene(max_buffered=1).connected()
    scene.socket.congested = True
    await scene.uplink.send(message(0))
    assert scene.uplink.congested
    senders = [asyncio.create_task(scene.uplink.send(message(number))) for number in range(1, 4)]
    await first_turn(senders[0])
    scene.socket.congested = False
    scene.socket.drained()
    await asyncio.gather(*senders)
    await turn()
    assert scene.socket.sent == [message(number) for number in range(4)]
    assert not scene.uplink.congested


@virtual_time
async def test_a_sender_waits_behind_others_when_the_outbox_was_dropped_and_has_room() -> None:
    scene = await Scene(max_buffered=1).connected()
    scene.lose()
    await scene.uplink.send(message(0))
    first = asyncio.create_task(scene.uplink.send(message(1)))
    await first_turn(first)
    scene.session.connection_opened()
    scene.session.receive(encode_to_client(ToClientInit("another runner", -1, ProtocolMetadata(15_000))))
    second = asyncio.create_task(scene.uplink.send(message(2)))
    await first_turn(second)
    await scene.connect("another runner")
    await asyncio.gather(first, second)
    await turn()
    assert scene.socket.sent[-2:] == [message(1), message(2)]


@virtual_time
async def test_send_now_goes_beyond_the_bound_when_the_outbox_is_full() -> None:
    scene = await Scene(max_buffered=1).connected()
    scene.socket.congested = True
    for number in range(3):
        scene.uplink.send_now(message(number))
    scene.socket.congested = False
    scene.uplink.flush_now()
    assert scene.socket.writes == [[message(number) for number in range(3)]]


@virtual_time
async def test_no_write_is_scheduled_when_flushes_are_held() -> None:
    scene = await Scene().connected()
    scene.uplink.hold()
    await scene.uplink.send(message())
    scene.uplink.release()
    await turn()
    assert scene.socket.writes == []
    scene.uplink.flush_now()
    assert scene.socket.writes == [[message()]]


@virtual_time
async def test_flushed_returns_at_once_when_nothing_waits() -> None:
    scene = await Scene().connected()
    assert await scene.uplink.flushed(0)


@virtual_time
async def test_flushed_waits_for_what_came_before_it_when_the_transport_is_congested() -> None:
    scene = await Scene().connected()
    scene.socket.congested = True
    await scene.uplink.send(message())
    waiting = asyncio.create_task(scene.uplink.flushed(None))
    await first_turn(waiting)
    scene.socket.congested = False
    scene.socket.drained()
    assert await waiting


@virtual_time
async def test_flushed_is_false_when_the_time_is_up() -> None:
    scene = Scene()
    await scene.uplink.send(message())
    assert not await scene.uplink.flushed(5)


@virtual_time
async def test_flushed_ends_when_the_outbox_is_dropped() -> None:
    scene = await Scene().connected()
    scene.lose()
    await scene.uplink.send(message())
    waiting = asyncio.create_task(scene.uplink.flushed(None))
    await first_turn(waiting)
    await scene.connect("another runner")
    scene.uplink.outbox_dropped()
    assert await waiting


@virtual_time
async def test_events_flushed_waits_for_the_next_message_of_events_when_one_has_just_left() -> None:
    scene = await Scene().connected()
    loop = asyncio.get_running_loop()
    assert await scene.uplink.events_flushed(0)
    scene.uplink.report(EVENT)
    await turn()
    began = loop.time()
    scene.uplink.report(EVENT)
    assert not await scene.uplink.events_flushed(EVENT_SPACING / 2)
    assert await scene.uplink.events_flushed(10)
    assert loop.time() - began == pytest.approx(EVENT_SPACING)
    assert [len(sent.items) for sent in scene.socket.sent if isinstance(sent, ToServerEvents)] == [1, 1]


@virtual_time
async def test_a_connection_counts_only_while_it_lasts() -> None:
    scene = Scene()
    assert not scene.uplink.is_on(scene.uplink.connection_number)
    await scene.connect()
    first = scene.uplink.connection_number
    assert scene.uplink.is_on(first)
    scene.lose()
    assert not scene.uplink.is_on(first)
    await scene.connect()
    assert not scene.uplink.is_on(first)
    assert scene.uplink.is_on(scene.uplink.connection_number)


@virtual_time
async def test_lost_returns_when_the_connection_is_lost_or_the_time_is_up() -> None:
    scene = await Scene().connected()
    loop = asyncio.get_running_loop()
    began = loop.time()
    await scene.uplink.lost(5)
    assert loop.time() - began == 5
    loop.call_later(1, scene.lose)
    await scene.uplink.lost(5)
    assert loop.time() - began == 6
    await scene.connect()
    await scene.uplink.lost(5)
    assert loop.time() - began == 11


@virtual_time
async def test_messages_leave_all_the_same_when_the_engine_takes_none_for_long(caplog: pytest.LogCaptureFixture) -> None:
    scene = await Scene(rate=1e9).connected()
    for number in range(2 * WINDOW):
        await scene.uplink.send(message(number))
    await asyncio.sleep(BARRIER_TIMEOUT - 1)
    assert sum(isinstance(sent, ToServerTunnelMessage) for sent in scene.socket.sent) == WINDOW
    await asyncio.sleep(2)
    assert sum(isinstance(sent, ToServerTunnelMessage) for sent in scene.socket.sent) == 2 * WINDOW
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@virtual_time
async def test_a_growing_backlog_of_events_is_warned_of_once_when_it_is_not_confirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = await Scene().connected()
    for _ in range(EVENT_BACKLOG_WARNING + 10):
        scene.uplink.report(EVENT)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    await asyncio.sleep((EVENT_BACKLOG_WARNING / MAX_BATCH + 2) * EVENT_SPACING)
    scene.session.receive(encode_to_client(ToClientAckEvents(EVENT_BACKLOG_WARNING)))
    scene.uplink.report(EVENT)
    assert len(caplog.records) == 1
    for _ in range(EVENT_BACKLOG_WARNING):
        scene.uplink.report(EVENT)
    assert [record.levelno for record in caplog.records] == 2 * [logging.WARNING], "it had gone meanwhile"


@virtual_time
async def test_the_connection_is_made_anew_when_too_many_events_are_unconfirmed(caplog: pytest.LogCaptureFixture) -> None:
    scene = await Scene().connected()
    for _ in range(EVENT_BACKLOG_BOUND):
        scene.uplink.report(EVENT)
    assert scene.socket.aborts == 0, "those that were not sent do not count"
    await asyncio.sleep((EVENT_BACKLOG_BOUND / MAX_BATCH + 2) * EVENT_SPACING)
    assert scene.session.unconfirmed_events == EVENT_BACKLOG_BOUND
    scene.uplink.report(EVENT)
    assert scene.socket.aborts == 1
    assert caplog.records[-1].levelno == logging.ERROR
