"""The command without its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.engine.support import PROJECT

WITHOUT = """
import sys
sys.modules[{missing!r}] = None
from rivet_runner.cli import main
sys.exit(main({arguments!r}))
"""

INTERRUPTED = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from rivet_runner.cli import main
sys.exit(main(["--version"]))
"""

QUICK = """
import sys
import rivet_runner, rivet_runner.testing
assert not [name for name in sys.modules if name.startswith(("rivet_runner.cli", "typer", "rich", "dotenv"))]
"""


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("typer", ["actors", "list"]),
        ("rich", ["actors", "list"]),
        ("dotenv", ["run", "app:Counter"]),
        ("watchfiles", ["dev", "app:Counter"]),
        ("httpx", ["call", "room/a", "say"]),
        ("cbor2", ["connect", "room/a"]),
    ],
)
def test_one_line_says_how_to_get_the_command_when_its_extra_is_missing(missing: str, arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(missing=missing, arguments=arguments)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    extra = "actors" if missing in ("httpx", "cbor2") else "cli"
    assert f'pip install "rivet-runner[{extra}]"' in line


def test_it_ends_without_a_traceback_when_ctrl_c_comes_during_its_imports() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "")


def test_nothing_of_the_command_is_imported_with_the_library() -> None:
    subprocess.run([sys.executable, "-c", QUICK], cwd=PROJECT, timeout=300, check=True)
