"""The load on the workers of the command reaches all of them."""

from __future__ import annotations

import pytest

from benchmarks import workers

pytestmark = pytest.mark.slow


async def test_each_worker_answers() -> None:
    answers, processes = await workers.rate("simulated", 2, 1.0)
    assert answers > 0
    assert processes == 2
