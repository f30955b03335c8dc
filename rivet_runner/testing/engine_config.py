"""The configuration and the ports of a local engine."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["LOOPBACK", "EnginePorts", "choose_ports", "engine_config", "is_free", "merge"]

LOOPBACK = "127.0.0.1"
# The range is below the ports that the operating system gives to outgoing connections (from 32,768 on Linux, higher
# on other systems). From that range, a client that keeps dialling a stopped engine could take the engine's port, or
# even connect to itself.
_PORT_RANGE = range(20_000, 32_000)
_ATTEMPTS_A_PORT = 200


class EnginePorts(msgspec.Struct, frozen=True):
    """The three loopback ports of an engine. Runners and clients connect to ``guard``."""

    guard: int
    api_peer: int
    metrics: int


def choose_ports(guard: int | None = None) -> EnginePorts:
    """Return ports that are free now. Another process may take one before the engine does.

    Raises `OSError` if the ``guard`` port that you pass is in use.
    """
    if guard is not None and not is_free(guard):
        raise OSError(f"port {guard} of {LOOPBACK} is in use")
    # With the shared generator, tests that seed it would make all engines choose the same ports.
    chooser = random.SystemRandom()
    chosen: list[int] = [] if guard is None else [guard]
    for _ in range(_ATTEMPTS_A_PORT):
        if len(chosen) == 3:
            return EnginePorts(*chosen)
        port = chooser.choice(_PORT_RANGE)
        if port not in chosen and is_free(port):
            chosen.append(port)
    raise OSError(f"{LOOPBACK} has no free port in {_PORT_RANGE}")


def is_free(port: int) -> bool:
    """Whether a process could listen on this loopback port now."""
    with socket.socket() as probe:
        # The engine does the same, so it can listen again while connections linger after a kill.
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
    """Return the configuration file as JSON values: defaults for tests, with ``overrides`` on top.

    Raises `ValueError` if the overrides change the guard's host or port, because clients would not find the engine.
    """
    config = merge(_defaults(ports, database), overrides)
    if admin_token is not None:
        config = merge(config, {"auth": {"admin_token": admin_token}})
    if (config["guard"]["host"], config["guard"]["port"]) != (LOOPBACK, ports.guard):
        raise ValueError("the config cannot override the guard's host and port; use port=")
    return config


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``overrides`` on top. Mappings are merged key by key, and other values replaced."""
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
            # Never shed load. On a small machine a test run alone reaches the 90 % CPU load at which the engine
            # creates no more actors. The first share must be greater than the second.
            "worker_load_shedding_curve": [[1_000_000, 1000], [1_000_001, 999]],
            # In seconds. By default an engine waits up to 10 minutes for open client WebSockets. The last value must
            # not be less than the other two.
            "guard_shutdown_duration": 1,
            "worker_shutdown_duration": 1,
            "force_shutdown_duration": 2,
        },
    }
