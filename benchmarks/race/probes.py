"""The looks from outside: each ten times a second, unless the one before has no answer yet.

A request to an actor that sleeps wakes it, and so does a fresh WebSocket; the probes that do so carry "wakes" in their name.
The others change nothing: the management API, the actor's own heartbeat, and the WebSocket that was open before, on which
only what the actor sends is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from benchmarks.race.samples import Sample
from rivet_runner.testing import EngineApi, EngineApiError, HttpExchangeFailed, HttpResponse

__all__ = ["OLD_SOCKET", "PROBES", "Failed", "OldSocket", "Probe", "probes_for"]

EVERY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 2.0
"""An attempt without an answer for so long has failed."""

HEALTH, SAME, NEW, FRESH = (
    "management API, health",
    "HTTP to the same actor (wakes it)",
    "HTTP to a new actor",
    "fresh WebSocket (wakes the actor)",
)
OLD_SOCKET: Final = "old WebSocket"
PROBES: Final = (HEALTH, SAME, NEW, FRESH)


class Failed(Exception):
    """An attempt failed; the message is the code to show."""


class Probe:
    """Makes one attempt after the other, until it is cancelled.

    Not side by side: an engine that answers nothing for half a minute would be left with hundreds of requests and actors to
    see to first, and the harness would measure itself.
    """

    def __init__(self, name: str, attempt: Callable[[], Awaitable[None]], kill_time: float) -> None:
        self.name = name
        self._attempt = attempt
        self._zero = kill_time
        self.samples: list[Sample] = []

    async def run(self) -> None:
        """Until cancelled; the attempt that is under way then does not count."""
        while True:
            began = time.monotonic()
            self.samples.append(await self._measure(began))
            await asyncio.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))

    async def _measure(self, began: float) -> Sample:
        failure: str | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._attempt()
        except Exception as error:
            failure = code_of(error)
        return Sample(began - self._zero, time.monotonic() - began, failure)


def code_of(error: Exception) -> str:
    """A short name for what went wrong, the same for the same cause."""
    match error:
        case Failed():
            return str(error)
        case TimeoutError():
            return "no answer"
        case EngineApiError():
            return f"{error.status} {error.group}.{error.code}"
        case HttpExchangeFailed():
            return "refused" if "cannot connect" in str(error) else "cut off"
        case InvalidStatus():
            return f"{error.response.status_code} {_engine_error(bytes(error.response.body or b''))}".strip()
        case ConnectionClosed():
            return f"closed {error.rcvd.code} {error.rcvd.reason.partition('#')[0]}" if error.rcvd else "closed 1006"
        case InvalidHandshake() | EOFError():
            return "cut off"
        case ConnectionRefusedError():
            return "refused"
        case OSError():
            return "refused" if "refused" in str(error).lower() else "cut off"
        case _:
            return type(error).__name__


def _engine_error(body: bytes) -> str:
    found = re.search(rb'"group":"([^"]*)","code":"([^"]*)"', body)
    return b".".join(found.groups()).decode() if found else ""


def _check(response: HttpResponse) -> None:
    if response.status != 200:
        raise Failed(f"{response.status} {_engine_error(response.body)}".strip())


def probes_for(api: EngineApi, runner_name: str, actor_id: str, kill_time: float) -> list[Probe]:
    """All that make attempts."""

    async def health() -> None:
        await api.health()

    async def same_actor() -> None:
        _check(await api.request(actor_id, "GET", "/probe"))

    async def new_actor() -> None:
        created = await api.create_actor("probe", runner_name=runner_name, crash_policy="destroy")
        try:
            _check(await api.request(created.actor_id, "GET", "/probe"))
        finally:
            with contextlib.suppress(EngineApiError, HttpExchangeFailed):
                await asyncio.shield(api.destroy_actor(created.actor_id))

    async def fresh_socket() -> None:
        async with api.websocket(actor_id, "/fresh", close_timeout=1) as ws:
            await ws.send("ping")
            await ws.recv()

    attempts = (health, same_actor, new_actor, fresh_socket)
    return [Probe(name, attempt, kill_time) for name, attempt in zip(PROBES, attempts, strict=True)]


class OldSocket:
    """The WebSocket from before the kill: answers each beat with a pong, and notes beats and the close."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.beat = asyncio.Event()
        self._heard: list[float] = []
        self._closed: tuple[float, str] | None = None

    async def run(self) -> None:
        """Until the socket closes."""
        try:
            async for message in self._connection:
                self._heard.append(time.monotonic())
                self.beat.set()
                await self._connection.send(f"pong {message!s}")
            code, reason = self._connection.close_code, self._connection.close_reason or ""
            self._closed = (time.monotonic(), f"closed {code} {reason.partition('#')[0]}".strip())
        except ConnectionClosed as error:
            self._closed = (time.monotonic(), code_of(error))

    def samples(self, kill_time: float) -> list[Sample]:
        """A beat is a success, the close is the failure."""
        samples = [Sample(at - kill_time, 0.0) for at in self._heard if at >= kill_time]
        if self._closed is not None:
            samples.append(Sample(self._closed[0] - kill_time, 0.0, self._closed[1]))
        return samples
