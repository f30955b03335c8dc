"""Check that a tag, the package's version and the newest release in the changelog agree.

The tag is the argument: ``python tools/check_release.py v0.2.0``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).parents[1]

_VERSION: Final = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_RELEASE: Final = re.compile(r"^## \[(\d[^\]]*)\] - (\d{4}-\d{2}-\d{2})\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def problems(tag: str, package: str, changelog: str) -> list[str]:
    """All that is wrong with a release of ``tag``: the text of the package's ``__init__.py`` and of the changelog."""
    version = _VERSION.search(package)
    release = _RELEASE.search(changelog)
    if version is None or release is None:
        return ["there is no __version__" if version is None else "the changelog has no release with a date"]
    found = []
    if tag != f"v{version[1]}":
        found.append(f"the tag is {tag}, and __version__ is {version[1]}")
    if release[1] != version[1]:
        found.append(f"the newest release in the changelog is {release[1]}, and __version__ is {version[1]}")
    if not release[3].strip():
        found.append(f"the changelog says nothing about {release[1]}")
    return found


def main(arguments: list[str]) -> int:
    package = (PROJECT / "rivet_runner" / "__init__.py").read_text(encoding="utf-8")
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = problems(arguments[0], package, changelog)
    for problem in found:
        print(f"release: {problem}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
