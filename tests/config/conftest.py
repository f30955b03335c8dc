"""Tests of the configuration ignore the environment of the machine."""

from __future__ import annotations

import pytest

from tests.config.support import VARIABLES


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch
