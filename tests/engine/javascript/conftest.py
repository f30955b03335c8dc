"""The client's program, a runner with a room, and a client in each encoding."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from rivet_runner import Runner
from tests.engine.javascript.rooms import app
from tests.engine.support import Engine
from tests.support.javascript.client import JavaScript, JsClient, JsHandle

_HERE: Final = Path(__file__).parent
_LEFT_OUT: Final = ({"simulated", "v3", "json"}, {"simulated", "v3", "cbor"}, {"simulated", "v7", "bare"})
"""On the real engine each encoding meets each protocol. On the simulated one, each of them is met once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _is_left_out(item)]


def _is_left_out(item: pytest.Item) -> bool:
    case = getattr(item, "callspec", None)
    if case is None or not item.path.is_relative_to(_HERE):
        return False
    return any(left_out.issubset(case.id.split("-")) for left_out in _LEFT_OUT)


@pytest.fixture
async def javascript(javascript_folder: Path) -> AsyncIterator[JavaScript]:
    async with JavaScript(javascript_folder) as program:
        yield program


@pytest.fixture
async def runner(engine: Engine, runner_name: str) -> AsyncIterator[Runner]:
    runner = app().runner(endpoint=engine.endpoint, runner_name=runner_name, token=None, namespace="default")
    async with runner:
        yield runner


@pytest.fixture(params=["json", "cbor", "bare"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def client(encoding: str, engine: Engine, runner_name: str, javascript: JavaScript, runner: Runner) -> JsClient:
    return javascript.client(engine.endpoint, encoding=encoding, pool=runner_name)


@pytest.fixture
async def room(client: JsClient, runner_name: str) -> JsHandle:
    """A room that no other test has: tests share an engine, and so its keys.

    It is there before a test uses it. Of several connections that create one actor at once, the engine may refuse one, and a
    connection of the JavaScript client whose first attempt is refused never gets ready.
    """
    handle = client.get_or_create("room", "org/42", runner_name)
    await handle.resolve()
    return handle
