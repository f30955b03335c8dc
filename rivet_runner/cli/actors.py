"""``actors`` and ``request``: actors over the engine's HTTP API and its gateway."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.table import Table

from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import note, output, progress, say
from rivet_runner.cli.errors import REFUSED, CommandError
from rivet_runner.cli.waiting import told_why
from rivet_runner.testing import ActorInfo, EngineApi, EngineApiError, HttpExchangeFailed
from rivet_runner.testing.engine_api import CrashPolicy

__all__ = [
    "as_lines",
    "calls",
    "create_actor",
    "destroy_actors",
    "find_actor",
    "list_actors",
    "send_request",
    "show_actor",
    "translated",
]

TIMES: Final = (
    "create_ts",
    "start_ts",
    "pending_allocation_ts",
    "connectable_ts",
    "sleep_ts",
    "reschedule_ts",
    "destroy_ts",
)


@contextlib.asynccontextmanager
async def calls(connection: Connection, doing: str) -> AsyncIterator[EngineApi]:
    """A client for calls to the engine, whose errors become one line. ``doing`` is shown if they take a while."""
    endpoint = connection.endpoint
    try:
        async with progress(doing):
            yield connection.api()
    except HttpExchangeFailed as error:
        raise CommandError(
            f"there is no engine at {endpoint}: start one with `rivet-runner dev`, or correct --endpoint "
            f"(RIVET_ENDPOINT) ({_cause(error)})"
        ) from None
    except TimeoutError:
        raise CommandError(f"the engine at {endpoint} did not answer in time: is it overloaded? Try again") from None
    except EngineApiError as error:
        raise translated(error, connection) from None


async def list_actors(
    connection: Connection, name: str | None, *, key: str | None, destroyed: bool, limit: int, as_json: bool
) -> None:
    """Print the actors of one name, or of all names, newest first."""
    async with calls(connection, "Asking the engine for its actors") as api:
        names = [name] if name is not None else await api.list_actor_names()
        lists = [await api.list_actors(one, key=key, include_destroyed=destroyed, limit=limit) for one in names]
    actors = sorted((actor for found in lists for actor in found), key=lambda actor: actor.create_ts, reverse=True)
    if as_json:
        say(as_lines([_described(actor) for actor in actors[:limit]]))
    elif actors:
        _print_table(actors[:limit])
    else:
        note("There are no actors" + (f" named {name}" if name else "") + ".")


async def show_actor(connection: Connection, which: str, *, as_json: bool) -> None:
    """Print one actor, which may be destroyed if it is named by its id."""
    async with calls(connection, "Asking the engine for the actor") as api:
        actor = await find_actor(api, which)
    _print_one(actor, as_json=as_json)


async def create_actor(
    connection: Connection,
    name: str,
    *,
    key: str | None,
    runner_name: str,
    input: str | None,
    crash_policy: CrashPolicy,
    as_json: bool,
) -> None:
    """Create an actor and print it."""
    async with calls(connection, "Creating the actor") as api:
        actor = await api.create_actor(
            name,
            runner_name=runner_name,
            key=key,
            input=None if input is None else _data(input),
            crash_policy=crash_policy,
        )
    _print_one(actor, as_json=as_json)


async def destroy_actors(connection: Connection, which: Sequence[str], *, as_json: bool) -> None:
    """Destroy actors, and return when they are destroyed. Nothing is destroyed if one of them is not there."""
    async with calls(connection, "Destroying") as api:
        actors = [await find_actor(api, one) for one in which]
        for actor in actors:
            await api.destroy_actor(actor.actor_id)
        gone = [await api.wait_destroyed(actor.actor_id) for actor in actors]
    if as_json:
        say(as_lines([_described(actor) for actor in gone]))
    else:
        for actor in gone:
            say(f"destroyed {actor.actor_id}")


async def send_request(
    connection: Connection,
    which: str,
    method: str,
    path: str,
    *,
    headers: Sequence[str],
    data: str | None,
    include: bool,
    timeout: float,
) -> int:
    """Send a request to an actor, print the body of the response, and return the exit status."""
    fields = [_header(header) for header in headers]
    body = None if data is None else _data(data)
    async with calls(connection, f"Looking for {which}") as api:
        actor = await find_actor(api, which)
    why = told_why(connection, actor.actor_id, which)
    async with calls(connection, f"Waiting for the answer of {which}") as api, why:
        try:
            response = await api.request(actor.actor_id, method.upper(), path, headers=fields, body=body, timeout=timeout)
        except ValueError as error:
            raise CommandError(f"this is no request: {error}") from None
        except TimeoutError:
            raise CommandError(f"no answer of {which} within {timeout:g} s", status=REFUSED) from None
    if include:
        say(f"HTTP {response.status}")
        for header, value in response.headers.items():
            say(f"{header}: {value}")
        say()
    sys.stdout.buffer.write(response.body)
    if response.body and not response.body.endswith(b"\n") and output.is_terminal:
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    if response.status < 400:
        return 0
    if not include:
        note(f"HTTP {response.status}")
    return REFUSED


async def find_actor(api: EngineApi, which: str) -> ActorInfo:
    """The actor with this id, or with this ``NAME/KEY``. It is never created."""
    name, slash, key = which.partition("/")
    if slash:
        found = await api.list_actors(name, key=key, limit=1) if name and key else []
        if found:
            return found[0]
    else:
        try:
            return await api.get_actor(which)
        except EngineApiError as error:
            if error.code not in ("not_found", "invalid_input") or error.group == "namespace":
                raise
    what = f"named {name!r} with the key {key!r}" if slash else f"with the id {which!r} (for a key, write NAME/KEY)"
    raise CommandError(f"there is no actor {what}: `rivet-runner actors list` shows those that there are", status=REFUSED)


def translated(error: EngineApiError, connection: Connection) -> CommandError:
    """The one line for an error of the engine."""
    name = f"{error.group}.{error.code}"
    where = f"the engine at {connection.endpoint}"
    if name in ("api.forbidden", "guard.missing_header", "api.unauthorized"):
        needs = "requires a token: set" if connection.token is None else "refused the token: correct"
        return CommandError(f"{where} {needs} --token (RIVET_TOKEN)")
    if name == "namespace.not_found":
        return CommandError(
            f"{where} has no namespace {connection.namespace!r}: create it, or correct --namespace (RIVET_NAMESPACE)"
        )
    if name == "http.unexpected_answer":
        return CommandError(f"{connection.endpoint} is no Rivet Engine: correct --endpoint (RIVET_ENDPOINT)")
    if name == "actor.no_runner_config_configured":
        return CommandError(
            f"{where} has no runner config of that name, so no runner may host the actor: see `rivet-runner doctor`",
            status=REFUSED,
        )
    return CommandError(f"{where} refused: {' '.join(error.message.split())} ({name})", status=REFUSED)


def _cause(error: BaseException) -> str:
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__
    return " ".join(str(cause or error).split())


# What is printed


def _state(actor: ActorInfo) -> str:
    if actor.destroy_ts is not None:
        return "destroyed"
    if actor.connectable_ts is not None:
        return "running"
    return "sleeping" if actor.sleep_ts is not None else "starting"


def _described(actor: ActorInfo) -> dict[str, Any]:
    """The actor for a script: the engine's fields, times in milliseconds since the epoch, and its state in a word."""
    fields: dict[str, Any] = msgspec.to_builtins(actor)
    return {"actor_id": fields.pop("actor_id"), "state": _state(actor), **fields}


