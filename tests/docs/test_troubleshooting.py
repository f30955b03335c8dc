"""The page about messages: a reader who searches for a message finds the words of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.pages import PROJECT

PAGE = PROJECT / "docs" / "troubleshooting.md"
LEAST_LETTERS = 10

_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
_PLACEHOLDER = re.compile(r"%[-.\d]*[a-z]|\{[^}]*\}|…")


def templates() -> Iterator[str]:
    """Each text in the code, with an ellipsis for each value in it."""
    for path in sorted((PROJECT / "rivet_runner").rglob("*.py")):
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in docstrings:
                continue
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield _PLACEHOLDER.sub("…", node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


MESSAGES = _ROW.findall(PAGE.read_text())


def is_in_the_code(message: str, found: list[str]) -> bool:
    parts = message.split("…")
    pattern = re.compile(".*".join(re.escape(part) for part in parts), re.DOTALL)
    return any(pattern.search(template) for template in found if all(part in template for part in parts))


@pytest.mark.slow
def test_each_message_of_the_page_is_in_the_code() -> None:
    """One test, so that one process of a parallel run reads the code."""
    assert [message for message in MESSAGES if len(re.findall(r"\w", message)) < LEAST_LETTERS] == []
    other_words = "cannot reach the motor at … (…): retrying in … s"
    found = [*templates()]
    assert [message for message in [*MESSAGES, other_words] if not is_in_the_code(message, found)] == [other_words]


def test_each_row_quotes_one_message_and_no_other_row_does() -> None:
    assert len(MESSAGES) == len(set(MESSAGES)) > 70
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| message")]
    assert len(rows) == len(MESSAGES)
