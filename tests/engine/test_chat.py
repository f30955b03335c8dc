"""The chat example on the real engine: with plain WebSocket clients, and in a browser as a person uses it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection

from examples.chat import HISTORY, ChatRooms
from rivet_runner import Actor
from rivet_runner.testing import EngineApi
from tests.engine.browser import Browser, BrowserNotFound, Tab, find_browser, launch
from tests.support.waiting import eventually

NEVER_IDLE = 3600.0


class Guest:
    """Somebody in a room, without a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **event: Any) -> None:
        await self.connection.send(msgspec.json.encode(event).decode())

    async def say(self, text: str) -> None:
        await self.send(type="say", text=text)

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """The events up to and with the next one of this kind."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] != kind:
            events.append(msgspec.json.decode(await self.connection.recv()))
        return events

    async def next(self, kind: str) -> dict[str, Any]:
        """The next event of this kind; the others before it are passed over."""
        return (await self.until(kind))[-1]

    async def hears(self, name: str, text: str) -> None:
        """The next message in the room is this one, said by ``name``."""
        said = await self.next("said")
        assert (said["name"], said["text"]) == (name, text)


class House:
    """A runner of the example, its rooms and their guests."""

    def __init__(self, runner: ChatRooms, api: EngineApi, guests: AsyncExitStack) -> None:
        self.runner = runner
        self.api = api
        self._guests = guests

    async def new_room(self) -> Actor:
        created = await self.api.create_ready_actor("room", runner_name=self.runner.config.runner_name)
        return self.runner.actors[created.actor_id]

    async def join(self, room: Actor, name: str) -> Guest:
        guest = Guest(await self._guests.enter_async_context(self.api.websocket(room.id)))
        await guest.send(type="join", name=name)
        return guest

    async def put_to_sleep(self, room: Actor) -> None:
        """Return once the engine says that the room sleeps, and it is not here.

        Now and then the engine wakes a room again at once, as its next generation, although nobody said anything: seen
        where a message was acknowledged just before the actor stopped. A room that is awake again is told again.
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

    async def until_asleep(self, room: Actor) -> None:
        await eventually(lambda: room.id not in self.runner.actors)
        await self.api.wait_sleeping(room.id)


@asynccontextmanager
async def hosting_rooms(
    api: EngineApi, runner_name: str, *, idle_seconds: float = NEVER_IDLE, seconds: float = 60.0
) -> AsyncIterator[House]:
    """For at most ``seconds``; the guests that are left then leave."""
    runner = ChatRooms(
        endpoint=api.endpoint,
        runner_name=runner_name,
        token=None,
        namespace="default",
        start_timeout=30.0,
        stop_timeout=15.0,
        actor_stop_timeout=5.0,
    )
    runner.idle_seconds = idle_seconds
    async with asyncio.timeout(seconds), runner, AsyncExitStack() as guests:
        yield House(runner, api, guests)


async def test_guests_hear_each_other_when_they_share_a_room(api: EngineApi, runner_name: str) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room, other = await house.new_room(), await house.new_room()
        ada = await house.join(room, "Ada")
        assert (await ada.next("joined")) == {"type": "joined", "name": "Ada", "members": ["Ada"]}
        stranger = await house.join(other, "Stranger")
        bob = await house.join(room, "Bob")
        assert (await bob.next("welcome"))["history"] == []
        for guest in (ada, bob):
            assert (await guest.next("joined")) == {"type": "joined", "name": "Bob", "members": ["Ada", "Bob"]}
        await ada.say("Hello, <b>Bob</b> \N{WAVING HAND SIGN}")
        await bob.hears("Ada", "Hello, <b>Bob</b> \N{WAVING HAND SIGN}")
        await bob.connection.close()
        assert (await ada.next("left")) == {"type": "left", "name": "Bob", "members": ["Ada"]}
        assert (await stranger.next("joined"))["members"] == ["Stranger"]


async def test_newcomer_gets_only_the_latest_messages_when_more_were_said_than_a_room_keeps(
    api: EngineApi, runner_name: str
) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        ada = await house.join(room, "Ada")
        said = [f"message {number}" for number in range(HISTORY + 7)]
        for text in said:
            await ada.say(text)
        for text in said:
            await ada.hears("Ada", text)
        # Before the sleep it comes from memory, after it from the KV.
        for name in ("Bob", "Cleo"):
            guest = await house.join(room, name)
            history = (await guest.next("welcome"))["history"]
            assert [message["text"] for message in history] == said[-HISTORY:]
            await house.put_to_sleep(room)
        await api.request(room.id, "GET", "/")
        assert len(await house.runner.actors[room.id].kv.list()) == HISTORY


