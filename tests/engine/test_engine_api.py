from __future__ import annotations

import asyncio
from functools import partial

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from rivet_runner.testing import EngineApi, EngineApiError
from rivet_runner.testing.http_client import exchange
from tests.engine.rooms import close_of
from tests.engine.support import Engine, OwnEngine
from tests.support.bare_runner import BareRunner
from tests.support.waiting import eventually

# A well-formed id that no engine gave out.
UNKNOWN_ACTOR = "h89pj17onkzvvek5z57hq8p43ccl00"


async def test_health_and_metadata_tell_the_version(api: EngineApi) -> None:
    health, metadata = await asyncio.gather(api.health(), api.metadata())
    assert (health.runtime, health.status) == ("engine", "ok")
    assert metadata.runtime == "engine"
    assert metadata.version == health.version


async def test_namespaces_have_the_default_one(api: EngineApi) -> None:
    namespaces = await api.list_namespaces()
    assert [namespace.name for namespace in namespaces] == ["default"]
    assert namespaces[0].create_ts > 0


async def test_create_is_refused_when_the_name_has_no_runner_config(api: EngineApi) -> None:
    with pytest.raises(EngineApiError) as caught:
        await api.create_actor("a", runner_name="nobody-configured-this")
    assert (caught.value.status, caught.value.group) == (400, "actor")
    assert caught.value.code == "no_runner_config_configured"
    assert caught.value.metadata == {"namespace": "default", "pool_name": "nobody-configured-this"}
    assert "nobody-configured-this" in caught.value.message


async def test_calls_are_refused_when_the_namespace_is_unknown(engine: Engine) -> None:
    with pytest.raises(EngineApiError, match=r"namespace\.not_found"):
        await EngineApi(engine.endpoint, namespace="nowhere").list_runners()


async def test_created_actor_has_what_was_asked_for(api: EngineApi, runner_name: str) -> None:
    created = await api.create_actor("kind", runner_name=runner_name, key="a key", input=b"\0\xff", crash_policy="destroy")
    actor = await api.get_actor(created.actor_id)
    assert (actor.name, actor.key, actor.crash_policy) == ("kind", "a key", "destroy")
    assert actor.runner_name_selector == runner_name
    assert actor.create_ts == created.create_ts
    assert actor.destroy_ts is None


async def test_create_is_refused_when_the_key_is_in_use(api: EngineApi, runner_name: str) -> None:
    first = await api.create_actor(runner_name, runner_name=runner_name, key="one")
    with pytest.raises(EngineApiError) as caught:
        await api.create_actor(runner_name, runner_name=runner_name, key="one")
    # The engine has two ways to find out; the second one does not say whose key it is.
    assert caught.value.code in ("duplicate_key", "destroyed_during_creation")
    if caught.value.code == "duplicate_key":
        assert caught.value.metadata["existing_actor_id"] == first.actor_id


async def test_actor_sleeps_with_an_error_when_no_runner_is_there(api: EngineApi, runner_name: str) -> None:
    created = await api.create_actor("a", runner_name=runner_name)
    await api.wait_sleeping(created.actor_id)
    actor = await api.wait_for_actor(created.actor_id, lambda actor: actor.error is not None)
    assert actor.error == "no_capacity"
    assert actor.connectable_ts is None


async def test_list_has_the_actors_of_one_name_only(api: EngineApi, runner_name: str) -> None:
    name = f"listed-{runner_name}"
    first = await api.create_actor(name, runner_name=runner_name, key="first")
    second = await api.create_actor(name, runner_name=runner_name, key="second")
    await api.create_actor(f"other-{runner_name}", runner_name=runner_name)

    listed = await api.list_actors(name)
    assert [actor.actor_id for actor in listed] == [second.actor_id, first.actor_id]
    assert [actor.key for actor in await api.list_actors(name, key="first")] == ["first"]
    assert len(await api.list_actors(name, limit=1)) == 1


async def test_destroyed_actor_is_listed_only_when_asked_for(api: EngineApi, runner_name: str) -> None:
    name = f"destroyed-{runner_name}"
    created = await api.create_actor(name, runner_name=runner_name)
    await api.destroy_actor(created.actor_id)
    destroyed = await api.wait_destroyed(created.actor_id)
    assert destroyed.destroy_ts is not None
    await api.destroy_actor(created.actor_id)

    assert await api.list_actors(name) == []
    with_destroyed = await api.list_actors(name, include_destroyed=True)
    assert [actor.actor_id for actor in with_destroyed] == [created.actor_id]


