"""The page about ASGI applications as its readers follow it, and the example that it shows."""

from __future__ import annotations

import ast
import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.markdown import blocks

PROJECT = Path(__file__).parents[2]
PROGRAMS = [block.text for block in blocks(PROJECT / "docs" / "asgi.md") if block.language == "python"]
GUESTBOOK, TEST, *OTHERS = PROGRAMS


async def run(folder: Path, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


def test_page_shows_the_example() -> None:
    example = (PROJECT / "examples" / "guestbook.py").read_text()
    docstring = ast.parse(example).body[0]
    assert example.splitlines()[docstring.end_lineno :] == ["", *GUESTBOOK.splitlines()]


async def test_test_of_the_page_passes_when_it_is_copied(tmp_path: Path) -> None:
    (tmp_path / "guestbook.py").write_text(GUESTBOOK)
    (tmp_path / "test_guestbook.py").write_text(TEST)
    assert "1 passed" in await run(tmp_path, "-m", "pytest", "-o", "asyncio_mode=auto", "test_guestbook.py")


@pytest.mark.parametrize("program", OTHERS)
async def test_program_of_the_page_works_when_it_is_imported(tmp_path: Path, program: str) -> None:
    (tmp_path / "guestbook.py").write_text(GUESTBOOK)
    (tmp_path / "program.py").write_text(program)
    made = "import program, rivet_runner; [one(runner_name='x') for one in vars(program).values() if isinstance(one, type)"
    made += " and issubclass(one, rivet_runner.Runner) and one.__module__ == 'program']"
    await run(tmp_path, "-W", "error", "-c", made)
