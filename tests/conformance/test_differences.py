"""The list of known differences, held against both engines."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.bare import bare_runner
from tests.conformance.benches import Bench
from tests.conformance.differences import DIFFERENCES, Difference


def expected(name: str, bench: Bench) -> Any:
    difference = DIFFERENCES[name]
    return difference.real if bench.name == "real" else difference.simulated


async def test_connection_of_another_protocol_version_is_refused_by_the_simulated_engine(bench: Bench) -> None:
    async with bare_runner(bench, init=False, protocol_version="4") as runner:
        assert await runner.closed() == expected("protocol versions", bench)


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES.keys())
def test_difference_is_shown_by_a_test_or_says_why_none_can_show_it(difference: Difference) -> None:
    assert difference.simulated != difference.real
    assert difference.reason
    if difference.shown_by is None:
        assert difference.not_shown_because
    else:
        assert difference.not_shown_because is None
        module, _, name = difference.shown_by.partition(".")
        assert module == __name__.rpartition(".")[2]
        assert name in globals()
