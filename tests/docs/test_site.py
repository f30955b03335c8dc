"""The extensions in ``docs/_ext``, on a site of two pages. `make docs` builds the real one, where a warning is an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PROJECT

pytestmark = pytest.mark.slow

CONF = f"""
import pathlib
import sys
sys.path[:0] = [{str(PROJECT / "docs" / "_ext")!r}, str(pathlib.Path(__file__).parent)]
project = "a project"
extensions = ["myst_parser", "sphinx.ext.autodoc", "repository_links", "reference", "llms"]
myst_heading_anchors = 3
default_role = "py:obj"
nitpicky = True
html_baseurl = "https://docs.example/"
reference_packages = ["tiny"]
"""

INDEX = """
# A project

A project of two pages. It is small.

```{toctree}
:caption: The pages

guide
api
```
"""

GUIDE = """
# A guide

The guide, in one `sentence`. Here is [a file](../data.txt), and [a folder](../more).

```{include} ../README.md
:start-after: <!-- part -->
:end-before: <!-- end -->
```
"""

README = """
Not this.
<!-- part -->
See [the end](https://github.com/rivet-dev/rivet-runner-python/blob/main/docs/guide.md#the-end),
[the same](docs/guide.md#the-end) and [the data](data.txt).

## The end
<!-- end -->
Nor this.
"""

API = """
# Reference

What there is.

```{eval-rst}
.. automodule:: tiny
   :members:
```
"""

TINY = '''
"""A module. See `drain`."""

__all__ = ["Engine", "start"]

class _Core:
    pass

class Engine:
    """An engine, from `start`."""

    def __init__(self, core: _Core) -> None:
        self._core = core

    def drain(self) -> None:
        """Let it run dry."""

def start() -> Engine:
    """Start one. See `Engine.drain`."""
    return Engine(_Core())
'''

LINE = "- [A guide](https://docs.example/guide.md): The guide, in one sentence."
REPOSITORY = "https://github.com/rivet-dev/rivet-runner-python"


class Site:
    """A checkout with a site in it, and the result of its build."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in {
            "docs/conf.py": CONF,
            "docs/index.md": INDEX,
            "docs/guide.md": GUIDE,
            "docs/api.md": API,
            "docs/tiny.py": TINY,
            "README.md": README,
            "data.txt": "",
            "more/data.txt": "",
        }.items():
            path = root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.warnings = ""

    def build(self) -> None:
        call = ["-q", "-b", "html", str(self.root / "docs"), str(self.root / "built")]
        ran = subprocess.run(
            [sys.executable, "-m", "sphinx", *call], capture_output=True, text=True, timeout=300, check=True
        )
        self.warnings = ran.stderr

    def change(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def built(self, name: str) -> str:
        return (self.root / "built" / name).read_text()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_links_and_lists_are_right_when_nothing_is_wrong(site: Site) -> None:
    site.build()
    assert site.warnings == ""
    page = site.built("guide.html")
    assert page.count('href="#the-end"') >= 3, "two links and the table of contents"
    assert page.count(f'href="{REPOSITORY}/blob/main/data.txt"') == 2
    assert f'href="{REPOSITORY}/tree/main/more"' in page
    assert "Not this." not in page
    reference = site.built("api.html")
    assert 'href="#tiny.Engine.drain"' in reference
    assert "_Core" not in reference
    assert site.built("llms.txt").splitlines() == [
        "# a project",
        "",
        "> A project of two pages.",
        "",
        "## The pages",
        "",
        LINE,
        "- [Reference](https://docs.example/api.txt): What there is.",
    ]
    text = site.built("guide.md")
    assert f"[the data]({REPOSITORY}/blob/main/data.txt)" in text
    assert "Not this." not in text
    assert "Nor this." not in text
    assert "```" not in text
    assert "Let it run dry." in site.built("api.txt")
    assert site.built("llms-full.txt") == f"{text}\n\n{site.built('api.txt')}"


def test_pages_keep_their_text_when_only_another_one_has_changed(site: Site) -> None:
    site.build()
    before = site.built("llms-full.txt")
    site.change("docs/index.md", "small", "tiny")
    site.build()
    assert site.built("llms-full.txt") == before


@pytest.mark.parametrize(
    ("name", "old", "new", "warning"),
    [
        ("docs/guide.md", "../data.txt", "../gone.txt", "there is no gone.txt in the repository"),
        ("docs/guide.md", "../data.txt", "gone.md", "gone"),
        ("README.md", "docs/guide.md#the-end", "docs/guide.md#gone", "gone"),
        ("docs/tiny.py", "`drain`", "`gone`", "gone"),
        ("docs/tiny.py", '["Engine", ', '["Engine", "_Core", ', "tiny._Core is public, and no page of the reference has it"),
    ],
)
def test_build_warns_when_a_name_leads_nowhere(site: Site, name: str, old: str, new: str, warning: str) -> None:
    site.change(name, old, new)
    site.build()
    assert "WARNING" in site.warnings
    assert warning in site.warnings
