"""`RealEngine` hosts an object that makes runners."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from rivet_runner.testing import RealEngine
from tests.engine.support import Engine, Probe


class Program:
    """Makes runners that have a name of their own."""

    def __init__(self) -> None:
        self.runner_name = f"runner-{uuid4().hex[:12]}"

    def runner(self, **options: Any) -> Probe:
        return Probe(**{"runner_name": self.runner_name, **options})


@pytest.mark.real_engine("RealEngine is what is tested")
async def test_an_object_that_makes_runners_is_hosted_under_its_own_name(engine: Engine) -> None:
    real, program = RealEngine(engine.endpoint), Program()
    async with real.host(program) as probe:
        actor = await real.create("probe", runner_name=program.runner_name)
        assert (await actor.request("GET", "/path")).text() == "/path "
        assert (probe.config.runner_name, probe.requests) == (program.runner_name, 1)
