"""The command ``rivet-runner``, which is also ``python -m rivet_runner``. It requires ``rivet-runner[cli]``.

``commands`` declares the commands and their options, and hands them to the other modules. ``supervision`` is ``run``,
``development`` is ``dev``, ``actors`` is ``actors`` and ``request``, ``typed_actors`` is ``call``, ``conversation`` is
``connect``, and ``doctor`` is itself. ``run`` and ``dev`` start runners in processes of their own: ``worker`` is the program
of such a process, ``worker_process`` the parent's side of it, and ``channel`` what the two say to each other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["main"]

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130

EXTRAS: Final = {
    **dict.fromkeys(("typer", "rich", "watchfiles", "dotenv"), "cli"),
    **dict.fromkeys(("cbor2", "cronsim", "httpx"), "actors"),
}
"""Modules, and the extra that brings each."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with ``arguments``, by default those of this process, and return its exit status.

    Errors are printed, one line each. Only defects of the command itself are raised.
    """
    try:
        from rivet_runner.cli.commands import run_command

        return run_command(sys.argv[1:] if arguments is None else arguments)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(f'error: rivet-runner needs {error.name}: run pip install "rivet-runner[{extra}]"', file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:  # while modules were imported
        return INTERRUPTED
