"""Where the engine's binary is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from rivet_runner.errors import RivetRunnerError

__all__ = ["BINARY_VARIABLE", "ENGINE_VERSION", "EngineNotFound", "find_engine_binary"]

BINARY_VARIABLE = "RIVET_ENGINE_BINARY"
ENGINE_VERSION: Final = "2.3.19"
"""The engine that this package is tested against. `tools/install_engine.sh` reads this line."""
INSTALL_COMMAND: Final = f"npm install --prefix .engine @rivetkit/engine-cli@{ENGINE_VERSION}"
# The package has one platform package beside it, and that one carries the binary.
_INSTALLED_PATTERN = "node_modules/@rivetkit/engine-cli-*/rivet-engine"


class EngineNotFound(RivetRunnerError):
    """There is no engine binary on this machine; the message says how to get one."""


def find_engine_binary() -> Path:
    """The engine's binary, as an absolute path.

    It is what ``RIVET_ENGINE_BINARY`` says, else what the nearest ``.engine`` folder has, from the working
    directory upward. Raises ``EngineNotFound``. Nothing is ever downloaded.
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
        f"no engine binary: {BINARY_VARIABLE} is not set, and {here} and the folders above it have no "
        f".engine folder with one. "
        f"Install one with `{INSTALL_COMMAND}` (in the project: `make engine`), or set {BINARY_VARIABLE}"
    )


def _checked(path: Path) -> Path:
    if not _is_executable(path):
        raise EngineNotFound(
            f"{BINARY_VARIABLE} is {str(path)!r}, which is not an executable file. "
            f"Point it at one, or unset it and run `{INSTALL_COMMAND}`"
        )
    return path.absolute()


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
