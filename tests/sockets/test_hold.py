"""When the messages that wait for the gateway leave, and when they never do."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner._sockets.hold import Hold, Holds
from rivet_runner.protocol.messages import MessageId, ToServerTunnelMessage, ToServerWebSocketMessage
from tests.support.virtual_time import VirtualTimeLoop, virtual_time
from tests.support.wired_uplink import WiredUplink

MESSAGE = ToServerTunnelMessage(MessageId(bytes(4), bytes(4), 0), ToServerWebSocketMessage(b"held", False))


class Socket:
    """Holds one message back, and notes when it leaves, in seconds."""

    def __init__(self, holds: Holds) -> None:
        self.loop = asyncio.get_running_loop()
        self.began = self.loop.time()
        self.left: list[tuple[float, ToServerTunnelMessage]] = []
        self.hold = Hold(holds, self.release)
        self.hold.add(MESSAGE)

    def release(self) -> None:
        now = round(self.loop.time() - self.began, 3)
        self.left += [(now, message) for message in self.hold.end()]


@virtual_time
@pytest.mark.parametrize("restored", [False, True])
async def test_a_message_leaves_when_the_seconds_are_over_on_one_connection(restored: bool) -> None:
    wired = await WiredUplink().connected()
    socket = Socket(Holds(wired.uplink, lambda _: False))
    socket.hold.for_restore = restored
    socket.hold.release_after(1.0)
    await asyncio.sleep(2)
    assert socket.left == [(1.0, MESSAGE)]


@virtual_time
async def test_a_message_leaves_without_a_connection_when_the_request_before_it_has_left() -> None:
    wired = await WiredUplink().connected()
    socket = Socket(Holds(wired.uplink, lambda _: False))
    socket.hold.release_after(1.0)
    wired.lose()
    await asyncio.sleep(2)
    assert socket.left == [(1.0, MESSAGE)]


@virtual_time
async def test_a_message_waits_when_the_request_before_it_waits_for_a_connection() -> None:
    wired = await WiredUplink().connected()
    wired.lose()
    socket = Socket(Holds(wired.uplink, lambda _: False))
    wired.uplink.send_now(MESSAGE)
    socket.hold.release_after(1.0)
    await asyncio.sleep(5.5)
    assert socket.left == []
    wired.connect()
    await asyncio.sleep(10)
    assert socket.left == [(7.0, MESSAGE)]


@virtual_time
async def test_a_message_waits_for_the_seconds_anew_when_the_connection_of_a_restored_socket_is_another_one() -> None:
    wired = await WiredUplink().connected()
    socket = Socket(Holds(wired.uplink, lambda _: False))
    socket.hold.for_restore = True
    socket.hold.release_after(1.0)
    wired.lose()
    await asyncio.sleep(0.5)
    wired.connect()
    await asyncio.sleep(10)
    ((left_at, _),) = socket.left
    assert 1.5 <= left_at <= 3.0


@virtual_time
async def test_a_message_waits_when_the_engine_has_not_taken_what_was_sent_before() -> None:
    wired = await WiredUplink().connected()
    slow = True
    socket = Socket(Holds(wired.uplink, lambda _: slow))
    socket.hold.release_after(1.0)
    await asyncio.sleep(5.5)
    slow = False
    await asyncio.sleep(10)
    assert socket.left == [(7.0, MESSAGE)]


@virtual_time
@pytest.mark.parametrize("at", [0.01, 0.5, 0.99])
async def test_a_pause_of_the_process_hardly_counts_as_time_that_the_engine_has_had(at: float) -> None:
    wired = await WiredUplink().connected()
    socket = Socket(Holds(wired.uplink, lambda _: False))
    socket.hold.release_after(1.0)
    await asyncio.sleep(at)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.pause(5.0)
    await asyncio.sleep(10)
    ((left_at, _),) = socket.left
    assert 5.75 <= left_at <= 6.0


@virtual_time
async def test_a_message_leaves_at_once_when_the_actors_stop_waits_no_longer() -> None:
    wired = await WiredUplink().connected()
    holds = Holds(wired.uplink, lambda _: False)
    socket = Socket(holds)
    socket.hold.release_after(None)
    holds.release()
    assert socket.left == [(0.0, MESSAGE)]


@virtual_time
async def test_a_message_never_leaves_and_no_timer_is_left_when_the_actor_has_stopped_in_an_outage() -> None:
    wired = await WiredUplink().connected()
    holds = Holds(wired.uplink, lambda _: False)
    sockets = [Socket(holds), Socket(holds)]
    for socket in sockets:
        socket.hold.for_restore = True
        socket.hold.release_after(1.0)
    wired.lose()
    holds.close()
    sockets[0].hold.release_after(1.0)
    await asyncio.sleep(10)
    assert [socket.left for socket in sockets] == [[], []]
    assert asyncio.get_running_loop().timers == []  # type: ignore[attr-defined]
