"""Waiting for an actor that may never answer: the engine knows why one does not start."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import note
from rivet_runner.testing import ActorInfo, EngineApi, EngineApiError, HttpExchangeFailed

__all__ = ["told_why"]

LOOK_SECONDS: Final = 3.0
"""Between two looks at an actor that does not answer. A start takes far less."""


@contextlib.asynccontextmanager
async def told_why(connection: Connection, actor_id: str, which: str) -> AsyncIterator[None]:
    """If the block takes longer than a start, tell why ``which`` does not start, as soon as the engine knows."""
    looking = asyncio.create_task(_tell_why(connection.api(), actor_id, which), name="looking")
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


async def _tell_why(api: EngineApi, actor_id: str, which: str) -> None:
    """Note each new reason. Whether the engine answers is for the call itself to tell."""
    told = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(HttpExchangeFailed, EngineApiError, TimeoutError):
            reason = _reason(await api.get_actor(actor_id))
            if reason not in (None, told):
                note(f"{which} does not start: {reason}")
                told = reason


def _reason(actor: ActorInfo) -> str | None:
    """Why the engine says that the actor does not run, in one line. None if it runs, or nothing is known."""
    if actor.connectable_ts is not None:
        return None
    match actor.error:
        case {"crashed": {"message": str(message)}}:
            return " ".join(message.split())
        case None if actor.pending_allocation_ts is None:
            return None
        case None | "no_capacity":
            return "no runner has room for it, or none is connected (see `rivet-runner doctor`)"
        case error:
            return msgspec.json.encode(error).decode()
