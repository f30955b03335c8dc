"""The runner or its actors have to end: once, in order, within the time promised, and with nothing left."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import KvError, RunnerEvicted, RunnerShutDown
from rivet_runner.protocol.messages import ActorStateRunning, StopCode, ToServerKvRequest, ToServerWebSocketClose
from rivet_runner.testing.scripted_engine import ClientWebSocket
from tests.faults.work import KEPT, PLAIN, at_work, one_line_each
from tests.support.scene import settle
from tests.support.virtual_time import virtual_time

pytestmark = pytest.mark.both_protocols


def closes(client: ClientWebSocket) -> list[ToServerWebSocketClose]:
    return [reply.message_kind for reply in client.replies if isinstance(reply.message_kind, ToServerWebSocketClose)]


@virtual_time
async def test_everything_ends_within_two_seconds_when_the_runner_is_evicted(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(max_buffered=1) as work:
        work.current.engine.kv.answering = False  # nor are the barriers answered that the pace waits for
        plain = work.runner.sockets[PLAIN]
        sends = [asyncio.create_task(plain.send(bytes(6 * 2**20))) for _ in range(4)]
        await settle()
        assert not all(send.done() for send in sends), "one waits for room"
        began = work.current.now
        await work.connection.close(1000, "ws.eviction#ray")
        with pytest.raises(RunnerEvicted, match="give each process a key of its own") as evicted:
            await work.runner.wait_closed()
        assert work.current.now - began < 2
        assert not evicted.value.drained
        await work.check_that_it_ended()
        assert work.runner.cancelled == ["/slow"]
        assert isinstance(work.put.exception(), KvError)
        outcomes = await asyncio.wait_for(asyncio.gather(*sends, return_exceptions=True), 1)
        assert {type(outcome) for outcome in outcomes} == {type(None), RunnerShutDown}, "no sender waits for ever"
        assert sorted(call.hook for call in work.runner.calls[-3:]) == ["on_actor_stop", "on_disconnected", "on_shutdown"]
        await asyncio.sleep(120)
        assert len(work.current.engine.dials) == 1
        assert all(line.startswith("[actor a1] ") for line in one_line_each(caplog)), "about what it had under way"
        assert work.current.loop.timers == []  # type: ignore[attr-defined]


@virtual_time
async def test_actors_end_once_and_the_runner_returns_when_it_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(actor_stop_timeout=5) as work:
        work.kept.send("not stored yet")
        await settle()
        work.current.engine.refuse(503)
        work.connection.abort()
        await settle()
        lost = work.current.now
        waiting = asyncio.create_task(work.actor.kv.get(b"key"))
        await asyncio.sleep(14.9)
        assert work.runner.called("on_actor_stop") == []
        await asyncio.sleep(0.2)
        assert isinstance(work.put.exception(), KvError)
        assert isinstance(waiting.exception(), KvError)
        assert sorted(work.runner.ended) == [KEPT, PLAIN]
        assert work.runner.called("on_actor_stop") == [("a1", 1)]
        await asyncio.sleep(5)
        await work.check_that_it_ended()
        assert work.runner.times("on_actor_stop")[0] - work.current.began - lost == pytest.approx(15, abs=0.1)
        assert work.runner.cancelled == ["/slow"]
        work.current.engine.allow()
        second = await work.current.reconnected(last_event_idx=0)
        assert (await second.stopped("a1")).code is StopCode.ERROR
        assert work.request.replies == []
        assert closes(work.plain) == closes(work.kept) == []
        await work.current.actor(second, generation=2)
        assert (await second.request(path="/after").response()).status == 200
        work.current.expect_error("it counts this runner's 1 actors as lost; they are stopped here")
        lines = one_line_each(caplog)
        assert sum("as lost" in line for line in lines) == 1
        assert sum("could not be stored" in line for line in lines) <= 1, "the records are another runner's by now"


@virtual_time
async def test_work_is_finished_and_clients_stay_when_the_engine_drains_the_runner(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work() as work:
        work.current.engine.kv.answering = True
        work.connection.answer_kv(await work.connection.receive(ToServerKvRequest))
        await work.put
        work.connection.stop_actor()
        await asyncio.sleep(1)
        assert work.runner.called("on_actor_stop") == [("a1", 1)]
        assert isinstance(work.connection.events[-1].event, ActorStateRunning), "a request is still under way"
        work.runner.answer.set()
        await work.connection.stopped("a1")
        assert (await work.request.response()).status == 200
        await work.check_that_it_ended()
        assert closes(work.kept) == [], "its client stays"
        assert [(close.code, close.reason, close.hibernate) for close in closes(work.plain)] == [
            (1000, "actor.stopped", False)
        ]
        await work.connection.close(1000, "ws.eviction#ray")
        with pytest.raises(RunnerEvicted, match="a newer version takes its actors") as evicted:
            await work.runner.wait_closed()
        assert evicted.value.drained
        assert work.runner.cancelled == []
        assert one_line_each(caplog) == []


@virtual_time
async def test_the_runner_says_what_to_do_and_tries_on_when_its_token_is_revoked(caplog: pytest.LogCaptureFixture) -> None:
    async with at_work(token="s3cr3t", actor_stop_timeout=5) as work:
        work.connection.abort()
        second = await work.current.engine.accept()
        await second.close(1011, "api.forbidden#ray7")
        for _ in range(2):
            before = work.current.now
            again = await work.current.engine.accept(timeout=60)
            assert 30 <= work.current.now - before <= 37.6
            await again.close(1011, "api.forbidden#ray7")
        await work.check_that_it_ended()
        back = await work.current.reconnected(within=38, last_event_idx=0)
        await work.current.actor(back, generation=2)
        assert (await back.request(path="/after").response()).status == 200
        assert work.runner.called("on_disconnected") == [(1006, "")], "refused connections are not the runner's"
        lines = [line for line in one_line_each(caplog) if "token" in line]
        endpoint = work.current.engine.endpoint
        assert len(lines) == 3
        for line in lines:
            assert line.startswith(f"the engine at {endpoint} refused the token: correct `token` (RIVET_TOKEN)")
            assert "ray7" in line
            assert "retrying in 3" in line
            assert "s3cr3t" not in line
            work.current.expect_error("refused the token")
        work.current.expect_error("as lost")
