"""Finds the npm package `rivetkit`, or installs it where the engine's version of it is missing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from rivet_runner.testing.engine_binary import ENGINE_VERSION

__all__ = ["JavaScriptNotFound", "find_client"]

PROJECT: Final = Path(__file__).parents[3]
FOLDER: Final = PROJECT / ".javascript"
SCRIPT: Final = PROJECT / "tools" / "install_javascript_client.sh"

INSTALL_SECONDS: Final = 300.0


class JavaScriptNotFound(Exception):
    """There is no Node.js, or npm could not install the package."""


def find_client(*, install: bool = True) -> Path:
    """The folder in which npm installed the package. If it is missing, installs it, which may take minutes.

    Raises `JavaScriptNotFound`.
    """
    if not _is_installed():
        if not install:
            raise JavaScriptNotFound(f"the JavaScript client is missing; tools/{SCRIPT.name} installs it")
        try:
            subprocess.run([SCRIPT], check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            raise JavaScriptNotFound(error.stderr.strip()) from None
        except subprocess.TimeoutExpired:
            raise JavaScriptNotFound(f"{SCRIPT.name} took over {INSTALL_SECONDS:g} s") from None
    return FOLDER


def _is_installed() -> bool:
    try:
        package = json.loads((FOLDER / "node_modules" / "rivetkit" / "package.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(package["version"] == ENGINE_VERSION)
