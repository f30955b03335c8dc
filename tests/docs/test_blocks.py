"""The page about ASGI applications as its readers follow it, and the example that it shows."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path

from tests.support.markdown import blocks

PROJECT = Path(__file__).parents[2]
GUESTBOOK, *OTHERS = (block.text for block in blocks(PROJECT / "docs" / "asgi.md") if block.language == "python")

IMPORT_AND_TEST = """
import asyncio, importlib, sys
from rivet_runner import Runner

for name in sys.argv[1:]:
    module = importlib.import_module(name)
    for found in [*vars(module).values()]:
        if getattr(found, "__module__", None) != name:
            continue
        if isinstance(found, type) and issubclass(found, Runner):
            found(runner_name="x")
        elif getattr(found, "__name__", "").startswith("test_"):
            asyncio.run(found())
            print("passed")
"""
"""Also makes a runner of each class that the programs have."""


def test_page_shows_the_example() -> None:
    example = (PROJECT / "examples" / "guestbook.py").read_text()
    docstring = ast.parse(example).body[0]
    assert example.splitlines()[docstring.end_lineno :] == ["", *GUESTBOOK.splitlines()]


async def test_programs_and_tests_of_the_page_work_when_they_are_copied(tmp_path: Path) -> None:
    # One process for all of them, and without pytest: importing FastAPI takes longer than all the rest.
    (tmp_path / "guestbook.py").write_text(GUESTBOOK)
    names = [f"program_{number}" for number in range(len(OTHERS))]
    for name, program in zip(names, OTHERS, strict=True):
        (tmp_path / f"{name}.py").write_text(program)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-W", "error", "-c", IMPORT_AND_TEST, *names),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output = (await process.communicate())[0].decode()
    assert (process.returncode, output.split()) == (0, ["passed"]), output
