"""One client's WebSocket: no message is lost between the tunnel and the handler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from rivet_runner import Request, WebSocket
from rivet_runner._connection.arrivals import Arrivals
from rivet_runner._sockets.socket import ClientSocket
from rivet_runner.protocol.v3 import ToClientWebSocketMessage

T = TypeVar("T")


async def from_the_loop(call: Callable[[], T]) -> T:
    """Call it as a read would: by the event loop, and not within a task."""
    done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(lambda: done.set_result(call()))
    return await done


def open_websocket(arrivals: Arrivals) -> ClientSocket:
    uplink: Any = SimpleNamespace()
    ws = ClientSocket(b"gateway1", Request("GET", "/", {}, b""), uplink, arrivals, max_payload=1000)
    ws.open()
    return ws


async def by_wait_for(ws: WebSocket) -> str | bytes:
    return await asyncio.wait_for(ws.recv(), 3600)


async def by_timeout(ws: WebSocket) -> str | bytes:
    async with asyncio.timeout(3600):
        return await ws.recv()


@pytest.mark.parametrize("recv", [by_wait_for, by_timeout])
async def test_no_message_is_lost_when_recv_is_cancelled_just_as_it_comes(
    recv: Callable[[WebSocket], Coroutine[Any, Any, str | bytes]],
) -> None:
    arrivals = Arrivals()
    ws = open_websocket(arrivals)
    task = asyncio.create_task(recv(ws))
    for _ in range(3):
        await asyncio.sleep(0)
    ws.message_arrived(1, ToClientWebSocketMessage(b"first", True))
    ws.message_arrived(2, ToClientWebSocketMessage(b"second", True))
    task.cancel()
    await from_the_loop(arrivals.resume)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [await ws.recv(), await ws.recv()] == [b"first", b"second"]


async def test_recv_ends_when_the_peer_closes_outside_of_a_read() -> None:
    ws = open_websocket(Arrivals())
    task = asyncio.create_task(anext(ws, "the end"))
    await asyncio.sleep(0)
    ws.peer_closed(1000, "")
    async with asyncio.timeout(1):
        assert await task == "the end"
