"""The environment that a config reads, and its error messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

VARIABLES = {
    "RIVET_ENDPOINT",
    "RIVET_TOKEN",
    "RIVET_NAMESPACE",
    "RIVET_POOL",
    "RIVET_RUNNER_NAME",
    "RIVET_RUNNER_PROTOCOL",
    "RIVET_RUNNER_VERSION",
    "RIVET_TOTAL_SLOTS",
}


def message_of(build: Callable[[], object]) -> str:
    """Return the message of the ValueError that `build` must raise."""
    with pytest.raises(ValueError) as caught:
        build()
    return str(caught.value)