@pytest.mark.real_time("the room looks at the wall clock before it sleeps")
async def test_guests_stay_connected_and_known_when_the_room_sleeps_by_itself_and_wakes(
    api: EngineApi, runner_name: str
) -> None:
    async with hosting_rooms(api, runner_name, idle_seconds=0.5) as house:
        room = await house.new_room()
        guests = ada, bob = await house.join(room, "Ada"), await house.join(room, "Bob")
        generations = [(await guest.next("awake"))["generation"] for guest in guests]
        await bob.next("joined")
        for question in ("Anyone?", "Anyone at all?", "Hello?"):
            await house.until_asleep(room)
            await ada.say(question)
            for index, guest in enumerate(guests):
                woken = await guest.next("awake")
                assert woken["generation"] > generations[index]
                generations[index] = woken["generation"]
                await guest.hears("Ada", question)
        await bob.say("I am")
        await ada.hears("Bob", "I am")
        cleo = await house.join(room, "Cleo")
        # Nobody joined or left on the way, or this would not be the next thing that Ada is told about people.
        assert (await ada.next("joined")) == {"type": "joined", "name": "Cleo", "members": ["Ada", "Bob", "Cleo"]}
        await cleo.connection.close()
        assert (await bob.next("joined"))["name"] == "Cleo"
        assert (await bob.next("left"))["name"] == "Cleo"


async def test_the_others_are_told_once_when_a_guest_left_while_the_room_slept(api: EngineApi, runner_name: str) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        ada, bob = await house.join(room, "Ada"), await house.join(room, "Bob")
        await bob.next("joined")
        await house.put_to_sleep(room)
        # That wakes the room, unless the engine is still busy with putting it to sleep; what Ada says does so in any case.
        await bob.connection.close()
        await ada.say("Bob?")
        assert (await ada.next("left")) == {"type": "left", "name": "Bob", "members": ["Ada"]}
        await house.put_to_sleep(room)
        await ada.say("Bob!")
        cleo = await house.join(room, "Cleo")
        assert (await cleo.next("joined"))["members"] == ["Ada", "Cleo"]
        assert not [event for event in await ada.until("joined") if event["type"] == "left"]


async def test_client_is_closed_when_its_message_is_not_one_of_the_chat(api: EngineApi, runner_name: str) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        too_long = msgspec.json.encode({"type": "say", "text": "x" * 2001}).decode()
        for message in ("hello", '{"type":"join","name":" "}', '{"type":"say"}', too_long):
            guest = await house.join(room, "Ada")
            await guest.connection.send(message)
            await guest.connection.wait_closed()
            assert guest.connection.close_code == 1007


async def test_page_is_served_when_the_room_is_opened_with_http(api: EngineApi, runner_name: str) -> None:
    async with hosting_rooms(api, runner_name) as house:
        room = await house.new_room()
        page = await api.request(room.id, "GET", "/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.text().startswith("<!doctype html>")
        assert (await api.request(room.id, "POST", "/")).status == 404
        assert (await api.request(room.id, "GET", "/other")).status == 404


# In a browser

in_browser = pytest.mark.real_time("the browser is a process of its own")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    try:
        find_browser()
    except BrowserNotFound as error:
        pytest.skip(str(error))
    async with launch() as browser:
        yield browser


async def enter(browser: Browser, api: EngineApi, room: Actor, name: str) -> Tab:
    """Open the page and give a name."""
    tab = await browser.open(f"{api.endpoint}/gateway/{room.id}/")
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


@in_browser
async def test_two_tabs_chat_on_without_reconnecting_when_the_room_has_slept(
    browser: Browser, api: EngineApi, runner_name: str
) -> None:
    async with hosting_rooms(api, runner_name, seconds=120) as house:
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
            await tab.evaluate("window.mark = {loaded: performance.timeOrigin, socket}, null")

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
        assert sorted(ws.attachment for ws in woken.websockets if ws.restored) == [b"Ada", b"Bob <i>"]
        for tab in tabs:
            assert await tab.texts("#connections") == ["1"]
            assert await tab.texts("#members li") == ["Ada", "Bob <i>"]
            assert await tab.evaluate("mark.loaded === performance.timeOrigin && mark.socket === socket")
            assert (tab.sockets_opened, tab.sockets_closed, tab.errors) == (1, 0, [])
        assert await ada.texts("#log .notice") == ["Ada joined", "Bob <i> joined"]
        assert await bob.texts("#log .notice") == ["Bob <i> joined"]
        await keep_screenshots({"ada": ada, "bob": bob})


@in_browser
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
