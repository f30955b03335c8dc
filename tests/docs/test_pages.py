"""The pages of the documentation: their links, paths and options are those that there are."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rivet_runner import RunnerConfig
from rivet_runner.testing.engine_binary import ENGINE_VERSION, INSTALL_COMMAND
from tests.cli.support import run_command
from tests.docs.pages import PAGES, PROJECT, README, named, programs
from tests.support.markdown import Block, anchors, blocks, links, prose

TESTING = PROJECT / "docs" / "testing.md"

HOME = "https://github.com/rivet-dev/rivet-runner-python/"
"""The package index shows the README too, and knows nothing of the files beside it."""

REPORT = f"{HOME}security/advisories/new"
"""A form of the site, which is no file."""

SAVED_BY_THE_READER = {program.name for program in programs(*PAGES)}
"""The modules that the pages have their readers save, and that other blocks import."""

ENVIRONMENT = {
    "RIVET_ENDPOINT": ("https://engine.example", "https://engine.example"),
    "RIVET_TOKEN": ("secret", "secret"),
    "RIVET_NAMESPACE": ("production", "production"),
    "RIVET_POOL": ("pool", "pool"),
    "RIVET_RUNNER_NAME": ("counter", "counter"),
    "RIVET_RUNNER_VERSION": ("7", 7),
    "RIVET_TOTAL_SLOTS": ("12", 12),
    "RIVET_RUNNER_PROTOCOL": ("7", 7),
}
"""A value for each variable, and the field's value that comes of it."""

_PATH = re.compile(r"`((?:\.\./)*(?:benchmarks|docs|examples|protocol|rivet_runner|tests|tools)/[\w./-]*)`")
_OPTION_ROW = re.compile(r"^\| (`[^|]*) \| ([^|]*)\| ([^|]+) \|", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")


def blocks_in(*languages: str) -> list[Any]:
    """A parameter for each block in one of these languages."""
    return [
        pytest.param(block, id=f"{named(page)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page))
        if block.language in languages
    ]


def imports_of(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module, [alias.name for alias in node.names]


@pytest.mark.parametrize("block", blocks_in("python"))
def test_python_block_compiles_and_finds_its_imports_when_it_is_copied(block: Block) -> None:
    tree = ast.parse(block.text)
    compile(tree, "block", "exec")
    for module, names in imports_of(tree):
        if module not in SAVED_BY_THE_READER:
            assert all(hasattr(importlib.import_module(module), name) for name in names), module


@pytest.mark.parametrize("block", blocks_in("sh"))
def test_shell_block_can_be_parsed_when_it_is_pasted(block: Block) -> None:
    parsed = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, timeout=300, check=False)
    assert (parsed.returncode, parsed.stderr) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_block_says_its_language_when_it_can_be_run(page: Path) -> None:
    # A block without one is a drawing, and an output is text. A name in braces is for Sphinx.
    languages = {block.language for block in blocks(page) if not block.language.startswith("{")}
    assert languages <= {"python", "sh", "typescript", "yaml", "text", ""}
    assert prose(page).count("```") == 0


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_link_leads_somewhere_when_it_is_followed(page: Path) -> None:
    for link in links(page):
        target, _, anchor = link.partition("#")
        if target == REPORT:
            continue
        if target.startswith(HOME):
            view, _, path = target.removeprefix(HOME).partition("/main/")
            assert view in ("blob", "tree", "raw"), link
            file = PROJECT / path
            assert file.is_dir() == (view == "tree"), link
        elif "://" in target:
            continue
        else:
            assert page != README, f"{link} is relative, which the package index does not follow"
            file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_path_exists_when_a_page_names_it(page: Path) -> None:
    for path in _PATH.findall(prose(page)):
        assert (PROJECT / path).exists(), path


def options() -> dict[str, tuple[list[str], str]]:
    """Each option of the configuration page: its variables, and its default as it is written there."""
    page = (PROJECT / "docs" / "configuration.md").read_text()
    return {
        _QUOTED.findall(option)[0]: (_QUOTED.findall(variables), default)
        for option, variables, default in _OPTION_ROW.findall(page)
    }


def test_every_option_is_documented_when_there_is_a_field_for_it() -> None:
    assert [*options()] == [*RunnerConfig.__struct_fields__]


def test_default_is_the_documented_one_when_nothing_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ENVIRONMENT:
        monkeypatch.delenv(variable, raising=False)
    defaults = msgspec.structs.asdict(RunnerConfig())
    for option, (_, default) in options().items():
        if option != "runner_key":
            text = default.strip("`")
            actual = defaults[option]
            assert actual == (text if isinstance(actual, str) else ast.literal_eval(text)), option


def test_variable_sets_its_option_when_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    documented = {variable: option for option, (variables, _) in options().items() for variable in variables}
    assert documented.keys() == ENVIRONMENT.keys()
    for variable, option in documented.items():
        for other in ENVIRONMENT:
            monkeypatch.delenv(other, raising=False)
        text, value = ENVIRONMENT[variable]
        monkeypatch.setenv(variable, text)
        assert getattr(RunnerConfig(), option) == value, variable


def test_installation_names_this_package_and_the_tested_engine() -> None:
    (package,) = (block.text.strip() for block in blocks(README) if " install " in block.text)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    name, _, extras = package.removeprefix('pip install "').removesuffix(']"').partition("[")
    assert name == project["name"]
    assert {*extras.split(",")} <= project["optional-dependencies"].keys()
    (engine,) = (block.text.strip() for block in blocks(TESTING) if " install " in block.text)
    assert engine == INSTALL_COMMAND
    assert engine.rpartition("@")[2] == ENGINE_VERSION


async def test_port_of_the_readme_is_the_default_of_the_command_and_of_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIVET_ENDPOINT", raising=False)
    assert f"The engine is at {RunnerConfig().endpoint} (" in README.read_text()
    told = await run_command("dev", "--help")
    assert f"[default: {RunnerConfig().endpoint.rpartition(':')[2]};" in " ".join(told.out)


def test_changelog_tells_of_this_version_when_it_is_released() -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    version = importlib.import_module("rivet_runner").__version__
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, re.MULTILINE)
    assert changelog.index("## [Unreleased]") < changelog.index(f"## [{version}]")
