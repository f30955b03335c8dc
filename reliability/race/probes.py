"""The looks from outside, and their outcome.

Each look comes ten times a second, unless the one before has no answer yet.
A request to an actor that sleeps wakes it, and so does a fresh WebSocket: such probes carry "wakes" in their name. The
others change nothing: the management API, the actor's own heartbeat, and the WebSocket that was open before, which only
answers the actor's messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from rivet_runner.testing import EngineApi, EngineApiError, HttpExchangeFailed
from rivet_runner.testing.engine_types import decode_answer

__all__ = ["OldSocket", "Outcome", "Sample", "look", "outcome_of", "probes_for"]

EVERY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 2.0
"""An attempt without an answer for so long has failed."""

STABLE_SECONDS: Final = 2.0
"""Successes for so long, without a failure between them, count as stable."""

ENGINE_ERROR: Final = re.compile(rb'"group":"([^"]*)","code":"([^"]*)"')


Attempt = Callable[[], Awaitable[object]]
"""Raises if it fails."""


class Sample(NamedTuple):
    """One attempt: when it began (seconds after the kill), how long it took, and how it failed."""

    at: float
    took: float
    failure: str | None = None


class Outcome(NamedTuple):
    """Times in seconds after the kill, or `None` if it did not happen."""

    first_failure: float | None
    failures: Counter[str]
    first_success: float | None
    """When the first answer came to an attempt that was made after the first failure."""
    stable_success: float | None
    """The same, for the first attempt from which on all succeeded."""


def outcome_of(samples: Sequence[Sample]) -> Outcome:
    """The outcome of ``samples``, which are in the order in which they began."""
    failures = Counter(sample.failure for sample in samples if sample.failure is not None)
    if not failures:
        return Outcome(None, failures, 0.0, 0.0)
    first = next(sample.at for sample in samples if sample.failure is not None)
    successes = (sample.at + sample.took for sample in samples if sample.at > first and sample.failure is None)
    return Outcome(first, failures, next(successes, None), _stable(samples))


def _stable(samples: Sequence[Sample]) -> float | None:
    run = [*itertools.takewhile(lambda sample: sample.failure is None, reversed(samples))]
    if not run or run[0].at - run[-1].at < STABLE_SECONDS:
        return None
    return run[-1].at + run[-1].took


async def look(attempt: Attempt, samples: list[Sample], kill_time: float) -> None:
    """Add to ``samples`` until cancelled. The attempt that is under way then does not count.

    Attempts never run side by side. An engine that answers nothing for half a minute would have hundreds of requests and
    actors to see to first, and the harness would measure itself.
    """
    while True:
        began = time.monotonic()
        failure: str | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await attempt()
        except Exception as error:
            failure = code_of(error)
        took = time.monotonic() - began
        samples.append(Sample(began - kill_time, took, failure))
        await asyncio.sleep(max(0.0, EVERY_SECONDS - took))


def code_of(error: Exception) -> str:
    """A short name for a failure, the same for the same cause."""
    match error:
        case TimeoutError():
            return "no answer"
        case EngineApiError():
            # The group is http if the answer was none of the engine's own errors.
            return str(error.status) if error.group == "http" else f"{error.status} {error.group}.{error.code}"
        case InvalidStatus():
            found = ENGINE_ERROR.search(error.response.body or b"")
            return f"{error.response.status_code} {b'.'.join(found.groups()).decode() if found else ''}".strip()
        case ConnectionClosed():
            return _close_code(error.rcvd.code, error.rcvd.reason) if error.rcvd else "closed 1006"
        case HttpExchangeFailed() | OSError() | InvalidHandshake() | EOFError():
            # The text may be that of several errors, if the host has several addresses.
            return "refused" if re.search("cannot connect|connect call|refused", str(error), re.IGNORECASE) else "cut off"
        case _:
            return type(error).__name__


def _close_code(code: int | None, reason: str | None) -> str:
    return f"closed {code} {(reason or '').partition('#')[0]}".strip()


def probes_for(api: EngineApi, runner_name: str, actor_id: str) -> dict[str, Attempt]:
    """The attempts of each probe, by its name."""

    async def request(actor_id: str) -> None:
        decode_answer(await api.request(actor_id, "GET", "/probe"), msgspec.Raw)

    async def new_actor() -> None:
        created = await api.create_actor("probe", runner_name=runner_name, crash_policy="destroy")
        try:
            await request(created.actor_id)
        finally:
            with contextlib.suppress(EngineApiError, HttpExchangeFailed):
                await asyncio.shield(api.destroy_actor(created.actor_id))

    async def fresh_socket() -> None:
        async with api.websocket(actor_id, "/fresh", close_timeout=1) as ws:
            await ws.send("ping")
            await ws.recv()

    return {
        "management API, health": api.health,
        "HTTP to the same actor (wakes it)": partial(request, actor_id),
        "HTTP to a new actor": new_actor,
        "fresh WebSocket (wakes the actor)": fresh_socket,
    }


class OldSocket:
    """The WebSocket from before the kill: answers each beat, and notes the beats and the close."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.beat = asyncio.Event()
        self._heard: list[float] = []
        self._closed: tuple[float, str] | None = None

    async def run(self) -> None:
        """Answer until the socket closes."""
        with contextlib.suppress(ConnectionClosed), contextlib.closing(self._connection.transport):
            async for message in self._connection:
                self._heard.append(time.monotonic())
                self.beat.set()
                await self._connection.send(f"pong {message!s}")
        self._closed = (time.monotonic(), _close_code(self._connection.close_code, self._connection.close_reason))

    def samples(self, kill_time: float) -> list[Sample]:
        """Each beat is a success, and the close is a failure."""
        samples = [Sample(at - kill_time, 0.0) for at in self._heard if at >= kill_time]
        if self._closed is not None:
            samples.append(Sample(self._closed[0] - kill_time, 0.0, self._closed[1]))
        return samples
