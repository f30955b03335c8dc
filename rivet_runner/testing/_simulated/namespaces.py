"""Namespaces: each has its own actors by key, runners by key, runner names, and queues for a runner."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from rivet_runner.testing._simulated.actor_state import SimulatedActor
from rivet_runner.testing._simulated.allocation import AllocationIndex
from rivet_runner.testing._simulated.errors import EngineError
from rivet_runner.testing._simulated.runner_state import SimulatedRunner

__all__ = ["DEFAULT", "Namespace", "check_new_namespace"]

DEFAULT: Final = "default"

NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_NAME: Final = 64


class Namespace:
    """One namespace. ``create_ts`` is in milliseconds."""

    def __init__(
        self, namespace_id: str, name: str, display_name: str, create_ts: int, new_index: Callable[[], AllocationIndex]
    ) -> None:
        self.namespace_id = namespace_id
        self.name = name
        self.display_name = display_name
        self.create_ts = create_ts
        self.actors_by_key: dict[tuple[str, str], SimulatedActor] = {}
        self.actor_names: dict[str, Any] = {}
        self.runners_by_key: dict[tuple[str, str], SimulatedRunner] = {}
        self.runner_names: dict[str, None] = {}
        """The runner configs: names that actors may select."""
        self._new_index = new_index
        self._allocation: dict[str, AllocationIndex] = {}

    def allocation(self, runner_name: str) -> AllocationIndex:
        """The runners of this name, and the actors that wait for one."""
        index = self._allocation.get(runner_name)
        if index is None:
            index = self._allocation[runner_name] = self._new_index()
        return index

    def free_actor_key(self, actor_id: str, name: str, key: str | None) -> None:
        """The actor is destroyed. Another may have its key by now."""
        if key is not None:
            holder = self.actors_by_key.get((name, key))
            if holder is not None and holder.id == actor_id:
                del self.actors_by_key[name, key]

    def free_runner_key(self, runner: SimulatedRunner) -> None:
        """The runner takes no connection any more. Another may have its key by now."""
        if self.runners_by_key.get((runner.name, runner.key)) is runner:
            del self.runners_by_key[runner.name, runner.key]


def check_new_namespace(name: str, display_name: str) -> None:
    """Raises `EngineError` if a namespace cannot have this name."""
    if not name:
        raise _failed("name too short")
    if len(name.encode()) > MAX_NAME:
        raise _failed("name too long")
    if not NAME.fullmatch(name):
        raise _failed("invalid name")
    if not display_name:
        raise _failed("display name too short")


def _failed(reason: str) -> EngineError:
    return EngineError("namespace.failed_to_create", f"Failed to create namespace: {reason}", {"reason": reason})