async def test_unknown_actor_is_an_error(api: EngineApi) -> None:
    with pytest.raises(EngineApiError, match=r"actor\.not_found"):
        await api.get_actor(UNKNOWN_ACTOR)
    with pytest.raises(EngineApiError, match=r"actor\.not_found"):
        await api.destroy_actor(UNKNOWN_ACTOR)
    response = await api.request(UNKNOWN_ACTOR, "GET", "/")
    assert (response.status, response.json()["code"]) == (404, "not_found")


async def test_wait_tells_the_last_state_when_the_time_is_up(api: EngineApi, runner_name: str) -> None:
    actor = await api.create_actor("a", runner_name=runner_name)
    with pytest.raises(TimeoutError, match=actor.actor_id):
        await api.wait_connectable(actor.actor_id, timeout=0.1)


async def test_runner_is_listed_while_it_is_connected(engine: Engine, api: EngineApi, runner_name: str) -> None:
    assert await api.list_runners(runner_name) == []
    async with BareRunner(engine.endpoint, runner_name):
        (runner,) = await eventually(lambda: api.list_runners(runner_name))
        assert (runner.name, runner.version, runner.total_slots) == (runner_name, 1, 100)
        assert runner.runner_id in [listed.runner_id for listed in await api.list_runners()]


async def test_request_reaches_the_actor_as_it_is(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with BareRunner(engine.endpoint, runner_name):
        actor = await api.create_actor("a", runner_name=runner_name)
        connectable = await api.wait_connectable(actor.actor_id)
        assert connectable.sleep_ts is None
        response = await api.request(actor.actor_id, "PATCH", "/a%2Fb/c?d=%20e", body=b"body")
        assert response.status == 207
        assert response.text() == "PATCH /a%2Fb/c?d=%20e"
        assert sorted(response.headers.getall("SET-COOKIE")) == ["a=1", "b=2"]


async def test_websocket_reaches_the_actor(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with BareRunner(engine.endpoint, runner_name):
        actor = await api.create_actor("a", runner_name=runner_name)
        async with api.websocket(actor.actor_id, "/path?a=b", subprotocols=["other"]) as socket:
            assert socket.subprotocol == "rivet"
            await socket.send("text")
            assert await socket.recv() == "text"
            await socket.send(b"bytes")
            assert await socket.recv() == b"bytes"


async def test_actor_that_sleeps_is_woken_by_a_request(engine: Engine, api: EngineApi, runner_name: str) -> None:
    async with BareRunner(engine.endpoint, runner_name) as runner:
        actor = await api.create_actor("a", runner_name=runner_name)
        await api.wait_connectable(actor.actor_id)
        await runner.sleep(actor.actor_id)
        await api.wait_sleeping(actor.actor_id)
        response = await api.request(actor.actor_id, "GET", "/")
        assert response.status == 207
        await api.wait_connectable(actor.actor_id)


@pytest.mark.real_engine("the simulated engine starts no runners")
async def test_serverless_runner_config_is_taken(api: EngineApi, runner_name: str) -> None:
    # Nothing listens there; the engine finds out later.
    await api.upsert_runner_config(
        runner_name,
        serverless_url="http://127.0.0.1:9/",
        headers={"a": "b"},
        request_lifespan=30,
        drain_grace_period=5,
    )
    await api.upsert_runner_config(runner_name, {"normal": {}})


async def test_runner_config_is_refused_when_a_field_is_unknown(api: EngineApi, runner_name: str) -> None:
    with pytest.raises(EngineApiError, match=r"api\.bad_request"):
        await api.upsert_runner_config(runner_name, {"unheard_of": {}})


@pytest.mark.slow
async def test_many_calls_at_once_are_all_answered(api: EngineApi) -> None:
    answers = await asyncio.gather(*(api.health() for _ in range(300)))
    assert {answer.status for answer in answers} == {"ok"}


async def test_calls_are_refused_when_the_engine_has_a_token_and_they_have_not(own_engine: OwnEngine) -> None:
    async with own_engine(admin_token="secret") as engine:
        api = EngineApi(engine.endpoint, token="secret")
        await api.upsert_runner_config("default")
        actor = await api.create_actor("a", runner_name="default")
        for wrong in (None, "wrong"):
            stranger = EngineApi(engine.endpoint, token=wrong)
            assert (await stranger.health()).version == (await stranger.metadata()).version
            for call in (
                stranger.list_namespaces,
                stranger.list_runners,
                partial(stranger.list_actors, "a"),
                partial(stranger.get_actor, actor.actor_id),
                partial(stranger.destroy_actor, actor.actor_id),
                partial(stranger.create_actor, "a", runner_name="default"),
                partial(stranger.upsert_runner_config, "other"),
            ):
                with pytest.raises(EngineApiError, match=r"api\.forbidden") as caught:
                    await call()
                assert caught.value.status == 403
        plain = await exchange("GET", f"{engine.endpoint}/runners/connect")
        assert (plain.status, plain.json()["code"]) == (400, "missing_header")


async def test_runner_is_refused_when_its_token_is_wrong_or_missing(own_engine: OwnEngine) -> None:
    async with own_engine(admin_token="secret") as engine:
        await EngineApi(engine.endpoint, token="secret").upsert_runner_config("default")
        async with BareRunner(engine.endpoint, "default", token="secret"):
            pass
        for wrong, reason in ((None, "guard.missing_header"), ("wrong", "api.forbidden")):
            with pytest.raises(ConnectionClosed) as caught:
                await BareRunner(engine.endpoint, "default", token=wrong).__aenter__()
            close = caught.value.rcvd
            assert close is not None
            assert (close.code, close.reason.partition("#")[0]) == (1011, reason)


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/request", {"x-rivet-actor": "ID"}, (207, "GET /request")),
        ("/request/a%20b?c=d", {"x-rivet-actor": "ID"}, (207, "GET /request/a%20b?c=d")),
        ("/requests", {"x-rivet-actor": "ID"}, (404, "no_route")),
        ("/request", {}, (400, "missing_header")),
        ("/request", {"x-rivet-actor": "not an id"}, (500, "internal_error")),
        ("/request", {"x-rivet-actor": UNKNOWN_ACTOR}, (404, "not_found")),
        ("/request", {"x-rivet-target": "nobody", "x-rivet-actor": "ID"}, (404, "no_route")),
    ],
)
async def test_request_reaches_the_actor_that_its_headers_name(
    engine: Engine, api: EngineApi, runner_name: str, path: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    async with BareRunner(engine.endpoint, runner_name):
        actor = await api.create_ready_actor("a", runner_name=runner_name)
        named = {name: value.replace("ID", actor.actor_id) for name, value in headers.items()}
        answer = await exchange("GET", engine.endpoint + path, headers={"x-rivet-target": "actor", **named})
        assert (answer.status, answer.text() if answer.status == 207 else answer.json()["code"]) == expected


async def test_websocket_reaches_the_actor_that_its_subprotocols_name(
    engine: Engine, api: EngineApi, runner_name: str
) -> None:
    async with BareRunner(engine.endpoint, runner_name):
        actor = await api.create_ready_actor("a", runner_name=runner_name)
        url = f"ws{engine.endpoint.removeprefix('http')}/anything"

        def dial(*subprotocols: str) -> connect:
            return connect(url, subprotocols=[Subprotocol(name) for name in ("rivet", *subprotocols)], proxy=None)

        async with dial("rivet_target.actor", f"rivet_actor.{actor.actor_id}") as socket:
            await socket.send("text")
            assert await socket.recv() == "text"
        for named, reason in (
            (["rivet_target.nobody", f"rivet_actor.{actor.actor_id}"], "guard.no_route"),
            (["rivet_target.actor"], "guard.missing_header"),
            (["rivet_target.actor", "rivet_actor.bad"], "core.internal_error"),
        ):
            async with dial(*named) as socket:
                code, said = await close_of(socket)
                assert (code, said.partition("#")[0]) == (1011, reason)


async def test_names_and_runner_configs_are_listed(api: EngineApi, runner_name: str) -> None:
    await api.create_actor(f"of-{runner_name}", runner_name=runner_name)
    assert f"of-{runner_name}" in await api.list_actor_names()
    configs = await api.list_runner_configs()
    assert "normal" in configs[runner_name]["datacenters"]["default"]
