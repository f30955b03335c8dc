"""The configuration that a local engine starts with, and the ports it listens on."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["LOOPBACK", "EnginePorts", "choose_ports", "engine_config", "is_free", "merge"]

LOOPBACK = "127.0.0.1"
# Below the range that the operating system hands out to outgoing connections (from 32,768 on Linux, higher
# elsewhere). In that range a client that keeps dialling a stopped engine can take the engine's port, or
# even connect to itself.
_PORT_RANGE = range(20_000, 32_000)
_ATTEMPTS_A_PORT = 200


class EnginePorts(msgspec.Struct, frozen=True):
    """The three loopback ports of one engine; ``guard`` is the one that everyone talks to."""

    guard: int
    api_peer: int
    metrics: int


def choose_ports(guard: int | None = None) -> EnginePorts:
    """Ports that are free now; another process may take one before the engine does.

    Raises ``OSError`` where a given ``guard`` port is taken.
    """
    if guard is not None and not is_free(guard):
        raise OSError(f"port {guard} of {LOOPBACK} is in use")
    # A generator of its own: tests that seed the shared one must not make every engine choose the same ports.
    chooser = random.SystemRandom()
    chosen: list[int] = [] if guard is None else [guard]
    for _ in range(_ATTEMPTS_A_PORT):
        if len(chosen) == 3:
            return EnginePorts(*chosen)
        port = chooser.choice(_PORT_RANGE)
        if port not in chosen and is_free(port):
            chosen.append(port)
    raise OSError(f"no free port of {LOOPBACK} found in {_PORT_RANGE}")


def is_free(port: int) -> bool:
    """Whether something could listen on this loopback port now."""
    with socket.socket() as probe:
        # As the engine does: connections that linger after a kill do not keep it from listening again.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def engine_config(
    ports: EnginePorts, database: Path, overrides: Mapping[str, Any], admin_token: str | None
) -> dict[str, Any]:
    """The whole configuration file, as JSON values: what a test wants, with ``overrides`` on top.

    Raises ``ValueError`` where the overrides move a port: the engine would listen where nobody looks for it.
    """
    config = merge(_defaults(ports, database), overrides)
    if admin_token is not None:
        config = merge(config, {"auth": {"admin_token": admin_token}})
    if (config["guard"]["host"], config["guard"]["port"]) != (LOOPBACK, ports.guard):
        raise ValueError("the guard's host and port cannot be overridden in the config; use port=")
    return config


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``overrides`` on top, mappings key by key, any other value replaced. Changes neither."""
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _defaults(ports: EnginePorts, database: Path) -> dict[str, Any]:
    datacenter = {
        "datacenter_label": 1,
        "is_leader": True,
        "public_url": f"http://{LOOPBACK}:{ports.guard}",
        "peer_url": f"http://{LOOPBACK}:{ports.api_peer}",
    }
    return {
        "guard": {"host": LOOPBACK, "port": ports.guard},
        "api_peer": {"host": LOOPBACK, "port": ports.api_peer},
        "metrics": {"host": LOOPBACK, "port": ports.metrics},
        "topology": {"datacenter_label": 1, "datacenters": {"default": datacenter}},
        "file_system": {"path": str(database)},
        "runtime": {
            # Never shed load: on a small machine a test run alone reaches the 90 % at which actors are no
            # longer created. The first share must exceed the second.
            "worker_load_shedding_curve": [[1_000_000, 1000], [1_000_001, 999]],
            # Seconds. An engine waits up to 10 minutes for open client WebSockets otherwise. The last one
            # must be at least as large as each of the others.
            "guard_shutdown_duration": 1,
            "worker_shutdown_duration": 1,
            "force_shutdown_duration": 2,
        },
    }
