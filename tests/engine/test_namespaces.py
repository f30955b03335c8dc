"""Namespaces: which names they may have, and that runners and actors of one do not see those of another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from rivet_runner import EngineRejected
from rivet_runner.testing import EngineApi, EngineApiError
from tests.engine.support import Engine, OwnEngine
from tests.support.rooms import Room
from tests.support.waiting import eventually


@pytest.fixture
async def fresh(own_engine: OwnEngine) -> AsyncIterator[Engine]:
    """An engine without namespaces of other tests."""
    async with own_engine() as engine:
        yield engine


async def test_namespace_is_refused_when_its_name_is_no_good(fresh: Engine) -> None:
    api = EngineApi(fresh.endpoint)
    for name in ("1a", "a-b-1", "x" * 64):
        await api.create_namespace(name)
    reasons = {
        **dict.fromkeys(["Other", "a_b", "a--b", "-a", "a-", "a b", "ü"], "invalid name"),
        "": "name too short",
        "x" * 65: "name too long",
    }
    for name, reason in reasons.items():
        with pytest.raises(EngineApiError) as caught:
            await api.create_namespace(name)
        assert (caught.value.code, caught.value.metadata) == ("failed_to_create", {"reason": reason}), name
    for name in ("default", "1a"):
        with pytest.raises(EngineApiError, match=r"namespace\.name_not_unique"):
            await api.create_namespace(name)
    listed = await api.list_namespaces()
    assert {namespace.name for namespace in listed} == {"default", "1a", "a-b-1", "x" * 64}
    assert len({namespace.namespace_id for namespace in listed}) == 4


async def test_actors_and_runners_of_a_namespace_are_its_own(fresh: Engine) -> None:
    here, there = EngineApi(fresh.endpoint), EngineApi(fresh.endpoint, namespace="other")
    await here.create_namespace("other")
    await there.upsert_runner_config("pool")
    with pytest.raises(EngineApiError, match=r"actor\.no_runner_config_configured"):
        await here.create_actor("room", runner_name="pool")
    await here.upsert_runner_config("pool")
    async with (
        Room(endpoint=fresh.endpoint, runner_name="pool", runner_key="key") as one,
        Room(endpoint=fresh.endpoint, runner_name="pool", runner_key="key", namespace="other") as another,
    ):
        ids = [(await api.create_ready_actor("room", runner_name="pool", key="a")).actor_id for api in (here, there)]
        assert [list(runner.actors) for runner in (one, another)] == [[ids[0]], [ids[1]]], "neither evicts the other"
        for api, its_id, other_id in ((here, ids[0], ids[1]), (there, ids[1], ids[0])):
            assert [actor.actor_id for actor in await api.list_actors("room")] == [its_id]
            assert [runner.key for runner in await api.list_runners()] == ["key"]
            with pytest.raises(EngineApiError, match=r"actor\.not_found"):
                await api.destroy_actor(other_id)
            assert (await api.request(other_id, "GET", "/")).status == 200, "a gateway path names no namespace"
        assert (await here.get_actor(ids[0])).namespace_id != (await there.get_actor(ids[1])).namespace_id
        await there.destroy_actor(ids[1])
        await eventually(lambda: not another.actors)
        assert list(one.actors) == [ids[0]]


async def test_runner_is_accepted_when_its_namespace_was_made(fresh: Engine) -> None:
    with pytest.raises(EngineRejected, match=r"namespace\.not_found"):
        await Room(endpoint=fresh.endpoint, runner_name="pool", namespace="later").start()
    await EngineApi(fresh.endpoint).create_namespace("later")
    async with Room(endpoint=fresh.endpoint, runner_name="pool", namespace="later") as runner:
        assert runner.connected
