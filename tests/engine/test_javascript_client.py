"""The client of npm, unmodified, with actors in Python."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from rivet_runner import Runner
from tests.conftest import engine_is_required
from tests.engine.javascript_rooms import app
from tests.engine.support import Engine
from tests.support.javascript.client import JavaScript, JavaScriptError, JsClient, JsHandle
from tests.support.javascript.installation import JavaScriptNotFound, find_client
from tests.support.javascript.values import UNDEFINED, BigInt
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.both_protocols,
    pytest.mark.real_time("the client is a program of its own"),
]


@pytest.fixture(scope="module")
def javascript_folder() -> Any:
    try:
        return find_client()
    except JavaScriptNotFound as error:
        if engine_is_required():
            raise
        pytest.skip(str(error))


@pytest.fixture
async def javascript(javascript_folder: Any) -> AsyncIterator[JavaScript]:
    async with asyncio.timeout(120), JavaScript(javascript_folder) as program:
        yield program


@pytest.fixture
async def runner(engine: Engine, runner_name: str) -> AsyncIterator[Runner]:
    runner = app().runner(endpoint=engine.endpoint, runner_name=runner_name, token=None, namespace="default")
    async with asyncio.timeout(120), runner:
        yield runner


@pytest.fixture(params=["json", "cbor", "bare"])
async def client(
    request: pytest.FixtureRequest, engine: Engine, runner_name: str, javascript: JavaScript, runner: Runner
) -> JsClient:
    return javascript.client(engine.endpoint, encoding=request.param, pool=runner_name)


@pytest.fixture
async def room(client: JsClient, runner_name: str) -> JsHandle:
    """A room that no other test has: tests share an engine, and so its keys."""
    return client.get_or_create("room", "org/42", runner_name)


async def test_an_action_by_http(room: JsHandle) -> None:
    assert await room.call("increment", 2) == 2
    assert await room.call("increment") == 3


async def test_an_action_and_an_event_on_a_connection(room: JsHandle) -> None:
    live = room.connect()
    changes = await live.on("changed")
    assert await live.call("increment", 2) == 2
    assert await changes.get() == [2]
    await room.call("increment", 5)
    assert await changes.get() == [7]
