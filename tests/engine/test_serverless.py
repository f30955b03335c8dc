"""Runners that a real engine starts."""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import suppress
from uuid import uuid4

import pytest
from fastapi import FastAPI

from rivet_runner import RunnerEvicted
from rivet_runner._asgi_types import Receive, Scope, Send
from rivet_runner.serverless import serverless_app
from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.http_client import exchange
from tests.engine.serverless_support import CountingRunner
from tests.engine.support import Program, answered
from tests.support.uvicorn_server import served
from tests.support.waiting import eventually

pytestmark = [pytest.mark.both_protocols, pytest.mark.real_engine("the simulated engine starts no runners")]


@pytest.fixture
def name() -> str:
    """A runner name without a configuration yet."""
    return f"serverless-{uuid4().hex[:12]}"


async def created(api: EngineApi, name: str, seconds: float = 30) -> str:
    """The id of a new actor that is ready."""
    actor = await api.create_actor("notes", runner_name=name)
    await api.wait_connectable(actor.actor_id, timeout=seconds)
    return actor.actor_id


async def test_an_actor_is_placed_when_the_engine_starts_a_runner(api: EngineApi, name: str) -> None:
    app = serverless_app(CountingRunner)
    async with asyncio.timeout(300), served(app) as url:
        await api.upsert_runner_config(name, serverless_url=url, slots_per_runner=50)
        actor_id = await created(api, name)
        (runner,) = app.runners
        assert runner.get_actor(actor_id) is not None
        (known,) = await api.list_runners(name)
        assert (known.runner_id, known.key, known.total_slots) == (runner.runner_id, runner.config.runner_key, 50)
        assert (await api.request(actor_id, "POST", "/increment")).json()["count"] == 1


async def test_nothing_is_lost_when_the_actor_moves_to_the_next_runner(api: EngineApi, name: str) -> None:
    app = serverless_app(CountingRunner)
    async with asyncio.timeout(300), served(app) as url:
        # The engine begins to move 10 s (its own grace) before the end: here 4 s after each start.
        await api.upsert_runner_config(name, serverless_url=url, request_lifespan=14, drain_grace_period=5)
        actor_id = await created(api, name)
        async with api.websocket(actor_id) as client:
            seen: set[tuple[str, int]] = set()
            count = echoed = 0
            first = app.runners[0]
            while len(seen) < 3 or first in app.runners:
                answer = (await answered(api, actor_id, "/increment", method="POST")).json()
                count += 1
                seen.add((answer["runner"], answer["generation"]))
                await client.send(f"m{count}")
            # In order and none lost; one that was under way when the actor moved may come twice.
            while echoed < count:
                text = str(await asyncio.wait_for(client.recv(), 60)).split()[1]
                assert text in (f"m{echoed}", f"m{echoed + 1}")
                echoed = int(text[1:])
        answer = (await answered(api, actor_id, "/read", method="POST")).json()
        assert answer["count"] >= count
        # The engine may pass through a generation that is moved on before a request has reached it.
        assert len({generation for _, generation in seen}) >= 3
        assert len({runner for runner, _ in seen}) >= 3


async def test_actors_recover_when_the_engine_is_killed_and_started_again() -> None:
    async with asyncio.timeout(300), LocalEngine() as engine:
        # A key-value call that the restarted engine leaves lying takes as long as those 30 s and the default timeout.
        app = serverless_app(CountingRunner, actor_stop_timeout=2.0, kv_timeout=60.0)
        api = EngineApi(engine.endpoint)
        async with served(app) as url:
            await api.upsert_runner_config("notes", serverless_url=url)
            actor_id = await created(api, "notes")
            assert (await api.request(actor_id, "POST", "/increment")).json()["count"] == 1
            (before,) = app.runners
            await engine.kill()
            await engine.start()
            # The engine does hardly anything for the 30 s for which the dead one holds its work.
            answer = (await answered(api, actor_id, "/increment", method="POST", seconds=300, patience=90)).json()
            assert (answer["count"], answer["generation"]) == (2, 1)
            assert answer["runner"] != before.runner_id
            await eventually(lambda: before not in app.runners, seconds=40)


