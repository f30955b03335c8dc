"""A handler that waits for a message is cancelled, or its socket closes, at the very moment at which the message comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from rivet_runner import Actor, WebSocket
from tests.support.scene import settle, started
from tests.support.virtual_time import virtual_time


async def by_wait_for(ws: WebSocket) -> str | bytes:
    return await asyncio.wait_for(ws.recv(), 3600)


async def by_timeout(ws: WebSocket) -> str | bytes:
    async with asyncio.timeout(3600):
        return await ws.recv()


@pytest.mark.parametrize("recv", [by_wait_for, by_timeout])
@virtual_time
async def test_no_message_is_lost_when_recv_is_cancelled_just_as_it_comes(
    recv: Callable[[WebSocket], Coroutine[object, object, str | bytes]],
) -> None:
    """One read brings a message for each of two handlers; the first handler cancels what the second waits with."""
    receiving: list[asyncio.Task[str | bytes]] = []
    received: list[str | bytes] = []

    async def websocket(actor: Actor, ws: WebSocket) -> None:
        if ws.path == "/cancels":
            await ws.recv()
            receiving[0].cancel()
            return
        receiving.append(asyncio.create_task(recv(ws)))
        await asyncio.wait(receiving)
        if not receiving[0].cancelled():
            received.append(receiving[0].result())  # before Python 3.12, `wait_for` prefers a result to its cancellation
        while len(received) < 2:
            received.append(await ws.recv())

    async with started({"websocket": websocket}) as (current, connection):
        await current.actor(connection)
        cancels, client = connection.open_websocket(path="/cancels"), connection.open_websocket(path="/receives")
        for socket in (cancels, client):
            await socket.opened()
        await settle()
        cancels.send("now")
        client.send("first")
        client.send("second")
        await settle()
    assert received == ["first", "second"]


@virtual_time
async def test_recv_ends_when_another_task_closes_the_socket() -> None:
    ended: list[str] = []

    async def websocket(actor: Actor, ws: WebSocket) -> None:
        asyncio.get_running_loop().call_later(1, actor.spawn, ws.close(1000, "enough"))
        async for _ in ws:
            pass
        ended.append(ws.close_reason or "")

    async with started({"websocket": websocket}) as (current, connection):
        await current.actor(connection)
        await connection.open_websocket().opened()
        await asyncio.sleep(2)
        assert ended == ["enough"]
