"""The reference: complete, and with names as the writers of docstrings see them.

A name in single backticks is found in other modules too, if there is only one. A signature that names private types is left
out: you get such an object from the package, and never make one. A public name without an entry is a warning.
"""

from __future__ import annotations

import importlib
import re
from typing import Any, Final

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

_PRIVATE: Final = re.compile(r"\b_\w")
_log: Final = logging.getLogger(__name__)


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.reference | None:
    if node["refdomain"] != "py" or node.hasattr("refspecific"):
        return None
    node["refspecific"] = True
    python = env.domains.python_domain
    return python.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], node["reftarget"], node, content)


def hide_private(
    app: Sphinx, what: str, name: str, obj: object, options: Any, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    if what in ("class", "exception") and signature and _PRIVATE.search(signature):
        return "", None
    return None


def check_complete(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of each name in the ``__all__`` of a public package that no page describes."""
    described = env.domains.python_domain.objects
    for package in app.config.reference_packages:
        for name in importlib.import_module(package).__all__:
            if not name.startswith("__") and f"{package}.{name}" not in described:
                _log.warning("%s.%s is public, and no page of the reference has it", package, name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("reference_packages", [], "env", list)
    app.connect("missing-reference", resolve)
    app.connect("autodoc-process-signature", hide_private)
    app.connect("env-check-consistency", check_complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
