"""The connection breaks, or only seems to be there, and comes back in time: every actor goes on as it was."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.protocol.messages import ToServerKvRequest
from rivet_runner.testing.scripted_engine import RunnerConnection
from tests.faults.work import KEPT, PLAIN, Work, at_work, one_line_each
from tests.support.scene import init_times, settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


async def check_that_all_is_well(work: Work, connection: RunnerConnection) -> None:
    await work.check_that_it_went_on(connection)
    await work.check_that_all_works()
    await work.check_that_nothing_stays_behind()


@virtual_time
async def test_everything_goes_on_within_seconds_when_the_connection_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work() as work:
        work.connection.abort()
        await settle()
        cut = work.current.now
        await work.go_on_without_the_engine()
        second = await work.current.reconnected(last_event_idx=0)
        assert work.current.now - cut <= 1.26
        await check_that_all_is_well(work, second)
        assert work.runner.called("on_disconnected") == [(1006, "")]
        (line,) = one_line_each(caplog)
        assert line.startswith("the connection to the engine ended (1006 no reason): reconnecting in 1.")


@virtual_time
async def test_a_dead_connection_is_found_within_24_seconds_when_it_is_half_open(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work() as work:
        work.connection.stall()
        stalled = work.current.now
        while work.runner.connected:
            await asyncio.sleep(0.1)
        assert 12 < work.current.now - stalled <= 24.1
        await work.go_on_without_the_engine()
        second = await work.current.reconnected(last_event_idx=0)
        assert work.current.now - stalled <= 24 + 1.3
        work.current.engine.connections[0].resume()  # the engine's own end of it would stay for ever
        await check_that_all_is_well(work, second)
        assert work.runner.called("on_disconnected") == [(1006, "")]
        dead, reconnecting = one_line_each(caplog)
        assert dead == "no sign of life from the engine for 18 s: dropping the connection"
        assert "reconnecting in 1." in reconnecting


@virtual_time
async def test_nothing_is_lost_and_nothing_is_logged_when_the_engine_stalls_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with at_work() as work:
        work.current.engine.stall()
        work.kept.send("1")
        work.kept.send("2")
        work.runner.answer.set()
        await work.runner.sockets[PLAIN].send("from the stall")
        put = asyncio.create_task(work.actor.kv.put(b"during", b"the stall"))
        await asyncio.sleep(12)
        assert not put.done()
        assert work.plain.replies[1:] == []
        work.current.engine.resume()
        await settle()
        assert put.done()
        work.connection.answer_kv(await work.connection.receive(ToServerKvRequest))
        await work.put
        assert (await work.request.response()).status == 200
        assert await work.plain.receive() == "from the stall"
        assert work.runner.received[KEPT] == ["0", "1", "2"]
        await work.check_that_all_works()
        await work.check_that_nothing_stays_behind()
        assert work.runner.called("on_disconnected", "on_actor_stop") == []
        assert len(work.current.engine.dials) == 1
        assert one_line_each(caplog) == []


@virtual_time
async def test_the_runner_dials_until_it_is_answered_when_the_engine_stalls_for_longer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with at_work(kv_timeout=60) as work:
        engine = work.current.engine
        engine.stall()
        while work.runner.connected:
            await asyncio.sleep(0.1)
        await work.go_on_without_the_engine()
        await asyncio.sleep(12)
        engine.resume()
        resumed = work.current.now
        second = await work.current.reconnected(last_event_idx=0)
        assert work.current.now - resumed <= 2.6
        await check_that_all_is_well(work, second)
        dead, ended, dial = one_line_each(caplog)
        assert dead.startswith("no sign of life")
        assert ended.startswith("the connection to the engine ended")
        assert dial.startswith("cannot reach the engine at")
        assert dial.endswith("Is it running, and is RIVET_ENDPOINT right?")


@pytest.mark.parametrize("nobody_listens", [False, True], ids=["status 503", "no listener"])
@virtual_time
async def test_each_dial_is_one_line_and_everything_goes_on_when_dials_were_refused(
    nobody_listens: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work() as work:
        engine = work.current.engine
        if nobody_listens:
            await engine.stop()
        else:
            engine.refuse(503)
            work.connection.abort()
        await settle()
        await work.go_on_without_the_engine()
        await asyncio.sleep(6)
        if nobody_listens:
            await engine.start()
        else:
            engine.allow()
        allowed = work.current.now
        second = await work.current.reconnected(last_event_idx=0)
        assert work.current.now - allowed <= 4 * 1.25
        await check_that_all_is_well(work, second)
        assert work.runner.called("on_disconnected") == [(1006, "")]
        _, *dials = one_line_each(caplog)
        assert len(dials) == 2
        assert all(line.startswith(f"cannot reach the engine at {engine.endpoint} (") for line in dials)
        assert all("Is it running, and is RIVET_ENDPOINT right?" in line for line in dials)


@virtual_time
async def test_init_is_sent_again_and_everything_goes_on_when_it_was_not_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work() as work:
        work.connection.abort()
        await settle()
        await work.go_on_without_the_engine()
        second = await work.current.engine.accept()
        await asyncio.sleep(8.5)
        assert init_times(second) == pytest.approx([0, 4, 8], abs=0.1)
        assert len(second.received) == 3, "nothing but init"
        await second.init(last_event_idx=0)
        await settle()
        await check_that_all_is_well(work, second)
        assert len(work.runner.called("on_connected")) == 2
        assert len(one_line_each(caplog)) == 1, "the cut alone"


@virtual_time
async def test_the_connection_is_replaced_when_init_is_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(init_timeout=10) as work:
        work.connection.abort()
        await settle()
        await work.go_on_without_the_engine()
        second = await work.current.engine.accept()
        await second.closed(timeout=11)
        third = await work.current.reconnected(within=2.6, last_event_idx=0)
        await check_that_all_is_well(work, third)
        assert work.runner.called("on_disconnected") == [(1006, "")], "once, as the second was never accepted"
        _, unanswered, again = one_line_each(caplog)
        assert unanswered.endswith("accepted the connection but did not answer init within 10 s: reconnecting")
        assert "reconnecting in 2." in again
