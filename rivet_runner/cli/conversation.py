"""``connect``: a live connection to a typed actor, with events as lines and calls from standard input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any, Final

import msgspec

from rivet_runner.actors import ActorError, ClientError
from rivet_runner.actors.live_connection import LiveConnection, Subscription
from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import errors, note, progress, say
from rivet_runner.cli.errors import REFUSED, CommandError
from rivet_runner.cli.interrupts import until_interrupted
from rivet_runner.cli.standard_input import STANDARD_INPUT, lines
from rivet_runner.cli.typed_actors import error_line, handle_of, typed_calls
from rivet_runner.cli.waiting import told_why

__all__ = ["connect"]

LIBRARY_LOG: Final = "rivet_runner.actors.client"

HOW: Final = 'write an action and its arguments as JSON, such as: say "hi" 2'

_decoder: Final = json.JSONDecoder()


async def connect(
    connection: Connection,
    which: str,
    events: Sequence[str],
    *,
    params: str | None,
    create: bool,
    as_json: bool,
    timeout: float,
) -> int:
    """Print the events of an actor, and make the calls of standard input, until a signal. Returns the exit status."""

    async def work(_: asyncio.Event) -> int:
        async with typed_calls(connection, timeout) as client, contextlib.AsyncExitStack() as ending:
            handle = await handle_of(client, connection, which, params=params, create=create)
            why = told_why(connection, await handle.resolve(), which)
            async with progress(f"Connecting to {which}"), why:
                live = await ending.enter_async_context(handle.connect())
            with _library_notes():
                return await _Conversation(live, which, as_json=as_json).run(events)

    return await until_interrupted(work, "Closing the connection.")


class _Conversation:
    """What is printed of one connection. A call that fails makes the exit status 1."""

    def __init__(self, live: LiveConnection[Any], which: str, *, as_json: bool) -> None:
        self._live = live
        self._which = which
        self._as_json = as_json
        self._status = 0

    async def run(self, events: Sequence[str]) -> int:
        """Return at the end of standard input if there are no ``events`` to wait for, or when the actor disconnects."""
        printing = [asyncio.create_task(self._print_events(self._live.on(event)), name=event) for event in events]
        calling = asyncio.create_task(self._make_calls(), name="calls")
        ended = asyncio.create_task(self._live.closed(), name="end")
        waiting = {*printing, calling, ended}
        try:
            while True:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if ended in done:
                    # What had come before is printed still.
                    await asyncio.gather(*printing, return_exceptions=True)
                for task in done:
                    task.result()
                if ended in done:
                    note(f"{self._which} has closed the connection.")
                    return REFUSED
                if calling in done and not events:
                    return self._status
        finally:
            await _cancel({*printing, calling, ended})

    async def _print_events(self, subscription: Subscription[Any]) -> None:
        async for value in subscription:
            if self._as_json:
                _print({"event": subscription.name, "value": value})
            else:
                say(f"{subscription.name} {_json(value)}")

    async def _make_calls(self) -> None:
        if errors.is_terminal and os.isatty(STANDARD_INPUT):
            note(f"Connected to {self._which}. To call it, {HOW}. Ctrl-D or Ctrl-C ends.")
        async with aclosing(lines()) as given:
            async for line in given:
                if line.strip():
                    await self._make_call(line.strip())

    async def _make_call(self, line: str) -> None:
        action, _, rest = line.partition(" ")
        try:
            result = await self._live.call(action, *_values(rest))
        except ActorError as error:
            self._failed(action, error_line(error), _described(error))
        except (ClientError, CommandError) as error:
            self._failed(action, str(error), {"message": str(error)})
        else:
            if self._as_json:
                _print({"call": action, "result": result})
            else:
                say(f"= {_json(result)}")

    def _failed(self, action: str, text: str, described: dict[str, Any]) -> None:
        self._status = REFUSED
        if self._as_json:
            _print({"call": action, "error": described})
        else:
            note(f"error: {text}", style="red")


def _values(text: str) -> list[Any]:
    """The values of JSON that stand in a row. Raises `CommandError`."""
    values: list[Any] = []
    rest = text.lstrip()
    while rest:
        try:
            value, end = _decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            raise CommandError(f"{rest!r} is not JSON: {HOW}") from None
        values.append(value)
        rest = rest[end:].lstrip()
    return values


def _described(error: ActorError) -> dict[str, Any]:
    return {"group": error.group, "code": error.code, "message": error.message, "metadata": error.metadata}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _print(value: object) -> None:
    say(_json(value))


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())


@contextlib.contextmanager
def _library_notes() -> Iterator[None]:
    """Tell of a connection that is made again."""
    log, notes = logging.getLogger(LIBRARY_LOG), _Notes()
    log.addHandler(notes)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(notes)
