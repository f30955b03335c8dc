"""The site that `make docs` builds from the pages of this folder and the docstrings, without a network."""

from __future__ import annotations

import builtins
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
# The package beside this folder, also if another one is installed.
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from prometheus_client import CollectorRegistry  # noqa: E402

import rivet_runner  # noqa: E402
from rivet_runner import Actor, HibernationStore, config  # noqa: E402

# Its annotations name these, and it imports them for type checkers alone.
vars(config).update(Actor=Actor, HibernationStore=HibernationStore, CollectorRegistry=CollectorRegistry)

project = "rivet-runner"
author = "the authors of rivet-runner"
copyright = "the authors of rivet-runner, Apache-2.0"
version = release = rivet_runner.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "repository_links", "reference", "llms"]
exclude_patterns = ["_ext"]
# A drawing is no program.
highlight_language = "text"

# Links between pages have the anchors of GitHub, where the pages are read too.
myst_heading_anchors = 4

# Docstrings put names into single backticks, and each has to lead somewhere.
default_role = "py:obj"
nitpicky = True
reference_packages = [
    "rivet_runner",
    "rivet_runner.actors",
    "rivet_runner.asgi",
    "rivet_runner.serverless",
    "rivet_runner.testing",
    "rivet_runner.testing.scripted_engine",
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}

# Names of Python and of the libraries below are shown as code. Their inventories would have to come over the network.
_OTHERS = (
    *("_asyncio", "asyncio", "collections", "contextlib", "contextvars", "datetime", "logging", "os", "pathlib"),
    *("sqlite3", "subprocess", "types", "typing"),
    *("msgspec", "multidict", "prometheus_client", "websockets"),
)
nitpick_ignore_regex = [
    ("py:.*", "|".join(re.escape(name) for name in dir(builtins))),
    ("py:.*", rf"({'|'.join(_OTHERS)})\..+"),
    # In annotations: type variables, types of private modules, and messages, which are generated and many.
    ("py:class", r"(rivet_runner\..+\.)?(M|P|R|T|Ts|ActionT|ActorT|RunnerT|RunnerT_co|StateT)"),
    ("py:class", r"rivet_runner\.(.+\.)?(_.+|protocol\..+|JumpingSelector)|ToServer"),
]

smartquotes = False
html_theme = "furo"
html_title = f"rivet-runner {release}"
html_baseurl = "https://rivet-dev.github.io/rivet-runner-python/"
html_theme_options = {
    "source_repository": "https://github.com/rivet-dev/rivet-runner-python/",
    "source_branch": "main",
    "source_directory": "docs/",
}
html_show_sphinx = False
