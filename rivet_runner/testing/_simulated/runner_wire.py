"""The versions of the runner protocol that the engine speaks, each as a codec and the few facts that differ.

The engine works with the messages of version 3. Those of version 7 that differ are translated here and in
`runner_indexes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from rivet_runner.protocol import v3, v7
from rivet_runner.testing._simulated.runner_indexes import RunnerIndexes, RunnerIndexesV3, RunnerIndexesV7
from rivet_runner.testing._simulated.settings import EngineSettings

__all__ = ["WIRES", "RunnerWire"]


class RunnerWire(msgspec.Struct, frozen=True):
    """One version. ``call``, ``tunnel_up`` and ``tunnel_down`` are the first bytes of messages."""

    version: int
    codec: Any
    call: bytes
    tunnel_up: bytes
    tunnel_down: bytes
    indexes: Callable[[EngineSettings], RunnerIndexes]
    kv_response: Callable[[int, v3.KvResponseData], Any]
    pings: bool = False
    """Whether the engine pings the runner, and closes without an answer."""
    drains_older: bool = False
    """Whether the first init of a newer version drains the older runners of its name."""


def _indexes_v3(settings: EngineSettings) -> RunnerIndexes:
    return RunnerIndexesV3(ack_batch=settings.event_ack_batch)


def _indexes_v7(settings: EngineSettings) -> RunnerIndexes:
    return RunnerIndexesV7(ack_batch=settings.actor_event_ack_batch, actor_stop_threshold=settings.actor_stop_threshold)


def _kv_response_v7(request_id: int, data: v3.KvResponseData) -> v7.ToClientKvResponse:
    answer: v7.KvResponseData
    if isinstance(data, v3.KvGetResponse):
        answer = v7.KvGetResponse(data.keys, data.values, _metadata_v7(data))
    elif isinstance(data, v3.KvListResponse):
        answer = v7.KvListResponse(data.keys, data.values, _metadata_v7(data))
    else:
        answer = data
    return v7.ToClientKvResponse(request_id, answer)


def _metadata_v7(data: v3.KvGetResponse | v3.KvListResponse) -> list[v7.KvMetadata]:
    return [v7.KvMetadata(entry.version, entry.create_ts) for entry in data.metadata]


WIRES: Final = {
    3: RunnerWire(3, v3, b"\x05", b"\x06", b"\x05", _indexes_v3, v3.ToClientKvResponse),
    7: RunnerWire(7, v7, b"\x05", b"\x06", b"\x04", _indexes_v7, _kv_response_v7, pings=True, drains_older=True),
}
"""By the version in the query of a connection."""
