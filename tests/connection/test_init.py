"""Init on each connection: sent first and alone, sent again, and how long its answer may take."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.protocol import v3
from tests.support.scene import init_times, scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


@virtual_time
async def test_the_first_init_is_sent_again_after_4_and_8_seconds_when_its_answer_is_lost() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await asyncio.sleep(30)
        assert init_times(connection) == pytest.approx([0, 4, 8], abs=0.1)
        assert len({message for _, message in connection.received}) == 1, "three times the same, and nothing else"
        await connection.init()
        await starting


@virtual_time
async def test_a_second_answer_changes_nothing_when_both_inits_were_answered() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await asyncio.sleep(5)
        await connection.init("r1")
        await starting
        await connection.init("r1")
        await asyncio.sleep(10)
        assert len(init_times(connection)) == 2
        assert len(current.runner.called("on_connected")) == 1
        assert connection.is_open


@virtual_time
async def test_the_connection_is_replaced_when_init_is_not_answered_in_time() -> None:
    async with scene(init_timeout=20) as current:
        starting, first = await current.starting()
        assert await first.closed(timeout=30) == (1006, "")
        assert first.closed_at is not None
        assert first.closed_at - first.opened_at == pytest.approx(20, abs=0.1)
        second = await current.engine.accept()
        assert 1 <= second.opened_at - first.closed_at <= 1.3
        await second.init()
        await starting
        assert current.runner.called("on_disconnected") == []
        await asyncio.sleep(60)
        assert second.is_open, "the init timer goes on after init"


@virtual_time
async def test_the_first_init_may_take_half_a_minute_when_the_engine_was_restarted() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        connection.abort()
        second = await current.engine.accept()
        await asyncio.sleep(30)
        await second.init("r2")
        await settle()
        assert current.runner.connected
        assert second.is_open
        assert len(current.engine.connections) == 2


@virtual_time
async def test_the_same_key_is_sent_when_the_runner_comes_back() -> None:
    async with started() as (current, connection):
        connection.abort()
        second = await current.engine.accept()
        assert second.query == connection.query
        assert second.query["protocol_version"] in ("3", "7")


@pytest.mark.only_protocol(3)
@virtual_time
async def test_the_last_command_index_is_sent_when_the_runner_comes_back() -> None:
    async with started() as (current, connection):
        connection.start_actor("a1", index=41)
        await connection.running("a1")
        connection.abort()
        second = await current.engine.accept()
        hello = await second.receive(v3.ToServerInit)
        assert hello.last_command_idx == 41


@virtual_time
async def test_nothing_but_init_is_sent_when_init_is_not_answered_yet() -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        exchange = connection.request()
        await exchange.response()
        connection.abort()
        await settle()
        await actor.set_alarm(None)
        put = asyncio.create_task(actor.kv.put(b"k", b"v"))
        second = await current.engine.accept()
        await asyncio.sleep(8)
        assert len(init_times(second)) == len(second.received), "init, and init again"
        await second.init(last_event_idx=0)
        await put
