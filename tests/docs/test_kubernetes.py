"""The page about Kubernetes: its manifest can be read, and agrees with its program and with the runner."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml

from rivet_runner._runtime.shutdown import HOOK_SECONDS, LOCAL_STOP_MARGIN
from tests.docs.pages import PROJECT, programs
from tests.docs.test_pages import ENVIRONMENT
from tests.support.markdown import blocks

PAGE = PROJECT / "docs" / "kubernetes.md"


@pytest.fixture
def manifest() -> list[dict[str, Any]]:
    (text,) = (block.text for block in blocks(PAGE) if block.language == "yaml")
    return [*yaml.safe_load_all(text)]


@pytest.fixture
def pod(manifest: list[dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = (one for one in manifest if one["kind"] == "Deployment")
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def options() -> dict[str, Any]:
    """The options of the page's program."""
    (program,) = programs(PAGE)
    (call,) = (
        node
        for node in ast.walk(ast.parse(program.text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "App"
    )
    return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg}


def test_every_selector_finds_the_pods(manifest: list[dict[str, Any]]) -> None:
    deployment, budget = manifest
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for one in (deployment, budget):
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_grace_period_is_longer_than_the_shutdown_of_the_program(pod: dict[str, Any], options: dict[str, Any]) -> None:
    longest = options["stop_timeout"] + options["actor_stop_timeout"] + LOCAL_STOP_MARGIN + HOOK_SECONDS
    assert pod["terminationGracePeriodSeconds"] > longest
    (seconds,) = re.findall(r"plus (\d+) s for the hooks", PAGE.read_text().replace("\n", " "))
    assert int(seconds) == LOCAL_STOP_MARGIN + HOOK_SECONDS


def test_probes_ask_the_port_of_the_program(pod: dict[str, Any], options: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    paths = {probe: container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert {ports[container[probe]["httpGet"]["port"]] for probe in paths} == {options["health_port"]}


def test_environment_has_variables_of_the_runner_and_no_key(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    variables = {entry["name"]: entry for entry in container["env"]}
    assert variables.keys() <= ENVIRONMENT.keys()
    assert "secretKeyRef" in variables["RIVET_TOKEN"]["valueFrom"]
    assert all(isinstance(entry["value"], str) for entry in container["env"] if "value" in entry)
    (program,) = programs(PAGE)
    assert container["command"] == ["python", f"{program.name}.py"]
