"""A simulated engine with an app, and a client that speaks JSON, as plain as can be."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rivet_runner.actors import App, DurableActor
from rivet_runner.testing import SimulatedActorHandle, SimulatedEngine

__all__ = ["call", "failure", "hosted", "value"]


@asynccontextmanager
async def hosted(
    *classes: type[DurableActor[Any]], app: App | None = None, **options: Any
) -> AsyncIterator[SimulatedEngine]:
    """An engine with one runner that hosts ``classes``."""
    async with SimulatedEngine() as engine:
        described = App(*classes) if app is None else app
        async with engine.host(described.runner, **options):  # type: ignore[arg-type]
            yield engine


async def call(
    actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None, body: bytes | None = None
) -> tuple[int, Any]:
    """Call an action by HTTP. Return the status and the answer."""
    headers = {} if params is None else {"x-rivet-conn-params": json.dumps(params)}
    sent = json.dumps({"args": args}).encode() if body is None else body
    answer = await actor.request("POST", f"/action/{name}", headers, sent)
    return answer.status, json.loads(answer.body)


async def value(actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None) -> Any:
    """Call an action that succeeds, and return its output."""
    status, answer = await call(actor, name, *args, params=params)
    assert status == 200, answer
    return answer["output"]


async def failure(actor: SimulatedActorHandle, name: str, *args: Any, params: Any = None) -> tuple[int, str]:
    """Call an action that fails, and return the status and ``group.code``."""
    status, answer = await call(actor, name, *args, params=params)
    assert status != 200, answer
    return status, f"{answer['group']}.{answer['code']}"
