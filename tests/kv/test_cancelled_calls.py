"""A key-value call that is cancelled is forgotten, wherever it stands, and gives its slot back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest

from rivet_runner import Actor
from rivet_runner.protocol.v3 import ToServerKvRequest
from tests.support.scene import settle, started
from tests.support.traps import TURNS, Trap, at_each_await
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

KV_CALLS: Final[dict[str, Callable[[Actor], Coroutine[Any, Any, Any]]]] = {
    "get": lambda actor: actor.kv.get(b"k"),
    "put_many": lambda actor: actor.kv.put_many({b"a": b"1", b"b": b"2"}),
    "delete": lambda actor: actor.kv.delete(b"k"),
    "list": lambda actor: actor.kv.list(),
    "clear": lambda actor: actor.kv.clear(),
    "delete_range": lambda actor: actor.kv.delete_range(b"0", b"2"),
}


@TURNS
@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("name", KV_CALLS)
def test_a_call_is_forgotten_when_it_is_cancelled(name: str, away: bool, turns: int) -> None:
    async def scenario(trap: Trap) -> None:
        async with started() as (current, connection):
            actor = await current.actor(connection)
            await actor.kv.put_many({b"%03d" % number: b"" for number in range(100)})
            current.engine.kv.delay = 0.01
            if away:
                connection.abort()
                await connection.closed()
            trap.arm(lambda: call.cancel())
            call = asyncio.create_task(KV_CALLS[name](actor))
            await asyncio.wait([call], timeout=0.5)
            trap.disarm()
            if not away:
                connection.abort()
            second = await current.reconnected()
            if trap.sprung:
                assert call.cancelled() or call.exception() is None
                assert second.messages(ToServerKvRequest) == [], "a call was resent that nobody waits for"
            await call_all(actor)
            await asyncio.wait([call])

    at_each_await(scenario, turns)


async def call_all(actor: Actor) -> None:
    """More at once than calls may be under way: a slot that was not given back would be missed."""
    async with asyncio.timeout(30):
        await asyncio.gather(*(actor.kv.put(b"k", b"%d" % number) for number in range(32)))
        assert len(await actor.kv.get_many([b"k"])) == 1


@pytest.mark.slow
@virtual_time
async def test_calls_have_their_slots_when_thousands_were_cancelled() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        current.engine.kv.answering = False
        calls = [asyncio.create_task(actor.kv.get(b"k")) for _ in range(1500)]
        await settle()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        current.engine.kv.answering = True
        assert await asyncio.wait_for(asyncio.gather(*(actor.kv.get(b"k") for _ in range(1024))), 1) == [None] * 1024
