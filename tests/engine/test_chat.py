"""The page of the chat example as a person uses it: in a browser. `tests.examples.test_chat` has the rooms."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from examples.chat import app
from rivet_runner import Actor, Runner
from rivet_runner.testing import EngineApi
from tests.conftest import engine_is_required
from tests.engine.browser import Browser, BrowserNotFound, Tab, find_browser, launch
from tests.engine.support import PROJECT
from tests.support.waiting import eventually

pytestmark = pytest.mark.real_time("the browser is a process of its own")

BUILD_SECONDS: Final = 300.0


@pytest.fixture(scope="module")
def _client() -> None:
    """The JavaScript client for the page, which a script builds if it is missing."""
    script = PROJECT / "tools" / "build_chat_client.sh"
    try:
        subprocess.run([script], check=True, capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.CalledProcessError as error:
        if engine_is_required():
            raise
        pytest.skip(error.stderr.strip())


@pytest.fixture
async def browser(_client: None) -> AsyncIterator[Browser]:
    try:
        find_browser()
    except BrowserNotFound as error:
        pytest.skip(str(error))
    async with launch() as browser:
        yield browser


class House:
    """A runner of the example, and its rooms."""

    def __init__(self, runner: Runner, api: EngineApi) -> None:
        self.runner = runner
        self.api = api

    async def new_room(self) -> Actor:
        created = await self.api.create_ready_actor("chatRoom", runner_name=self.runner.config.runner_name)
        return self.runner.actors[created.actor_id]

    async def put_to_sleep(self, room: Actor) -> None:
        """Return once the engine says that the room sleeps, and it is not here.

        Now and then the engine wakes a room again at once, as its next generation, although nothing was said: seen when a
        message was acknowledged just before the actor stopped. A room that is awake again is told again.
        """
        asked: Actor | None = None

        async def sleeps() -> bool:
            nonlocal asked
            if (awake := self.runner.get_actor(room.id)) is None:
                info = await self.api.get_actor(room.id)
                return info.sleep_ts is not None and info.connectable_ts is None and room.id not in self.runner.actors
            if awake is not asked:
                asked = awake
                awake.sleep()
            return False

        await eventually(sleeps, what=f"actor {room.id} sleeps")


@asynccontextmanager
async def hosting_rooms(api: EngineApi, runner_name: str, *, seconds: float = 120.0) -> AsyncIterator[House]:
    """For at most ``seconds``."""
    options: dict[str, Any] = {"endpoint": api.endpoint, "runner_name": runner_name, "token": None, "namespace": "default"}
    async with asyncio.timeout(seconds), app.runner(**options, stop_timeout=15.0, actor_stop_timeout=5.0) as runner:
        yield House(runner, api)


async def enter(browser: Browser, api: EngineApi, room: Actor, name: str) -> Tab:
    """Open the page and give a name."""
    tab = await browser.open(f"{api.endpoint}/gateway/{room.id}/request/")
    assert await tab.texts("#connections") == ["0"]
    await tab.type("dialog input", name)
    await tab.until("document.querySelector('#status').textContent === 'Connected' && document.querySelector('#log li')")
    return tab


async def until_said(tab: Tab, count: int) -> list[str]:
    """Wait for so many messages, and return who said what."""
    await tab.until(f"document.querySelectorAll('#log .text').length >= {count}")
    return [f"{who}: {text}" for who, text in zip(await tab.texts("#log .name"), await tab.texts("#log .text"), strict=True)]


async def keep_screenshots(tabs: dict[str, Tab]) -> None:
    """For people: with ``RIVET_SCREENSHOTS=folder`` in the environment, they are there after a run."""
    for name, tab in tabs.items():
        picture = await tab.screenshot()
        assert picture.startswith(b"\x89PNG")
        if folder := os.environ.get("RIVET_SCREENSHOTS"):
            await asyncio.to_thread(Path(folder, f"chat-{name}.png").write_bytes, picture)


async def test_two_tabs_chat_on_without_reconnecting_when_the_room_has_slept(
    browser: Browser, api: EngineApi, runner_name: str
) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        ada = await enter(browser, api, room, "Ada")
        bob = await enter(browser, api, room, "Bob <i>")
        tabs = (ada, bob)

        await ada.type("#say input", "Hello, <img src=x onerror=alert(1)>")
        await until_said(bob, 1)
        await bob.type("#say input", "Hello, Ada")
        said = ["Ada: Hello, <img src=x onerror=alert(1)>", "Bob <i>: Hello, Ada"]
        for tab in tabs:
            assert await until_said(tab, 2) == said
            assert await tab.texts("#members li") == ["Ada", "Bob <i>"]
            assert await tab.texts("#generation") == [str(room.generation)]
            await tab.evaluate("window.loaded = performance.timeOrigin, null")

        await house.put_to_sleep(room)
        assert room.id not in house.runner.actors
        await ada.type("#say input", "Still there?")
        said.append("Ada: Still there?")
        for tab in tabs:
            assert await until_said(tab, 3) == said
            await tab.until(f"Number(document.querySelector('#generation').textContent) > {room.generation}")
        await bob.type("#say input", "Yes")
        said.append("Bob <i>: Yes")
        for tab in tabs:
            assert await until_said(tab, 4) == said

        woken = house.runner.actors[room.id]
        assert woken.generation > room.generation
        assert sum(ws.restored for ws in woken.websockets) == 2
        for tab in tabs:
            assert await tab.texts("#connections") == ["1"]
            assert await tab.texts("#members li") == ["Ada", "Bob <i>"]
            assert await tab.evaluate("loaded === performance.timeOrigin")
            assert (tab.sockets_opened, tab.sockets_closed, tab.errors) == (1, 0, [])
        assert await ada.texts("#log .notice") == ["You are here as Ada", "Bob <i> joined"]
        assert await bob.texts("#log .notice") == ["You are here as Bob <i>"]
        await keep_screenshots({"ada": ada, "bob": bob})


async def test_page_connects_again_and_says_so_when_its_connection_is_lost(
    browser: Browser, api: EngineApi, runner_name: str
) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        tab = await enter(browser, api, room, "Ada")
        (ws,) = room.websockets
        await ws.close(1011, "lost")
        await tab.until("document.querySelector('#connections').textContent === '2'")
        await tab.type("#say input", "here again")
        assert await until_said(tab, 1) == ["Ada: here again"]
        assert await tab.texts("#members li") == ["Ada"]
