"""Runners of protocol 7: checkpoints for each generation, pings, and the rest as on protocol 3."""

from __future__ import annotations

import asyncio

from rivet_runner.protocol import v7
from rivet_runner.protocol.messages import (
    ActorIntentSleep,
    ActorStateRunning,
    KvDeleteRangeRequest,
    KvDeleteResponse,
    KvGetRequest,
    KvPutRequest,
    KvPutResponse,
    ToClientPing,
    ToClientRequestStart,
    ToClientWebSocketMessage,
    ToClientWebSocketOpen,
    ToServerResponseStart,
    ToServerStopping,
    ToServerWebSocketMessage,
    ToServerWebSocketOpen,
)
from tests.conformance.bare import described, eventually
from tests.conformance.bare_v7 import bare_runner_7
from tests.conformance.benches import Bench

SLEEP = v7.EventActorIntent(ActorIntentSleep())


async def test_commands_of_each_generation_are_counted_from_zero(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        first, second = await runner.started(), await runner.started()
        assert await runner.command("start", first) == 0
        assert await runner.command("start", second) == 0
        runner.report(first, SLEEP)
        assert await runner.command("stop", first) == 1
        runner.stopped(first)
        await asyncio.sleep(0.5)
        asking = asyncio.create_task(bench.request(first, "GET", "/"))
        assert await runner.command("start", first, 1) == 0
        runner.running(first, 1)
        message_id, _ = await runner.tunnel(ToClientRequestStart)
        runner.reply(message_id, ToServerResponseStart(200, {}, b"ok", stream=False))
        assert (await asking).body == b"ok"


async def test_events_are_taken_once_and_never_out_of_turn(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        actor_id = await bench.create()
        await runner.command("start", actor_id)
        running = v7.EventActorStateUpdate(ActorStateRunning())
        runner.report(actor_id, running, index=5)
        await described(bench, actor_id, "connectable_ts")
        runner.report(actor_id, SLEEP, index=3)
        await asyncio.sleep(0.5)
        assert ("stop", actor_id, 0, 1) not in runner.commands
        runner.report(actor_id, SLEEP, index=6)
        assert await runner.command("stop", actor_id) == 1


async def test_commands_come_again_until_they_are_acknowledged(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        first, second = await runner.started(), await runner.started()
        runner.say(v7.ToServerAckCommands([v7.ActorCheckpoint(first, 0, 0)]))
        await asyncio.sleep(0.3)
        runner.link.abort()
        await runner.link.wait_ended()
        async with bare_runner_7(bench) as again:
            await again.command("start", second)
            assert again.commands == [("start", second, 0, 0)]


async def test_engine_pings(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        await eventually(lambda: len(runner.heard(ToClientPing)) >= 2, "two pings")
        assert runner.link.is_open


async def test_range_of_keys_is_deleted_up_to_its_end(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        actor_id = await runner.started()
        keys = [b"a", b"b", b"c"]
        assert isinstance(await runner.kv(actor_id, KvPutRequest(keys, [b"1", b"2", b"3"])), KvPutResponse)
        assert isinstance(await runner.kv(actor_id, KvDeleteRangeRequest(b"a", b"c")), KvDeleteResponse)
        left = await runner.kv(actor_id, KvGetRequest(keys))
        assert isinstance(left, v7.KvGetResponse)
        assert (list(left.keys), list(left.values)) == ([b"c"], [b"3"])
        assert left.metadata[0].update_ts > 1_600_000_000_000


async def test_websocket_passes_messages(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        actor_id = await runner.started()
        async with bench.websocket(actor_id, "/") as client:
            message_id, _ = await runner.tunnel(ToClientWebSocketOpen)
            runner.reply(message_id, ToServerWebSocketOpen(can_hibernate=True))
            await client.send("hello")
            _, message = await runner.tunnel(ToClientWebSocketMessage)
            assert (message.data, message.binary) == (b"hello", False)
            runner.reply(message_id, ToServerWebSocketMessage(b"back", binary=True))
            assert await client.recv() == b"back"


async def test_drain_stops_each_actor(bench: Bench) -> None:
    async with bare_runner_7(bench) as runner:
        actor_id = await runner.started()
        runner.say(ToServerStopping())
        assert await runner.command("stop", actor_id) == 1
        runner.stopped(actor_id)
        await asyncio.sleep(0.5)
        assert (await described(bench, actor_id, "sleep_ts"))["destroy_ts"] is None


async def test_newer_version_drains_the_older_runners(bench: Bench) -> None:
    async with bare_runner_7(bench, "old", version=1) as old:
        actor_id = await old.started(crash_policy="restart")
        async with bare_runner_7(bench, "new", version=2) as new:
            await old.command("stop", actor_id)
            old.stopped(actor_id)
            await new.command("start", actor_id, 1)
