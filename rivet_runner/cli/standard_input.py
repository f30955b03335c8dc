"""Standard input as lines, for a program that waits for other things too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import Final

from rivet_runner.cli.errors import CommandError

__all__ = ["STANDARD_INPUT", "lines"]

STANDARD_INPUT: Final = 0
"""The file descriptor."""

READ: Final = 65_536
MAX_LINE: Final = 1024 * 1024
"""Bytes."""


async def lines() -> AsyncGenerator[str, None]:
    """The lines of a terminal, a pipe or a file, without their ends. Nothing is read ahead beyond 64 KiB.

    Raises `CommandError` for a line over 1 MiB. Cancelling is safe.
    """
    rest = b""
    while chunk := await _read():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
        if len(rest) > MAX_LINE:
            raise CommandError("a line of standard input has more than 1 MiB")
    if rest:
        yield rest.decode(errors="replace")


async def _read() -> bytes:
    """The next bytes, or none at the end."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    try:
        loop.add_reader(STANDARD_INPUT, readable.set_result, None)
    except OSError:  # a file, which never lets anyone wait, or no standard input at all
        readable.set_result(None)
    try:
        await readable
    finally:
        loop.remove_reader(STANDARD_INPUT)
    try:
        return os.read(STANDARD_INPUT, READ)
    except OSError:  # the terminal is gone
        return b""
