from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from rivet_runner.testing.engine_config import (
    LOOPBACK,
    EnginePorts,
    choose_ports,
    engine_config,
    is_free,
    merge,
)

PORTS = EnginePorts(1, 2, 3)
DATABASE = Path("/somewhere")


def test_merge_replaces_a_value_when_one_side_is_no_mapping() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 1, "e": {"f": 1}}
    overrides = {"a": {"c": [3], "g": {"h": None}}, "d": {"i": 1}, "e": 2}
    assert merge(base, overrides) == {
        "a": {"b": 1, "c": [3], "g": {"h": None}},
        "d": {"i": 1},
        "e": 2,
    }


def test_neither_side_changes_when_the_merged_config_does() -> None:
    base, overrides = {"a": {"b": 1}}, {"a": {"c": 2}, "d": {"e": 1}}
    merged = merge(base, overrides)
    merged["a"]["b"] = merged["d"]["e"] = 9
    assert (base, overrides) == ({"a": {"b": 1}}, {"a": {"c": 2}, "d": {"e": 1}})


def test_config_shuts_down_quickly_and_sheds_no_load_when_nothing_is_overridden() -> None:
    config = engine_config(PORTS, DATABASE, {}, None)
    assert config["topology"]["datacenters"]["default"]["public_url"] == "http://127.0.0.1:1"
    assert (config["guard"]["port"], config["api_peer"]["port"], config["metrics"]["port"]) == (1, 2, 3)
    runtime = config["runtime"]
    assert runtime["force_shutdown_duration"] >= runtime["guard_shutdown_duration"]
    assert runtime["worker_load_shedding_curve"][0][1] > runtime["worker_load_shedding_curve"][1][1]
    assert "auth" not in config
    assert msgspec.json.decode(msgspec.json.encode(config)) == config


def test_the_rest_of_a_section_stays_when_a_part_is_overridden() -> None:
    config = engine_config(PORTS, DATABASE, {"runtime": {"guard_shutdown_duration": 2}}, "secret")
    assert config["runtime"]["guard_shutdown_duration"] == 2
    assert "worker_load_shedding_curve" in config["runtime"]
    assert config["auth"] == {"admin_token": "secret"}


def test_value_error_names_the_option_when_the_guard_port_is_overridden() -> None:
    with pytest.raises(ValueError, match="port="):
        engine_config(PORTS, DATABASE, {"guard": {"port": 5}}, None)


def test_ports_differ_and_are_below_those_of_outgoing_connections_when_chosen() -> None:
    for _ in range(20):
        ports = set(msgspec.structs.astuple(choose_ports()))
        assert len(ports) == 3
        assert max(ports) < 32_768


def test_given_port_is_refused_when_it_is_taken() -> None:
    # The system chooses: a port that was found free may be taken by another process a moment later.
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(OSError, match=str(port)):
            choose_ports(port)


def test_given_port_is_used_when_it_is_free() -> None:
    port = choose_ports().guard
    assert choose_ports(port).guard == port
