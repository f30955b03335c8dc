"""Tests of serverless hosting ignore the environment, and no token may reach a log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.config.support import VARIABLES
from tests.support.asgi_server import TOKEN


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES - {"RIVET_RUNNER_PROTOCOL"}:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def no_token_in_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert TOKEN not in caplog.text
