"""Finds the engine's binary."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rivet_runner.errors import RivetRunnerError

__all__ = ["BINARY_VARIABLE", "ENGINE_VERSION", "EngineNotFound", "find_engine_binary"]

BINARY_VARIABLE = "RIVET_ENGINE_BINARY"
ENGINE_VERSION: Final = "2.3.19"
"""The engine that this package is tested with. `tools/install_engine.sh` reads this line."""
INSTALL_COMMAND: Final = f"npm install --prefix .engine @rivetkit/engine-cli@{ENGINE_VERSION}"
# The binary is in a separate package for each platform.
_INSTALLED_PATTERN = "node_modules/@rivetkit/engine-cli-*/rivet-engine"


class EngineNotFound(RivetRunnerError):
    """This machine has no engine binary. The message tells you how to install one."""


def find_engine_binary() -> Path:
    """Return the absolute path of the engine's binary. This never downloads anything.

    The path comes from ``RIVET_ENGINE_BINARY``, or else from the nearest ``.engine`` folder with a binary, from the
    working directory upward. Raises `EngineNotFound`.
    """
    configured = os.environ.get(BINARY_VARIABLE)
    if configured:
        return _checked(Path(configured))
    here = Path.cwd()
    for folder in (here, *here.parents):
        for candidate in sorted((folder / ".engine").glob(_INSTALLED_PATTERN)):
            if _is_executable(candidate):
                return candidate
    raise EngineNotFound(
        f"no engine binary: {BINARY_VARIABLE} is not set, and neither {here} nor the folders above it have an "
        f".engine folder with a binary. "
        f"Install one with `{INSTALL_COMMAND}` (in the project: `make engine`), or set {BINARY_VARIABLE}"
    )


def _checked(path: Path) -> Path:
    if not _is_executable(path):
        raise EngineNotFound(
            f"{BINARY_VARIABLE} is {str(path)!r}, which is not an executable file. "
            f"Set it to the engine's binary, or unset it and run `{INSTALL_COMMAND}`"
        )
    return path.absolute()


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
