"""Connections of runners, commands, events and the key-value store, at the level of messages."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner.protocol.v3 import (
    ActorIntentSleep,
    ActorIntentStop,
    CommandStartActor,
    CommandStopActor,
    KvDeleteRequest,
    KvErrorResponse,
    KvGetRequest,
    KvGetResponse,
    KvListAllQuery,
    KvListPrefixQuery,
    KvListRangeQuery,
    KvListRequest,
    KvListResponse,
    KvPutRequest,
    KvPutResponse,
    KvRequestData,
    ToClientCommands,
    ToClientInit,
    ToServerAckCommands,
    ToServerPing,
    ToServerStopping,
)
from tests.conformance.bare import bare_runner, described, eventually
from tests.conformance.benches import Bench


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "close"),
        [
            ({"namespace": "nowhere"}, (1011, "namespace.not_found")),
            ({"protocol_version": "x"}, (1011, "ws.invalid_url")),
        ],
    )
    async def test_connection_is_refused_when_its_query_is_wrong(
        self, bench: Bench, query: dict[str, str], close: tuple[int, str]
    ) -> None:
        async with bare_runner(bench, init=False, **query) as runner:
            assert await runner.closed() == close

    async def test_connection_is_refused_when_the_first_message_is_not_init(self, bench: Bench) -> None:
        async with bare_runner(bench, init=False) as runner:
            runner.say(ToServerPing(0))
            assert await runner.closed() == (1011, "ws.invalid_initial_packet")

    async def test_connection_is_refused_when_the_first_message_is_garbage(self, bench: Bench) -> None:
        async with bare_runner(bench, init=False) as runner:
            runner.link.send_frames([b"\xff\xff\xff"])
            assert await runner.closed() == (1011, "ws.invalid_packet")

    async def test_connection_is_refused_when_init_does_not_come(self, bench: Bench) -> None:
        async with bare_runner(bench, init=False) as runner:
            assert await runner.closed() == (1011, "ws.timed_out_waiting_for_init")


class TestIdentity:
    async def test_newcomer_evicts_and_keeps_the_id_when_name_and_key_are_the_same(self, bench: Bench) -> None:
        async with bare_runner(bench) as first, bare_runner(bench) as second:
            assert await first.closed() == (1000, "ws.eviction")
            assert first.heard(ToClientInit)[0].runner_id == second.heard(ToClientInit)[0].runner_id

    async def test_init_is_answered_again_with_what_was_not_acknowledged(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actors = [await bench.create() for _ in range(3)]
            for actor_id in actors:
                await runner.command(CommandStartActor, actor_id)
            runner.say(ToServerAckCommands(0))
            await asyncio.sleep(0.3)
            before = len(runner.heard(ToClientCommands))
            await runner.init(last_command_idx=1)
            [again] = runner.heard(ToClientCommands)[before:]
            assert [wrapper.index for wrapper in again.items] == [2]

    async def test_event_index_is_remembered_over_a_reconnect(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            assert runner.heard(ToClientInit)[0].last_event_idx == -1
            await runner.started(bench)
        async with bare_runner(bench) as again:
            assert again.heard(ToClientInit)[0].last_event_idx == 0


class TestActors:
    async def test_actor_is_started_with_what_it_was_created_with(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await bench.create(key=bench.runner_name, input=b"\x00\xff")
            command = await runner.command(CommandStartActor, actor_id)
            assert (command.config.name, command.config.key) == ("a", bench.runner_name)
            assert command.config.input == b"\x00\xff"
            assert command.hibernating_requests == []

    async def test_actor_sleeps_after_its_intent_and_stop(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            assert (await bench.describe(actor_id))["connectable_ts"] is not None
            runner.intends(actor_id, ActorIntentSleep())
            await runner.command(CommandStopActor, actor_id)
            assert (await described(bench, actor_id, "sleep_ts"))["connectable_ts"] is None
            runner.stopped(actor_id)
            await asyncio.sleep(0.3)
            assert (await bench.describe(actor_id))["destroy_ts"] is None

    async def test_actor_is_destroyed_when_it_stops_without_being_asked(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            runner.stopped(actor_id)
            await described(bench, actor_id, "destroy_ts")

    async def test_actor_is_destroyed_after_its_stop_intent(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            runner.intends(actor_id, ActorIntentStop())
            await runner.command(CommandStopActor, actor_id)
            runner.stopped(actor_id)
            await described(bench, actor_id, "destroy_ts")

    async def test_crash_ends_as_the_policy_says(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            sleeps = await runner.started(bench, crash_policy="sleep")
            restarts = await runner.started(bench, crash_policy="restart")
            ends = await runner.started(bench, crash_policy="destroy")
            for actor_id in (sleeps, restarts, ends):
                runner.stopped(actor_id, error="boom")
                await asyncio.sleep(0.3)
            await runner.command(CommandStartActor, restarts, 1)
            slept = await described(bench, sleeps, "sleep_ts", "error")
            assert slept["error"] == {"crashed": {"message": "boom"}}
            await described(bench, ends, "destroy_ts")

    async def test_second_restart_is_delayed_by_two_seconds(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench, crash_policy="restart")
            runner.stopped(actor_id, error="boom")
            await runner.command(CommandStartActor, actor_id, 1)
            runner.running(actor_id, 1)
            await asyncio.sleep(0.3)
            loop = asyncio.get_running_loop()
            stopped_at = loop.time()
            runner.stopped(actor_id, 1, error="boom")
            await runner.command(CommandStartActor, actor_id, 2)
            assert loop.time() - stopped_at > 1.7

    async def test_alarm_that_is_sent_with_the_sleep_wakes_the_actor(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            described = await bench.describe(actor_id)
            runner.intends(actor_id, ActorIntentSleep(), alarm_ts=described["create_ts"])
            await runner.command(CommandStopActor, actor_id)
            runner.stopped(actor_id)
            await runner.command(CommandStartActor, actor_id, 1)

    async def test_deleted_actor_is_stopped_and_its_answer_is_not_waited_for(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            await bench.destroy(actor_id)
            assert (await bench.describe(actor_id))["destroy_ts"] is not None
            await runner.command(CommandStopActor, actor_id)

    async def test_actor_sleeps_with_no_capacity_when_there_is_no_runner(self, bench: Bench) -> None:
        found = await described(bench, await bench.create(), "sleep_ts", "error")
        assert (found["error"], found["connectable_ts"]) == ("no_capacity", None)

    async def test_actor_waits_for_a_runner_when_its_policy_is_restart(self, bench: Bench) -> None:
        actor_id = await bench.create(crash_policy="restart")
        assert (await described(bench, actor_id, "pending_allocation_ts", "error"))["error"] == "no_capacity"
        async with bare_runner(bench) as runner:
            await runner.command(CommandStartActor, actor_id)

    async def test_draining_runner_gets_stop_commands_and_its_actors_sleep(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            runner.say(ToServerStopping())
            await runner.command(CommandStopActor, actor_id)
            runner.stopped(actor_id)
            await asyncio.sleep(0.5)
            assert (await described(bench, actor_id, "sleep_ts"))["destroy_ts"] is None


def listing(query: KvListAllQuery | KvListPrefixQuery | KvListRangeQuery, reverse: bool = False) -> KvListRequest:
    return KvListRequest(query, reverse, None)


class TestKv:
    async def test_requests_do_what_they_say(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            keys = [b"b", b"", b"a", b"a\xff", b"\xff"]
            assert await runner.kv(actor_id, KvPutRequest(keys, keys)) == KvPutResponse()
            got = await runner.kv(actor_id, KvGetRequest([b"b", b"no", b"a", b"a", b"b"]))
            assert isinstance(got, KvGetResponse)
            assert got.keys == [b"b", b"a", b"b"]
            expected: list[tuple[KvListRequest, list[bytes]]] = [
                (listing(KvListAllQuery()), [b"", b"a", b"a\xff", b"b", b"\xff"]),
                (listing(KvListAllQuery(), reverse=True), [b"\xff", b"b", b"a\xff", b"a", b""]),
                (listing(KvListPrefixQuery(b"a")), [b"a"]),
                (listing(KvListPrefixQuery(b"")), [b"", b"a", b"a\xff", b"b"]),
                (listing(KvListRangeQuery(b"a", b"b", exclusive=False)), [b"a", b"a\xff", b"b"]),
                (listing(KvListRangeQuery(b"a", b"b", exclusive=True)), [b"a", b"a\xff"]),
                (listing(KvListRangeQuery(b"b", b"a", exclusive=False)), []),
                (KvListRequest(KvListAllQuery(), None, 2), [b"", b"a"]),
                (KvListRequest(KvListAllQuery(), None, 0), []),
            ]
            for request, wanted in expected:
                answer = await runner.kv(actor_id, request)
                assert isinstance(answer, KvListResponse)
                assert answer.keys == wanted, request

    async def test_get_gives_a_key_once_when_only_missing_keys_stand_between_its_repeats(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            await runner.kv(actor_id, KvPutRequest([b"a"], [b"1"]))
            got = await runner.kv(actor_id, KvGetRequest([b"a", b"no", b"a"]))
            assert isinstance(got, KvGetResponse)
            assert got.keys == [b"a"]

    @pytest.mark.parametrize("size", [10_000, 10_001, 20_000, 25_000])
    async def test_reverse_list_gives_the_last_piece_of_a_value(self, bench: Bench, size: int) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            value = bytes(number % 251 for number in range(size))
            await runner.kv(actor_id, KvPutRequest([b"a"], [value]))
            answer = await runner.kv(actor_id, listing(KvListAllQuery(), reverse=True))
            assert isinstance(answer, KvListResponse)
            assert answer.values == [value[(size - 1) // 10_000 * 10_000 :]]

    async def test_requests_are_refused_at_the_same_limits(self, bench: Bench) -> None:
        long, longest = b"k" * 2047, b"k" * 2046
        many = [b"%d" % number for number in range(129)]
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            refused: list[tuple[KvRequestData, str]] = [
                (KvPutRequest([b"a"], []), "transaction failed"),
                (KvPutRequest(many, [b""] * 129), "transaction failed"),
                (KvPutRequest([long], [b""]), "transaction failed"),
                (KvPutRequest([b"a"], [bytes(131_073)]), "transaction failed"),
                (KvGetRequest(many), "a maximum of 128 keys is allowed"),
                (KvDeleteRequest(many), "a maximum of 128 keys is allowed"),
                (KvGetRequest([long]), "key is too long (max 2048 bytes)"),
                (listing(KvListPrefixQuery(long)), "prefix key is too long (max 2048 bytes)"),
                (listing(KvListRangeQuery(long, b"", exclusive=True)), "start key is too long (max 2048 bytes)"),
                (listing(KvListRangeQuery(b"", long, exclusive=True)), "end key is too long (max 2048 bytes)"),
            ]
            for request, error in refused:
                assert await runner.kv(actor_id, request) == KvErrorResponse(error), request
            assert await runner.kv(actor_id, KvPutRequest([longest], [bytes(131_072)])) == KvPutResponse()

    async def test_store_is_refused_when_the_actor_is_not_here(self, bench: Bench) -> None:
        async with bare_runner(bench) as runner:
            actor_id = await runner.started(bench)
            runner.intends(actor_id, ActorIntentSleep())
            await runner.command(CommandStopActor, actor_id)
            runner.stopped(actor_id)
            await asyncio.sleep(0.5)
            gone = KvErrorResponse("actor does not exist")
            assert await runner.kv(actor_id, KvGetRequest([b"a"])) == gone
            other = await runner.started(bench)
            async with bare_runner(bench, "other") as stranger:
                answer = await stranger.kv(other, KvGetRequest([b"a"]))
                assert answer == KvErrorResponse("actor does not belong to runner")


async def test_answers_of_the_store_come_in_the_order_of_the_requests(bench: Bench) -> None:
    async with bare_runner(bench) as runner:
        actor_id = await runner.started(bench)
        await asyncio.gather(*(runner.kv(actor_id, KvPutRequest([b"k"], [b"%d" % n])) for n in range(50)))
        answer = await runner.kv(actor_id, KvGetRequest([b"k"]))
        assert isinstance(answer, KvGetResponse)
        assert answer.values == [b"49"]
        await eventually(lambda: runner.link.is_open, "an open connection")
