"""The table of faults is the one of the documentation, and the tests that it names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.faults.table import FAULTS

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "connection.md"
SHOWN = sorted({node for fault in FAULTS for node in fault.shown_by})

_ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def documented() -> list[tuple[str, str]]:
    """Fault and promise of each row under the heading "Faults"."""
    section = PAGE.read_text().partition("\n## Faults\n")[2].partition("\n## ")[0]
    return [(name, promise) for name, promise in _ROW.findall(section) if name not in ("fault", "---")]


def names_of_tests(file: Path) -> set[str]:
    functions = [
        node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {function.name for function in functions if function.name.startswith("test_")}


def test_both_tables_are_the_same_when_they_are_compared() -> None:
    assert documented() == [(fault.name, fault.promise) for fault in FAULTS]


def test_every_fault_is_shown_by_a_test_when_it_is_promised() -> None:
    assert [fault.name for fault in FAULTS if not fault.shown_by] == []


@pytest.mark.parametrize("node", SHOWN)
def test_the_test_exists_when_the_table_names_it(node: str) -> None:
    file, _, name = node.partition("::")
    assert name in names_of_tests(PROJECT / file)


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda file: str(file.name))
def test_the_table_names_every_test_when_it_is_of_a_fault(file: Path) -> None:
    if file != Path(__file__):
        assert {f"{file.relative_to(PROJECT)}::{name}" for name in names_of_tests(file)} <= {*SHOWN}
