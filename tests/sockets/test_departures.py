"""A client that closes while the engine is away: its handler ends soon after the reconnect, if that can be known."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner._sockets.departures import PROBED_AT_ONCE
from rivet_runner.testing.scripted_engine import ClientWebSocket
from tests.support.replaying import reconnected, replays_asked, rooms
from tests.support.virtual_time import virtual_time

SOON = 8.0
"""Virtual seconds after the reconnect."""


@virtual_time
async def test_the_handler_ends_soon_when_the_gateway_does_not_replay_what_was_not_acknowledged() -> None:
    async with rooms(2) as (current, runner, connection, [gone, silent], gateway):
        gateway.sockets = [silent]
        gone.send("last words")
        await asyncio.sleep(0.01)
        await reconnected(current, connection, [gone, silent])
        assert len(runner.actors["a1"].websockets) == 2
        await asyncio.sleep(SOON)
        assert [ws.path for ws in runner.actors["a1"].websockets] == ["/1"]
        assert runner.ended == [("/0", False, 1006, "ws.left_while_away")]


@virtual_time
async def test_the_handler_goes_on_when_the_gateway_replays() -> None:
    async with rooms(1) as (current, runner, connection, [client], _):
        client.send("0")
        await asyncio.sleep(0.01)
        await reconnected(current, connection, [client])
        await asyncio.sleep(SOON)
        client.send("1")
        await asyncio.sleep(1)
        assert runner.by_path["/0"] == ["0", "1"]
        assert client.acknowledged[-1] == 2


@virtual_time
async def test_nothing_is_acknowledged_before_the_gateway_has_replayed() -> None:
    async with rooms(1) as (current, _, connection, [client], gateway):
        gateway.sockets = []
        client.send("0")
        await asyncio.sleep(0.01)
        await reconnected(current, connection, [client])
        await asyncio.sleep(1)
        assert client.acknowledged == [], "an acknowledgement would take away what is to be replayed"
        gateway.sockets = [client]
        await asyncio.sleep(2)
        assert client.acknowledged == [1]


@virtual_time
async def test_the_look_is_taken_up_again_when_the_connection_is_lost_in_its_middle() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets = []
        client.send("0")
        await asyncio.sleep(0.01)
        second = await reconnected(current, connection, [client])
        await asyncio.sleep(0.5)
        asked = replays_asked(client)
        await reconnected(current, second, [client])
        assert runner.ended == []
        await asyncio.sleep(SOON)
        assert replays_asked(client) > asked
        assert runner.ended == [("/0", False, 1006, "ws.left_while_away")]


@virtual_time
async def test_a_client_stays_when_all_of_its_messages_were_acknowledged() -> None:
    async with rooms(1) as (current, runner, connection, [client], gateway):
        gateway.sockets = []
        client.send("0")
        await asyncio.sleep(1)
        await reconnected(current, connection, [client])
        await asyncio.sleep(60)
        assert len(runner.actors["a1"].websockets) == 1, "it cannot be told from a silent one"


@virtual_time
@pytest.mark.parametrize("left", [1, PROBED_AT_ONCE + 16])
async def test_every_departed_client_ends_when_there_are_many(left: int) -> None:
    async with rooms(PROBED_AT_ONCE + 16) as (current, runner, connection, clients, gateway):
        gone: list[ClientWebSocket] = clients[:left]
        gateway.sockets = clients[left:]
        for client in clients:
            client.send("x")
        await asyncio.sleep(0.01)
        await reconnected(current, connection, clients)
        await asyncio.sleep(60)
        here = {ws.path for ws in runner.actors["a1"].websockets}
        assert here == {f"/{number}" for number in range(len(gone), len(clients))}