async def test_no_runner_is_started_when_the_engine_is_not_allowed(
    api: EngineApi, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = serverless_app(CountingRunner, allowed_endpoints=["https://engine.example"])
    async with asyncio.timeout(300), served(app) as url:
        await api.upsert_runner_config(name, serverless_url=url)
        actor = await api.create_actor("notes", runner_name=name)
        await eventually(lambda: "refused a request" in caplog.text)
        assert api.endpoint in caplog.text
        assert app.runners == ()
        assert (await api.get_actor(actor.actor_id)).connectable_ts is None


async def test_each_engine_request_finds_its_application_when_two_are_mounted(api: EngineApi, name: str) -> None:
    web = FastAPI()
    apps = {part: serverless_app(CountingRunner, prepopulate_actor_names={part: {}}) for part in ("one", "two")}
    for part, app in apps.items():
        web.mount(f"/deep/{part}", app)
    async with asyncio.timeout(300), served(web, drained=[*apps.values()]) as url:
        for part, app in apps.items():
            await api.upsert_runner_config(f"{name}-{part}", serverless_url=f"{url}/deep/{part}/")
            metadata = await exchange("GET", f"{url}/deep/{part}/metadata")
            assert metadata.json()["actorNames"] == {part: {"metadata": {}}}
            actor_id = await created(api, f"{name}-{part}")
            assert actor_id in app.runners[0].actors
        assert [len(app.runners) for app in apps.values()] == [1, 1]
        assert (await exchange("GET", f"{url}/deep/start")).status == 404


async def test_a_hibernating_client_stays_when_a_newer_version_drains_a_runner_that_joined_the_pool(
    api: EngineApi, name: str
) -> None:
    old, new = (serverless_app(CountingRunner, version=version) for version in (1, 2))
    current = old

    async def deployment(scope: Scope, receive: Receive, send: Send) -> None:
        await current(scope, receive, send)

    async with asyncio.timeout(300), served(deployment, drained=[old, new]) as url:
        await api.upsert_runner_config(name, serverless_url=url)
        async with CountingRunner(endpoint=api.endpoint, runner_name=name, version=1) as joined:
            await eventually(lambda: api.list_runners(name))
            actor_id = await created(api, name)
            assert actor_id in joined.actors
            async with api.websocket(actor_id) as client:
                await client.send("before")
                assert await client.recv() == "0 before"
                current = new
                await eventually(lambda: actor_id not in joined.actors, seconds=40, what="the drain by the engine")
                await client.send("after")
                assert await asyncio.wait_for(client.recv(), 30) == "1 after"
                # A busy engine may start more than one.
                assert {runner.config.version for runner in new.runners} == {2}
            with pytest.raises(RunnerEvicted, match="newer version") as evicted:
                await joined.wait_closed()
            assert evicted.value.drained


async def test_the_runner_goes_when_the_client_of_start_disconnects(api: EngineApi, runner_name: str) -> None:
    app = serverless_app(CountingRunner)
    headers = {
        "x-rivet-endpoint": api.endpoint,
        "x-rivet-total-slots": "5",
        "x-rivet-runner-name": runner_name,
        "x-rivet-namespace-name": "default",
    }
    async with asyncio.timeout(300), served(app) as url:
        request = asyncio.create_task(exchange("GET", f"{url}/start", headers=headers))
        await eventually(lambda: any(runner.connected for runner in app.runners))
        actor_id = await created(api, runner_name)
        (runner,) = app.runners
        assert actor_id in runner.actors
        request.cancel()
        with suppress(asyncio.CancelledError):
            await request
        await eventually(lambda: app.runners == ())
        assert not runner.connected
        await drained(api, runner_name)


FACTORY = "tests.engine.serverless_support:make_app"
SERVERS = {
    "uvicorn": ("-m", "uvicorn", "--factory", FACTORY, "--port", "0"),
    "uvicorn without lifespan": ("-m", "uvicorn", "--factory", FACTORY, "--port", "0", "--lifespan", "off"),
    "hypercorn": ("-m", "hypercorn", "--bind", "127.0.0.1:0", "--workers", "0", "--graceful-timeout", "20", f"{FACTORY}()"),
}


@pytest.mark.parametrize("server", SERVERS)
async def test_actors_finish_when_the_server_gets_sigterm(api: EngineApi, name: str, server: str) -> None:
    async with Program(*SERVERS[server]) as program:
        await api.upsert_runner_config(name, serverless_url=await url_of(program))
        actor_id = await created(api, name)
        async with api.websocket(actor_id) as client:
            await client.send("before")
            assert await client.recv() == "0 before"
            slow = asyncio.create_task(api.request(actor_id, "GET", "/slow"))
            await asyncio.sleep(0.3)  # the request is on its way to the actor, where it takes a second
            began = asyncio.get_running_loop().time()
            program.signal(signal.SIGTERM)
            answer = await slow
            await program.exit_code()
            assert asyncio.get_running_loop().time() - began < 10  # the drain timeout
        assert (answer.status, answer.json()["generation"]) == (200, 0)
        errors = [line for line in program.err if re.search("Traceback|ERROR", line)]
        assert errors == []
        await drained(api, name)


async def drained(api: EngineApi, name: str) -> None:
    """The engine knows that the runner has left: it gives it no more actors, and lists it for some seconds yet."""
    assert all(runner.drain_ts for runner in await api.list_runners(name))


async def url_of(program: Program) -> str:
    await program.printed("unning on http")
    (found,) = {m[0] for line in (*program.err, *program.out) if (m := re.search(r"http://127\.0\.0\.1:\d+", line))}
    return found
