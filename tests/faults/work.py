"""Everything that a fault can meet under way in one actor, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rivet_runner import Actor, Request, Response, WebSocket
from rivet_runner.testing.scripted_engine import ClientWebSocket, HttpExchange, RunnerConnection
from tests.support.idle_tasks import running_tasks
from tests.support.replaying import REPLAY
from tests.support.scene import HookedRunner, Scene, scene, settle
from tests.support.virtual_time import VirtualTimeLoop

__all__ = ["KEPT", "PLAIN", "Place", "Work", "at_work", "one_line_each"]

KEPT = "/kept"
PLAIN = "/plain"

PENDING_SECONDS = 30.0
"""For timers of a past fault to run out: the looks at a replay and at late acknowledgements."""


class Place(HookedRunner):
    """Answers requests to ``/slow`` once `answer` is set, hibernates `KEPT`, and notes each client message."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.answer = asyncio.Event()
        self.sockets: dict[str, WebSocket] = {}
        self.received: dict[str, list[str]] = {}
        self.cancelled: list[str] = []
        """Paths of the requests that were cancelled."""
        self.ended: list[str] = []
        """Paths of the WebSockets whose loop has ended."""

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path == KEPT

    async def fetch(self, actor: Actor, request: Request) -> Response:
        await super().fetch(actor, request)
        if request.path == "/slow":
            try:
                await self.answer.wait()
            except asyncio.CancelledError:
                self.cancelled.append(request.path)
                raise
        return Response(request.path)

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        self.sockets[ws.path] = ws
        async for message in ws:
            self.received.setdefault(ws.path, []).append(str(message))
        self.ended.append(ws.path)


class Work:
    """A key-value call, a request and two WebSockets of ``a1``, all under way on one connection after the other."""

    def __init__(self, current: Scene, connection: RunnerConnection) -> None:
        runner = current.runner
        assert isinstance(runner, Place)
        self.current = current
        self.runner = runner
        self.connection = connection
        self.actor: Actor
        self.kept: ClientWebSocket
        self.plain: ClientWebSocket
        self.request: HttpExchange
        self.put: asyncio.Task[None]

    async def begin(self) -> None:
        """The hibernatable client has sent "0". The put and the request have no answer yet."""
        self.actor = await self.current.actor(self.connection)
        self.kept = self.connection.open_websocket(path=KEPT)
        self.plain = self.connection.open_websocket(path=PLAIN)
        await self.kept.opened()
        await self.plain.opened()
        self.kept.send("0")
        self.plain.send("0")
        await asyncio.sleep(PENDING_SECONDS)
        self._idle = self._left_behind()
        kv = self.current.engine.kv
        kv.answering = False
        self.put = asyncio.create_task(self.actor.kv.put(b"key", b"value"))
        self.request = self.connection.request(path="/slow")
        await settle()
        kv.answering = True

    async def go_on_without_the_engine(self) -> None:
        """The clients speak to the gateway, and the actor to its clients."""
        for text in ("1", "2"):
            self.kept.send_lost(text)
        self.runner.answer.set()
        for path in (KEPT, PLAIN):
            await self.runner.sockets[path].send("from the outage")
        await settle()

    async def check_that_it_went_on(self, connection: RunnerConnection) -> None:
        """Nothing of it is lost, and it is the same generation."""
        self.connection = self.kept.connection = self.plain.connection = self.request.connection = connection
        await asyncio.wait_for(self.put, 1)
        assert self.current.engine.kv.of("a1")[b"key"] == b"value"
        assert (await self.request.response()).status == 200
        assert await self.plain.receive() == "from the outage"
        await self._replay()
        await settle()
        assert self.runner.received[KEPT] == ["0", "1", "2"], "each client message, in order"
        assert self.runner.called("on_actor_start") == [("a1", 1)]
        assert self.runner.called("on_actor_stop") == []
        assert self.runner.called("fetch") == [("a1", "/slow")]
        assert self.runner.get_actor("a1") is self.actor
        assert self.runner.ended == []

    async def _replay(self) -> None:
        """Send the gateway's messages again once the runner asks for it. The actor's own message comes as well."""
        sent = []
        while REPLAY not in sent or "from the outage" not in sent:
            sent.append(await self.kept.receive(timeout=30))
            if sent[-1] == REPLAY:
                self.kept.replay()
        assert len(sent) == 2

    async def check_that_all_works(self) -> None:
        """A request, a key-value call and both WebSockets work at once."""
        before = self.current.now
        assert (await self.connection.request(path="/after").response()).status == 200
        await self.actor.kv.put(b"after", b"1")
        for client, path in ((self.kept, KEPT), (self.plain, PLAIN)):
            client.send("after")
            await self.runner.sockets[path].send("after")
            assert await client.receive() == "after"
            assert self.runner.received[path][-1] == "after"
        assert self.current.now - before < 1

    async def check_that_nothing_stays_behind(self) -> None:
        """The same tasks and timers as before the fault. Call this when the actor is idle."""
        await asyncio.sleep(PENDING_SECONDS)
        behind = self._left_behind()
        assert behind == self._idle, f"before: {self._idle}; after: {behind}"

    async def check_that_it_ended(self) -> None:
        """The actor was stopped: once, with everything that it had under way."""
        assert self.runner.called("on_actor_stop") == [("a1", 1)]
        assert dict(self.runner.actors) == {}
        assert sorted(self.runner.ended) == [KEPT, PLAIN]

    def _left_behind(self) -> tuple[Counter[str], int]:
        """The tasks by name, and the number of timers."""
        loop = self.current.loop
        assert isinstance(loop, VirtualTimeLoop)
        return running_tasks(), len(loop.timers)


@contextlib.asynccontextmanager
async def at_work(**options: Any) -> AsyncIterator[Work]:
    """A runner that is connected as ``r1``, with its work under way."""
    async with scene(kind=Place, **options) as current:
        work = Work(current, await current.start())
        await work.begin()
        try:
            yield work
        finally:
            work.put.cancel()
            await asyncio.gather(work.put, return_exceptions=True)


def one_line_each(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings and errors of the package. Each is one line, and none has a traceback."""
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.name for record in records if not record.name.startswith("rivet_runner")] == []
    messages = [record.getMessage() for record in records]
    assert [record.exc_info for record in records if record.exc_info] == []
    assert [message for message in messages if "\n" in message or "Traceback" in message] == []
    return messages
