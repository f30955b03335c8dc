"""Clients that do not wait until their actor is ready: by the query of a gateway path, or by a subprotocol."""

from __future__ import annotations

import asyncio

import pytest

from rivet_runner import Actor
from rivet_runner.testing import SimulatedEngine
from rivet_runner.testing._simulated.actor_query import split_query
from tests.simulated.rooms import Room, virtual

QUERY = "rvt-namespace=default&rvt-method=get"


@pytest.mark.parametrize(
    ("parameter", "waits"),
    [
        ("", True),
        ("&rvt-skip-ready-wait=true", False),
        ("&rvt-skip-ready-wait=1", True),
        ("&rvt-skip-ready-wait=false", True),
        ("&rvt-skip-ready-wait=0", True),
    ],
)
def test_only_the_word_true_in_a_query_skips_the_wait(parameter: str, waits: bool) -> None:
    actor, _ = split_query("room", QUERY + parameter)
    assert actor.waits is waits


@virtual
@pytest.mark.parametrize(("offered", "waits"), [("rivet, rivet_skip_ready_wait", False), ("rivet", True)])
async def test_websocket_is_sent_to_an_actor_that_starts_when_its_subprotocols_say_so(offered: str, waits: bool) -> None:
    async def slow(actor: Actor) -> None:
        await asyncio.sleep(5)

    async with SimulatedEngine(clock="virtual") as engine, engine.host(Room, on_start=slow):
        actor = await engine.create("room")
        await engine.advance(1)
        async with actor.websocket("/room", headers={"sec-websocket-protocol": offered}):
            await engine.advance(1)
            opens = [entry for entry in engine.trace if "WebSocketOpen" in str(entry)]
            assert (opens == []) is waits
