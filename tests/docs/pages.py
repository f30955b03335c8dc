"""The pages that readers follow, and the programs in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.markdown import Block, blocks

__all__ = ["DOCS", "GUIDES", "PAGES", "PROJECT", "README", "Program", "named", "programs", "save_programs", "shell_blocks"]

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
GUIDES = [page for page in PAGES if page != README]
"""The pages but the README, which a test of its own follows from its first line to its last."""

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
            if name == "counter" and page != README:  # a runner to begin with, and other pages import that of the README
                name = f"counter_of_{page.stem}"
            yield Program(page, name, block.text)


def _kind(text: str) -> str:
    """A program that calls its tests itself is no module for pytest."""
    return "test" if "def test_" in text and "asyncio.Runner" not in text else "program"


def save_programs(folder: Path, *, needs_engine: bool) -> list[str]:
    """Save the programs of all guides that need the real engine, or those that need none, and return their names.

    The README's runner is there too, as many of them import it.
    """
    counter = next(program for program in programs(README) if program.name == "counter")
    saved = [program for program in programs(*GUIDES) if program.needs_engine == needs_engine]
    for name, _, text in [(program.name, program.page, program.text) for program in (counter, *saved)]:
        path = folder / f"{name}.py"
        assert not path.exists(), f"two pages have their readers save {path.name}"
        path.write_text(text)
    return [program.name for program in saved]


def shell_blocks(page: Path) -> list[Block]:
    """The blocks of commands that a test can run."""
    return [block for block in blocks(page) if block.language == "sh" and not block.text.startswith(NOT_RUN)]
