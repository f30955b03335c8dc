"""The programs of the guides as their readers use them: copied, type-checked, imported, and their tests run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.docs.copies import check_types, run_copies
from tests.docs.pages import PROJECT, programs


def test_page_shows_the_example_when_it_has_one() -> None:
    (shown,) = (one for one in programs(PROJECT / "docs" / "asgi.md") if one.name == "guestbook")
    example = (PROJECT / "examples" / "guestbook.py").read_text()
    docstring = ast.parse(example).body[0]
    assert example.splitlines()[docstring.end_lineno :] == ["", *shown.text.splitlines()]


@pytest.mark.slow
def test_programs_work_and_their_tests_pass_when_they_are_copied(tmp_path: Path) -> None:
    run_copies(tmp_path, needs_engine=False)


@pytest.mark.slow
@pytest.mark.parametrize("needs_engine", [False, True])
def test_programs_have_right_types_when_they_are_copied(tmp_path: Path, needs_engine: bool) -> None:
    check_types(tmp_path, needs_engine=needs_engine)
