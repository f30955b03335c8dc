"""The end of a read: handlers go on, their replies leave in one write, and the next read is polled for."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from rivet_runner._connection.arrivals import Arrival
from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.reading import Reading
from rivet_runner.protocol.v3 import (
    MessageId,
    ToServerTunnelMessage,
    ToServerWebSocketMessage,
)
from tests.support.fake_socket import FakeSocket
from tests.support.wired_uplink import WiredUplink


def reply(text: bytes) -> ToServerTunnelMessage:
    return ToServerTunnelMessage(MessageId(b"gate", b"requ", 0), ToServerWebSocketMessage(text, True))


class WiredReading(WiredUplink):
    """An uplink whose connection a test reads from."""

    def __init__(self, busy_poll: BusyPoll | None = None) -> None:
        super().__init__()
        self.reading = Reading(self.uplink, busy_poll or BusyPoll(0))

    def connect(self, runner_id: str = "r1") -> FakeSocket:
        socket = super().connect(runner_id)
        self.reading.attach(socket.real)
        return socket

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
    wired = await WiredReading().connected()
    waiting = [wired.arrival() for _ in range(3)]
    handlers = [asyncio.create_task(wired.echo(arrival)) for arrival in waiting]
    await asyncio.sleep(0)

    def bring() -> None:
        for number, arrival in enumerate(waiting):
            wired.reading.arrivals.bring(arrival, b"%d" % number)

    assert await wired.read(bring) == [3], "before the read's turn has ended"
    assert wired.socket.sent == [reply(b"0"), reply(b"1"), reply(b"2")]
    await asyncio.gather(*handlers)
    await asyncio.sleep(0)
    assert len(wired.socket.writes) == 1


async def test_one_write_follows_the_tasks_when_a_read_has_started_some() -> None:
    wired = await WiredReading().connected()
    tasks: list[asyncio.Task[None]] = []

    def bring() -> None:
        wired.uplink.flush_soon()  # as an answered barrier does, before the tasks are made
        tasks.extend(asyncio.create_task(wired.uplink.send(reply(b"%d" % number))) for number in range(3))

    await wired.read(bring)
    assert [len(write) for write in wired.socket.writes] == [3], "in the turn in which the tasks ran"
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)
    assert len(wired.socket.writes) == 1


async def test_messages_leave_later_on_when_a_handler_ends_the_process_in_a_read() -> None:
    wired = await WiredReading().connected()
    arrival = wired.arrival()

    async def end_the_process() -> None:
        await arrival
        raise SystemExit(3)

    handler = asyncio.create_task(end_the_process())
    await asyncio.sleep(0)
    wired.reading.arrivals.bring(arrival, b"")
    with pytest.raises(SystemExit):
        await in_a_callback(wired.socket.read_done)
    assert isinstance(handler.exception(), SystemExit)
    await wired.uplink.send(reply(b"last words"))
    await asyncio.sleep(0)
    assert wired.socket.sent == [reply(b"last words")]


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
    wired = await WiredReading(BusyPoll(3, lambda: next(looks))).connected()
    await wired.read(lambda: None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert next(looks) == 1 + 3


async def test_what_gets_no_reply_is_acknowledged_at_once_when_there_is_a_connection() -> None:
    wired = await WiredReading().connected()
    wired.reading.got_answer()
    assert wired.socket.acknowledgements == 1
    wired.reading.detach()
    wired.reading.got_answer()
    assert wired.socket.acknowledgements == 1
