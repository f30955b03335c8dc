"""Senders that wait because the outbox is full: their order, and what a cancellation does to it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rivet_runner import Actor, WebSocket
from rivet_runner.testing.scripted_engine import ClientWebSocket, RunnerConnection
from tests.support.scene import Scene, settle, started
from tests.support.virtual_time import virtual_time


async def full_outbox(current: Scene, connection: RunnerConnection) -> tuple[WebSocket, ClientWebSocket]:
    """A client's socket whose actor cannot send, as the engine is away and one message fills the outbox."""
    sockets: list[WebSocket] = []

    async def keep(_: Actor, ws: WebSocket) -> None:
        sockets.append(ws)
        async for _message in ws:
            pass

    current.runner.hooks["websocket"] = keep
    await current.actor(connection)
    client = connection.open_websocket()
    await client.opened()
    connection.abort()
    await connection.closed()
    await settle()
    await sockets[0].send("0")
    return sockets[0], client


@pytest.mark.parametrize("turns", range(20))
@pytest.mark.parametrize("victim", [pytest.param(1, marks=pytest.mark.slow), 3, pytest.param(5, marks=pytest.mark.slow)])
@virtual_time
async def test_a_message_is_sent_or_not_and_the_others_keep_their_order_when_a_send_is_cancelled(
    victim: int, turns: int
) -> None:
    """While nothing moves, and at each turn of the loop from the moment at which the engine is back."""
    async with started(max_buffered=1) as (current, connection):
        failures: list[dict[str, Any]] = []
        current.loop.set_exception_handler(lambda _, context: failures.append(context))
        ws, client = await full_outbox(current, connection)
        sends = [asyncio.create_task(ws.send(str(number))) for number in range(1, 6)]
        await settle()
        assert not any(send.done() for send in sends)
        if turns:
            second = await current.engine.accept()
            answer = asyncio.create_task(second.init())
            for _ in range(turns):
                await asyncio.sleep(0)
        sends[victim - 1].cancel()
        if not turns:
            await settle()
            assert [send.done() for send in sends] == [number == victim for number in range(1, 6)]
            second = await current.engine.accept()
            answer = asyncio.create_task(second.init())
        _, stuck = await asyncio.wait([answer, *sends], timeout=1)
        assert not stuck
        await ws.send("last")
        received = [await client.receive()]
        while received[-1] != "last":
            received.append(await client.receive())
        for number, send in enumerate(sends, 1):
            if send.cancelled():
                assert number == victim
                received = [message for message in received if message != str(number)]
            else:
                assert send.exception() is None
        sent = [str(number) for number in range(1, 6) if not sends[number - 1].cancelled()]
        assert received == ["0", *sent, "last"]
        assert failures == []


@virtual_time
async def test_the_outbox_admits_everyone_when_all_sends_but_the_last_are_cancelled() -> None:
    async with started(max_buffered=1) as (current, connection):
        ws, client = await full_outbox(current, connection)
        sends = [asyncio.create_task(ws.send(str(number))) for number in range(1, 101)]
        await settle()
        for send in sends[:-1]:
            send.cancel()
        await current.reconnected()
        await asyncio.wait_for(sends[-1], 1)
        assert [await client.receive() for _ in range(2)] == ["0", "100"]
