"""The end of a read: handlers go on, their replies leave in one write, and the next read is polled for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from rivet_runner._connection.arrivals import Arrival
from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.reading import Reading
from rivet_runner._connection.uplink import Uplink
from rivet_runner._session.pace import Pace
from rivet_runner._session.session import Session
from rivet_runner.protocol.v3 import (
    MessageId,
    ProtocolMetadata,
    ToClientInit,
    ToServerInit,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
    encode_to_client,
)
from tests.support.fake_socket import FakeSocket


def reply(text: bytes) -> ToServerTunnelMessage:
    return ToServerTunnelMessage(MessageId(b"gate", b"requ", 0), ToServerWebSocketMessage(text, True))


class Scene:
    """A connection whose init was answered; a test plays the read."""

    def __init__(self, busy_poll: BusyPoll | None = None) -> None:
        session = Session(ToServerInit("n", 1, 1, None, None, None), max_buffered=1_000_000, pace=Pace(0, lambda: "a1"))
        self.uplink = Uplink(session)
        self.reading = Reading(self.uplink, busy_poll or BusyPoll(0))
        self.socket = FakeSocket()
        session.connection_opened()
        self.uplink.attach(self.socket.real)
        self.reading.attach(self.socket.real)
        session.receive(encode_to_client(ToClientInit("r1", -1, ProtocolMetadata(15_000))))
        self.uplink.flush_now()
        self.socket.writes.clear()

    def arrival(self) -> Arrival[bytes]:
        return Arrival(loop=self.reading.arrivals.loop)

    async def echo(self, arrival: Arrival[bytes]) -> None:
        await self.uplink.send(reply(await arrival))

    async def read(self, bring: Callable[[], object]) -> list[int]:
        """A read that brings what ``bring`` hands over; return how many messages each write had by its end."""

        def in_the_loop() -> None:
            try:
                bring()
                self.socket.read_done()
            finally:
                ended.set_result([len(write) for write in self.socket.writes])

        loop = asyncio.get_running_loop()
        ended: asyncio.Future[list[int]] = loop.create_future()
        loop.call_soon(in_the_loop)
        return await ended


async def test_replies_leave_in_one_write_when_handlers_get_their_messages_from_a_read() -> None:
    scene = Scene()
    waiting = [scene.arrival() for _ in range(3)]
    handlers = [asyncio.create_task(scene.echo(arrival)) for arrival in waiting]
    await asyncio.sleep(0)

    def bring() -> None:
        for number, arrival in enumerate(waiting):
            scene.reading.arrivals.bring(arrival, b"%d" % number)

    assert await scene.read(bring) == [3], "before the read's turn has ended"
    assert scene.socket.sent == [reply(b"0"), reply(b"1"), reply(b"2")]
    await asyncio.gather(*handlers)
    await asyncio.sleep(0)
    assert len(scene.socket.writes) == 1


async def test_one_write_follows_the_tasks_when_a_read_has_started_some() -> None:
    scene = Scene()
    tasks: list[asyncio.Task[None]] = []

    def bring() -> None:
        scene.uplink.flush_soon()  # as an answered barrier does, before the tasks are made
        tasks.extend(asyncio.create_task(scene.uplink.send(reply(b"%d" % number))) for number in range(3))

    await scene.read(bring)
    assert [len(write) for write in scene.socket.writes] == [3], "in the turn in which the tasks ran"
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)
    assert len(scene.socket.writes) == 1


async def test_messages_leave_later_on_when_a_handler_ends_the_process_in_a_read() -> None:
    scene = Scene()
    arrival = scene.arrival()

    async def end_the_process() -> None:
        await arrival
        raise SystemExit(3)

    handler = asyncio.create_task(end_the_process())
    await asyncio.sleep(0)
    scene.reading.arrivals.bring(arrival, b"")
    with pytest.raises(SystemExit):
        await in_a_callback(scene.socket.read_done)
    assert isinstance(handler.exception(), SystemExit)
    await scene.uplink.send(reply(b"last words"))
    await asyncio.sleep(0)
    assert scene.socket.sent == [reply(b"last words")]


async def in_a_callback(call: Callable[[], None]) -> None:
    """Call it as the loop does, outside of every task, and raise here what it raises."""
    errors: list[BaseException] = []
    done = asyncio.Event()

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)
        done.set()

    asyncio.get_running_loop().call_soon(run)
    await done.wait()
    for error in errors:
        raise error


async def test_the_next_read_is_polled_for_when_one_has_ended() -> None:
    looks = itertools.count()
    scene = Scene(BusyPoll(3, lambda: next(looks)))
    await scene.read(lambda: None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert next(looks) == 1 + 3


async def test_what_gets_no_reply_is_acknowledged_at_once_when_there_is_a_connection() -> None:
    scene = Scene()
    scene.reading.got_answer()
    assert scene.socket.acknowledgements == 1
    scene.reading.detach()
    scene.reading.got_answer()
    assert scene.socket.acknowledgements == 1
