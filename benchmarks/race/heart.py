"""The actor that is watched: it counts in KV four times a second, and everything that it does is written down here.

The journal lives in the process that hosts every runner, so it sees what no client can: which generations were alive at the
same time, and whether the count that one of them found was the one that its predecessor had left.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec

from rivet_runner import Actor, Request, Response, RivetRunnerError, Runner, WebSocket, WebSocketClosed

__all__ = ["HEART", "HELD", "Heart", "Journal", "Life"]

HEART: Final = "heart"
"""The name of the actor that beats; others only answer."""

HELD: Final = "/held"
"""The path of the WebSocket that is open before the restart; it hibernates."""

BEAT_SECONDS: Final = 0.25
COUNT: Final = b"count"


class Life(msgspec.Struct):
    """One generation: when it could write, and the count that it found and left. Times are `time.monotonic`."""

    generation: int
    began: float
    found: int
    ended: float | None = None


class Journal:
    """What the heart has done so far."""

    def __init__(self) -> None:
        self.lives: list[Life] = []
        self.beats: list[float] = []
        """When each put was acknowledged."""
        self.beat = asyncio.Event()
        """Set, for a moment, at each beat."""
        self.attempted = self.acknowledged = 0
        self.backwards = self.skipped = 0

    def born(self, generation: int, found: int) -> Life:
        """A generation starts with this count: at least what was acknowledged, at most what was tried."""
        self.backwards += found < self.acknowledged
        self.skipped += found > self.attempted
        life = Life(generation, time.monotonic(), found)
        self.lives.append(life)
        return life

    def acknowledge(self, count: int) -> None:
        self.backwards += count <= self.acknowledged
        self.acknowledged = max(count, self.acknowledged)
        self.beats.append(time.monotonic())
        self.beat.set()
        self.beat.clear()

    def overlap(self) -> float:
        """The longest time, in seconds, for which two generations were alive at once."""
        now = time.monotonic()
        longest = 0.0
        for index, one in enumerate(self.lives):
            for other in self.lives[index + 1 :]:
                together = min(one.ended or now, other.ended or now) - max(one.began, other.began)
                longest = max(longest, together)
        return longest


class Heart(Runner):
    """Counts, tells the count to whoever listens, and answers requests."""

    def __init__(self, *, journal: Journal, **options: Any) -> None:
        super().__init__(**options)
        self._journal = journal

    async def on_actor_start(self, actor: Actor) -> None:
        if actor.name == HEART:
            count = int(await actor.kv.get(COUNT) or 0)
            actor.spawn(self._beat(actor, count, self._journal.born(actor.generation, count)))

    async def _beat(self, actor: Actor, count: int, life: Life) -> None:
        try:
            while True:
                count += 1
                self._journal.attempted = max(count, self._journal.attempted)
                await actor.kv.put(COUNT, str(count).encode())
                self._journal.acknowledge(count)
                for ws in actor.websockets:
                    await _tell(ws, count)
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


async def _tell(ws: WebSocket, count: int) -> None:
    if ws.path == HELD:
        try:
            await ws.send(str(count))
        except WebSocketClosed:
            return
