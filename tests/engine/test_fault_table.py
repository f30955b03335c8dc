"""Faults that only an engine can show, with a call and a request under way: what the log says, and what goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from rivet_runner import Actor, Request, Response
from rivet_runner.testing import EngineApi, HttpExchangeFailed, LocalEngine
from tests.engine.support import OwnEngine, Probe, RestartableEngine, answered, hosting
from tests.faults.work import one_line_each
from tests.support.waiting import eventually

NAME = "faults"
LOST_AFTER = 90_000
"""Milliseconds, so that the actor is not lost in the 30 s that a killed engine takes."""


async def stop(engine: RestartableEngine) -> None:
    await engine.stop()


async def kill(engine: RestartableEngine) -> None:
    await engine.kill()


@pytest.mark.slow
@pytest.mark.parametrize("end", [stop, kill])
async def test_each_line_of_the_log_says_what_to_do_when_the_engine_ends_and_returns(
    own_engine: OwnEngine, end: Callable[[RestartableEngine], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    asked = asyncio.Event()
    answer = asyncio.Event()

    async def fetch(actor: Actor, request: Request) -> Response:
        if request.path == "/slow":
            asked.set()
            await answer.wait()
        return Response("here")

    async with own_engine(runner_lost_threshold=LOST_AFTER) as engine:
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config(NAME)
        async with hosting(engine, NAME, seconds=300, fetch=fetch, kv_timeout=90) as runner:
            actor_id = (await api.create_actor(NAME, runner_name=NAME)).actor_id
            await answered(api, actor_id)
            actor = runner.actors[actor_id]
            request = asyncio.create_task(api.request(actor_id, "GET", "/slow", timeout=60))
            await asked.wait()
            await end(engine)
            with pytest.raises((HttpExchangeFailed, TimeoutError)):
                await request
            await eventually(lambda: not runner.connected)
            put = asyncio.create_task(actor.kv.put(b"key", b"during the outage"))
            await asyncio.sleep(2)
            answer.set()
            await engine.start()
            await eventually(lambda: runner.connected, seconds=60)
            await put
            await answered(api, actor_id)
            assert await actor.kv.get(b"key") == b"during the outage"
            assert runner.calls == [("start", actor_id, actor.generation)], "it is the same generation"
            assert runner.actors[actor_id] is actor
            first, *dials = one_line_each(caplog)
            assert first.startswith("the connection to the engine ended (10")
            assert dials
            assert all("retrying in" in line or "reconnecting in" in line for line in dials)
            assert all("RIVET_ENDPOINT" in line for line in dials if line.startswith("cannot reach"))


@contextlib.asynccontextmanager
async def engine_with(token: str, folder: Path, port: int | None = None) -> AsyncIterator[LocalEngine]:
    async with LocalEngine(
        {"pegboard": {"runner_lost_threshold": LOST_AFTER}}, admin_token=token, data_dir=folder, port=port
    ) as engine:
        yield engine


@pytest.mark.real_engine("it starts two engines on the same data, with different tokens")
async def test_the_error_names_the_token_and_the_runner_tries_on_when_the_token_is_revoked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    def errors() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    async with contextlib.AsyncExitStack() as stack:
        async with engine_with("first-token", tmp_path) as first:
            port = int(first.endpoint.rsplit(":", 1)[-1])
            runner: Probe = await stack.enter_async_context(
                hosting(first, NAME, seconds=60, token="first-token", runner_key="key")
            )
            await eventually(lambda: runner.connected)
        async with engine_with("second-token", tmp_path, port):
            await eventually(errors)
            assert not runner.connected
            closed = asyncio.create_task(runner.wait_closed())
            await asyncio.sleep(2)
            assert not closed.done(), "the runner tries on"
            closed.cancel()
    (error,) = errors()
    assert "correct `token` (RIVET_TOKEN) (api.forbidden" in error
    assert "retrying in 3" in error
    assert all("first-token" not in line for line in one_line_each(caplog))
