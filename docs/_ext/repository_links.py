"""Links as GitHub and the package index need them, turned into links of the site.

The pages are read at three places, and each follows other links. A link to a page of this folder stays within the site, also
if it is written with the address of GitHub, as in the README. A relative link to any other file of the repository leads to
GitHub.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.util import logging

REPOSITORY: Final = "https://github.com/rivet-dev/rivet-runner-python"

_LINK: Final = re.compile(r"(?<!!)(\[[^\]]*\]\()([^)\s]+)(\))")
_PAGE: Final = re.compile(rf"{re.escape(REPOSITORY)}/blob/main/docs/(.+\.md(?:#.*)?)")
_log: Final = logging.getLogger(__name__)


class Links:
    """The links of one text, whose relative ones start at ``folder``, a path inside the repository."""

    def __init__(self, root: Path, folder: str, page: str) -> None:
        self._root = root
        self._folder = folder
        self._page = page

    def rewrite(self, text: str) -> str:
        return _LINK.sub(lambda match: f"{match[1]}{self._target(match[2])}{match[3]}", text)

    def _target(self, target: str) -> str:
        page = _PAGE.fullmatch(target)
        if page is not None:
            return page[1]
        if "://" in target or target.startswith("#"):
            return target
        path, _, anchor = target.partition("#")
        full = posixpath.normpath(posixpath.join(self._folder, path))
        if full.startswith("docs/"):
            return posixpath.relpath(full, "docs") + (f"#{anchor}" if anchor else "")
        file = self._root / full
        if not file.exists():
            _log.warning("there is no %s in the repository", full, location=self._page)
        return f"{REPOSITORY}/{'tree' if file.is_dir() else 'blob'}/main/{full}" + (f"#{anchor}" if anchor else "")


def rewrite_page(app: Sphinx, page: str, source: list[str]) -> None:
    source[0] = Links(app.srcdir.parent, "docs", page).rewrite(source[0])


def rewrite_included(app: Sphinx, path: Path, page: str, source: list[str]) -> None:
    """An included file, such as the README, has links of its own place."""
    folder = (app.srcdir / path).resolve().parent.relative_to(app.srcdir.parent).as_posix()
    source[0] = Links(app.srcdir.parent, folder, page).rewrite(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", rewrite_page)
    app.connect("include-read", rewrite_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
