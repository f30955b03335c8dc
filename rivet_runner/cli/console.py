"""What the command shows: results on standard output, everything else on standard error."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from rich.console import Console

__all__ = ["errors", "note", "output", "progress", "say"]

PROGRESS_SECONDS: Final = 1.0
"""Work that takes longer than this shows its progress."""

PIPE_COLUMNS: Final = 10_000
"""A script gets whole lines."""

output: Final = Console(highlight=False, markup=False, soft_wrap=True)
if not output.is_terminal:
    output.width = PIPE_COLUMNS
errors: Final = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def say(text: str = "") -> None:
    """Print a line of the result, without wrapping or colouring it, and at once."""
    output.print(text)
    output.file.flush()


def note(text: str, style: str | None = None) -> None:
    """Print a line about the work to standard error."""
    errors.print(text, style=style)


@contextlib.asynccontextmanager
async def progress(text: str) -> AsyncIterator[None]:
    """Show ``text`` if the block takes longer than a second: with a spinner in a terminal, else as a line."""
    showing = asyncio.create_task(_show_later(text), name="progress")
    try:
        yield
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing


async def _show_later(text: str) -> None:
    await asyncio.sleep(PROGRESS_SECONDS)
    if not errors.is_terminal:
        note(f"{text} …")
        return
    with errors.status(text):
        await asyncio.get_running_loop().create_future()
