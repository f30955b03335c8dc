"""What a release needs before it is built."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tools.check_release import PROJECT, problems

PACKAGE = '"""Docs."""\n\n__version__ = "0.2.0"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2027-01-15\n\n- New.\n\n## [0.1.0] - 2026-11-26\n\n- First.\n"


def test_nothing_is_wrong_when_tag_version_and_changelog_agree() -> None:
    assert problems("v0.2.0", PACKAGE, CHANGELOG) == []


@pytest.mark.parametrize(
    ("tag", "package", "changelog", "problem"),
    [
        ("v0.2.1", PACKAGE, CHANGELOG, "the tag is v0.2.1, and __version__ is 0.2.0"),
        ("0.2.0", PACKAGE, CHANGELOG, "the tag is 0.2.0, and __version__ is 0.2.0"),
        (
            "v0.2.0",
            PACKAGE,
            CHANGELOG.replace("## [0.2.0] - 2027-01-15\n\n- New.\n\n", ""),
            "the newest release in the changelog is 0.1.0, and __version__ is 0.2.0",
        ),
        ("v0.2.0", PACKAGE, CHANGELOG.replace("- New.", ""), "the changelog says nothing about 0.2.0"),
        ("v0.2.0", PACKAGE, "# Changelog\n\n## [0.2.0]\n\n- New.\n", "the changelog has no release with a date"),
        ("v0.2.0", "", CHANGELOG, "there is no __version__"),
    ],
)
def test_the_problem_is_told_when_one_of_them_differs(tag: str, package: str, changelog: str, problem: str) -> None:
    assert problems(tag, package, changelog) == [problem]


def test_this_project_is_judged_when_the_script_runs() -> None:
    finished = subprocess.run(
        [sys.executable, str(PROJECT / "tools" / "check_release.py"), "v99.0"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 1
    assert re.search(r"the tag is v99.0, and __version__ is \d", finished.stderr)
