"""Every row of the close table, with a connection that was up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

from rivet_runner import EngineRejected, RunnerEvicted, RunnerShutDown
from rivet_runner.protocol.messages import ToClientClose
from tests.support.scene import scene, settle, started
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols

REJECTIONS = ["namespace.not_found", "guard.missing_header", "api.forbidden", "ws.invalid_url"]


@virtual_time
async def test_the_runner_is_down_and_says_evicted_when_it_is_evicted() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        await connection.close(1000, "ws.eviction#ray1")
        before = current.now
        with pytest.raises(RunnerEvicted, match="another runner"):
            await current.runner.wait_closed()
        assert current.now - before < 2
        assert current.runner.called("on_disconnected") == [(1000, "ws.eviction#ray1")]
        assert current.runner.called("on_actor_stop") == [("a1", 1)]
        await asyncio.sleep(120)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_wait_closed_says_evicted_again_when_it_is_asked_again() -> None:
    async with started() as (current, connection):
        await connection.close(1011, "ws.eviction")
        for _ in range(2):
            with pytest.raises(RunnerEvicted):
                await current.runner.wait_closed()


@virtual_time
async def test_the_end_is_clean_when_the_engine_shuts_the_runner_down() -> None:
    async with started() as (current, connection):
        await current.actor(connection)
        await connection.close(1000, "pegboard.runner_shutdown")
        before = current.now
        await current.runner.wait_closed()
        assert current.now - before < 2
        assert current.runner.called("on_disconnected") == [(1000, "pegboard.runner_shutdown")]
        await asyncio.sleep(120)
        assert len(current.engine.dials) == 1


@virtual_time
async def test_start_says_evicted_when_that_happens_before_init() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await connection.close(1000, "ws.eviction")
        with pytest.raises(RunnerEvicted):
            await starting


@virtual_time
async def test_start_says_shut_down_when_the_engine_wants_that_before_init() -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await connection.close(1000, "pegboard.runner_shutdown")
        with pytest.raises(RunnerShutDown):
            await starting
        await current.runner.wait_closed()


@virtual_time
async def test_the_runner_is_back_at_once_when_the_engine_goes_away() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        await connection.close(1011, "ws.going_away#r")
        before = current.now
        await current.reconnected()
        assert current.now - before < 0.3
        assert current.runner.connected
        assert current.runner.called("on_disconnected") == [(1011, "ws.going_away#r")]


@virtual_time
async def test_the_back_off_is_the_ordinary_one_when_the_engine_that_goes_away_stays_away() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        current.engine.refuse(503)
        await connection.close(1011, "ws.going_away")
        began = current.loop.time()
        await asyncio.sleep(30)
        waits = _waits([began, *(dial.time for dial in current.engine.dials[1:])])
        assert waits[0] <= 0.25
        assert 1 <= waits[1] <= 2.5
        assert all(later >= earlier * 1.5 for earlier, later in itertools.pairwise(waits[1:]))


@virtual_time
async def test_there_is_no_storm_when_the_engine_goes_away_each_time() -> None:
    async with scene() as current:
        starting = asyncio.create_task(current.runner.start())

        async def go_away() -> None:
            while True:
                connection = await current.engine.accept(timeout=600)
                await connection.init()
                await connection.close(1011, "ws.going_away")

        script = asyncio.create_task(go_away())
        await starting
        await asyncio.sleep(120)
        assert len(current.engine.dials) < 10
        script.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await script


@pytest.mark.parametrize("reason", REJECTIONS)
@virtual_time
async def test_start_raises_when_the_engine_rejects_the_runner_before_init(reason: str) -> None:
    async with scene() as current:
        starting, connection = await current.starting()
        await connection.close(1011, f"{reason}#ray7")
        with pytest.raises(EngineRejected) as caught:
            await starting
        assert f"{caught.value.group}.{caught.value.error}" == reason
        assert caught.value.ray_id == "ray7"
        assert current.engine.endpoint in str(caught.value)
        assert current.runner.called("on_disconnected", "on_connected") == []
        with pytest.raises(EngineRejected):
            await current.runner.wait_closed()
        await asyncio.sleep(120)
        assert len(current.engine.dials) == 1


@pytest.mark.parametrize("reason", REJECTIONS)
@virtual_time
async def test_the_runner_tries_again_slowly_when_the_engine_rejects_it_after_a_success(reason: str) -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        await connection.close(1011, reason)
        for _ in range(2):
            before = current.now
            connection = await current.engine.accept(timeout=60)
            assert 30 <= current.now - before <= 37.6
            current.expect_error(reason)
            await connection.close(1011, reason)
        await current.reconnected()
        current.expect_error(reason)
        assert current.runner.connected
        assert current.runner.called("on_disconnected") == [(1011, reason)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1011, "ws.invalid_packet#r"),
        (1000, ""),
        (1011, "no form at all"),
        (1001, "a.b.c"),
        (3000, "ws.eviction.not"),
        (4999, "#"),
    ],
)
@virtual_time
async def test_the_runner_is_back_after_a_second_when_the_reason_is_unknown_or_malformed(code: int, reason: str) -> None:
    async with started() as (current, connection):
        actor = await current.actor(connection)
        await asyncio.sleep(10)
        await connection.close(code, reason)
        before = current.now
        await current.reconnected(last_event_idx=0)
        assert 1 <= current.now - before <= 1.26
        assert current.runner.called("on_disconnected") == [(code, reason)]
        assert current.runner.get_actor("a1") is actor
        assert current.runner.called("on_actor_stop") == []


@virtual_time
async def test_the_code_is_1006_when_there_is_no_close_frame() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        connection.abort()
        await settle()
        assert not current.runner.connected
        before = current.now
        await current.reconnected()
        assert 1 <= current.now - before + 0.001 <= 1.26
        assert current.runner.called("on_disconnected") == [(1006, "")]


@pytest.mark.only_protocol(3)
@virtual_time
async def test_the_connection_is_made_anew_when_the_engine_asks_for_its_close() -> None:
    async with started() as (current, connection):
        await asyncio.sleep(10)
        connection.send(ToClientClose())
        await connection.closed()
        await current.reconnected()
        assert current.runner.connected


def _waits(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]
