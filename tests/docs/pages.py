"""The pages that readers follow, and the programs in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.markdown import Block, blocks

__all__ = ["DOCS", "PAGES", "PROJECT", "RAW", "README", "Program", "named", "programs", "save_programs", "shell_blocks"]

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = sorted((PROJECT / "docs").rglob("*.md"))
OTHERS = [
    PROJECT / name
    for name in (
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "protocol/README.md",
        "tests/protocol/golden/README.md",
    )
]
PAGES = [README, *DOCS, *OTHERS]
RAW = PROJECT / "docs" / "raw.md"
FOLLOWED = (README, RAW)
"""Tests of their own follow these pages from their first line to their last. Other pages import their programs."""

NEEDS_ENGINE = ("LocalEngine", "rivet_engine")
"""The names by which a program shows that it needs the real engine."""

NOT_RUN = ("pip ", "npm ", "make ", "pre-commit ", "kubectl ")
"""Commands that install something, or that need a cluster."""

_SAVED_AS = re.compile(r"as\s+`(\w+)\.py`")


class Program(NamedTuple):
    """One Python block. ``name`` is the module as which the page has it saved, or one that tells the page."""

    page: Path
    name: str
    text: str

    @property
    def needs_engine(self) -> bool:
        return any(name in self.text for name in NEEDS_ENGINE)


def named(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def programs(*pages: Path) -> Iterator[Program]:
    for page in pages:
        for number, block in enumerate(block for block in blocks(page) if block.language == "python"):
            saved_as = _SAVED_AS.findall(block.before)
            name = saved_as[-1] if saved_as else f"{_kind(block.text)}_{page.stem}_{number}"
            yield Program(page, name, block.text)


def _kind(text: str) -> str:
    """A program that calls its tests itself is no module for pytest."""
    return "test" if "def test_" in text and "asyncio.Runner" not in text else "program"


def save_programs(folder: Path, *, needs_engine: bool) -> list[str]:
    """Save the programs of all guides that need the real engine, or those that need none, and return their names.

    Those of the followed pages are there too, as many of them import one. They are not returned, since some run when
    they are imported.
    """
    guides = [page for page in PAGES if page not in FOLLOWED]
    saved = [program for program in programs(*guides) if program.needs_engine == needs_engine]
    for program in (*programs(*FOLLOWED), *saved):
        path = folder / f"{program.name}.py"
        assert not path.exists(), f"two pages have their readers save {path.name}"
        path.write_text(program.text)
    return [program.name for program in saved]


def shell_blocks(page: Path) -> list[Block]:
    """The blocks of commands that a test can run."""
    return [block for block in blocks(page) if block.language == "sh" and not block.text.startswith(NOT_RUN)]
