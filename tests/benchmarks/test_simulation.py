"""The loads of the simulated engine's benchmark do what they are for."""

from __future__ import annotations

import pytest

from benchmarks import simulation
from rivet_runner.testing import SimulatedEngine

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("load", [simulation.lives, simulation.hibernating, simulation.idle])
def test_load_takes_some_time(load: object) -> None:
    assert simulation.cpu_seconds(load, 20) > 0  # type: ignore[arg-type]


async def test_actors_sleep_after_their_lives() -> None:
    async with SimulatedEngine() as engine, engine.host(simulation.Room):
        await simulation.lives(engine, 3)
        states = [entry.what for entry in engine.trace if entry.part == "actor"]
        assert states.count("stopped") == 3
