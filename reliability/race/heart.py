"""The actor under test: it counts in KV four times a second, and a journal notes all that it does.

The journal lives in the process that hosts every runner, so it sees more than any client: which generations were alive at
the same time, and whether each found the count that its predecessor had left.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from typing import Any, Final

import msgspec

from rivet_runner import Actor, Request, Response, RivetRunnerError, Runner, WebSocket, WebSocketClosed

__all__ = ["HEART", "HELD", "Heart", "Journal", "Life"]

HEART: Final = "heart"
"""The name of the actor that beats. Actors of another name only answer."""

HELD: Final = "/held"
"""The path of the WebSocket that is open before the restart. It hibernates."""

BEAT_SECONDS: Final = 0.25
COUNT: Final = b"count"


class Life(msgspec.Struct):
    """One generation: when it could write. Times are `time.monotonic`."""

    began: float
    ended: float | None = None


class Journal:
    """Everything that the heart has done so far."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.beats: list[float] = []
        """When each put was acknowledged."""
        self.runners: set[float] = set()
        """When each runner that has connected was made."""
        self.beat = asyncio.Event()
        """Set, for a moment, at each beat."""
        self.attempted = self.acknowledged = 0
        self.backwards = self.skipped = 0

    def born(self, found: int) -> Life:
        """A generation starts with this count, which must lie between the acknowledged and the attempted one."""
        self.backwards += found < self.acknowledged
        self.skipped += found > self.attempted
        life = Life(time.monotonic())
        self.lives.append(life)
        return life

    def acknowledge(self, count: int) -> None:
        """The engine has stored ``count``."""
        self.backwards += count <= self.acknowledged
        self.acknowledged = max(count, self.acknowledged)
        self.beats.append(time.monotonic())
        self.beat.set()
        self.beat.clear()

    def overlap(self) -> float:
        """The longest time, in seconds, for which two generations were alive at once."""
        now = time.monotonic()
        pairs = itertools.combinations(self.lives, 2)
        together = (min(a.ended or now, b.ended or now) - max(a.began, b.began) for a, b in pairs)
        return max([0.0, *together])


class Heart(Runner):
    """Counts, sends each count to the held WebSocket, and answers requests."""

    def __init__(self, *, journal: Journal, **options: Any) -> None:
        super().__init__(**options)
        self._journal = journal
        self._made = time.monotonic()

    async def on_connected(self) -> None:
        self._journal.runners.add(self._made)

    async def on_actor_start(self, actor: Actor) -> None:
        if actor.name == HEART:
            count = int(await actor.kv.get(COUNT) or 0)
            actor.spawn(self._beat(actor, count, self._journal.born(count)))

    async def _beat(self, actor: Actor, count: int, life: Life) -> None:
        try:
            while True:
                count += 1
                self._journal.attempted = max(count, self._journal.attempted)
                await actor.kv.put(COUNT, str(count).encode())
                self._journal.acknowledge(count)
                for ws in actor.websockets:
                    if ws.path == HELD:
                        with contextlib.suppress(WebSocketClosed):
                            await ws.send(str(count))
                await asyncio.sleep(BEAT_SECONDS)
        except RivetRunnerError as error:
            actor.log.info("the heart stops: %s", error)
        finally:
            life.ended = time.monotonic()

    def can_hibernate(self, actor: Actor, request: Request) -> bool:
        return request.path == HELD

    async def fetch(self, actor: Actor, request: Request) -> Response:
        return Response.json({"generation": actor.generation})

    async def websocket(self, actor: Actor, ws: WebSocket) -> None:
        async for message in ws:
            if ws.path != HELD:
                await ws.send(message)