def as_lines(value: object) -> str:
    """The JSON of a value, for a reader or a script."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _print_one(actor: ActorInfo, *, as_json: bool) -> None:
    if as_json:
        say(as_lines(_described(actor)))
        return
    table = Table.grid(padding=(0, 2))
    for field, value in _described(actor).items():
        if value is not None:
            table.add_row(field.removesuffix("_ts"), _time(value) if field in TIMES else _text(value))
    _print(table)


def _print_table(actors: Iterable[ActorInfo]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ID", "NAME", "KEY", "STATE", "RUNNER NAME", "CREATED", "ERROR"):
        table.add_column(column, no_wrap=column == "ID", overflow="fold")
    for actor in actors:
        error = "" if actor.error is None else _text(actor.error)
        table.add_row(
            actor.actor_id,
            actor.name,
            actor.key or "",
            _state(actor),
            actor.runner_name_selector or "",
            _time(actor.create_ts),
            error,
        )
    _print(table)


def _print(table: Table) -> None:
    output.print(table, soft_wrap=False)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


# What is given


def _data(text: str) -> bytes:
    """The text itself, the file after an ``@``, or standard input for ``@-``."""
    if not text.startswith("@"):
        return text.encode(errors="surrogateescape")
    if text == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise CommandError(f"cannot read {text[1:]}: {error.strerror}") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise CommandError(f"{text!r} is no header: write -H 'name: value'")
    return name.strip(), value.strip()
