"""The workflows and hooks: files that nothing on a developer's machine runs, so their slips are looked for here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parents[2]
WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
HOOKS = PROJECT / ".pre-commit-config.yaml"

OFFICIAL = re.compile(r"actions/[a-z-]+@v\d+|pypa/gh-action-pypi-publish@release/v1")

_TARGET = re.compile(r"^([a-z-]+):.*## ", re.MULTILINE)
_MAKE = re.compile(r"\bmake ([a-z-]+)")
_SCRIPT = re.compile(r"(?:^|\s)((?:tools|\.ci)/[\w./]+)")


def load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.stem}: {name}", job


def steps() -> Iterator[dict[str, Any]]:
    for _, job in jobs():
        yield from job["steps"]


def pyproject() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))


def test_there_are_workflows_for_changes_and_for_releases() -> None:
    assert [path.stem for path in WORKFLOWS] == ["ci", "release"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_unless_a_job_says_otherwise(path: Path) -> None:
    assert load(path)["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text(encoding="utf-8")


def test_only_the_uploads_may_prove_who_they_are() -> None:
    assert {name: job["permissions"] for name, job in jobs() if "permissions" in job} == {
        "release: publish": {"id-token": "write"},
        "release: publish-docs": {"pages": "write", "id-token": "write"},
    }


def test_every_job_has_a_time_limit() -> None:
    assert [name for name, job in jobs() if "timeout-minutes" not in job] == []


def test_every_action_is_official_and_pinned_to_a_major_version() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert used
    assert [action for action in used if not OFFICIAL.fullmatch(action)] == []


def test_every_command_is_there_when_a_job_runs_it() -> None:
    commands = "\n".join(step["run"] for step in steps() if "run" in step)
    targets = set(_TARGET.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))
    assert set(_MAKE.findall(commands)) - targets == set()
    scripts = _SCRIPT.findall(commands)
    assert scripts
    assert [script for script in scripts if not (PROJECT / script).is_file()] == []


def test_every_version_is_tested_when_the_package_names_it() -> None:
    matrix = load(PROJECT / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]
    classifiers = pyproject()["project"]["classifiers"]
    named = {name.removeprefix("Programming Language :: Python :: ") for name in classifiers if " :: 3." in name}
    assert named <= set(matrix["python"])
    (websockets,) = (name for name in pyproject()["project"]["dependencies"] if name.startswith("websockets"))
    oldest = re.search(r">=([\d.]+)", websockets)
    assert oldest is not None
    assert {job["websockets"] for job in matrix["include"]} == {oldest[1], ""}
    assert "<" in websockets


def test_every_hook_is_a_tool_of_this_project() -> None:
    (repository,) = load(HOOKS)["repos"]
    assert repository["repo"] == "local"
    installed = " ".join(pyproject()["project"]["optional-dependencies"]["dev"]) + " lint-imports"
    for hook in repository["hooks"]:
        tool = hook["entry"].split()[0]
        assert tool.startswith(".venv/bin/")
        assert tool.removeprefix(".venv/bin/") in installed
