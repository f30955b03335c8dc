"""``call``, and what it shares with ``connect``: a client of typed actors whose errors become one line."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from rivet_runner.actors import ActorError, CallTimeout, Client, ClientError, EngineUnreachable
from rivet_runner.actors.client import ActorHandle
from rivet_runner.cli.actors import as_lines, calls, find_actor, translated
from rivet_runner.cli.connection import Connection
from rivet_runner.cli.console import progress, say
from rivet_runner.cli.errors import REFUSED, CommandError
from rivet_runner.cli.waiting import told_why
from rivet_runner.testing import EngineApiError

__all__ = ["call_action", "error_line", "handle_of", "json_of", "typed_calls"]

ENGINE_GROUPS: Final = frozenset({"api", "namespace", "guard", "http"})
"""Groups of errors that are about the engine, and not about the actor."""


@contextlib.asynccontextmanager
async def typed_calls(connection: Connection, timeout: float) -> AsyncIterator[Client]:
    """A client, whose errors become one line. ``timeout`` is in seconds."""
    options = {"namespace": connection.namespace, "token": connection.token, "pool": connection.runner_name}
    try:
        async with Client(connection.endpoint, timeout=timeout, **options) as client:
            yield client
    except EngineUnreachable as error:
        raise CommandError(f"{error}; `rivet-runner dev` starts one") from None
    except CallTimeout as error:
        raise CommandError(str(error), status=REFUSED) from None
    except ClientError as error:
        raise CommandError(str(error), status=REFUSED) from None
    except ActorError as error:
        if error.group in ENGINE_GROUPS or error.code == "no_runner_config_configured":
            raise translated(_of_engine(error), connection) from None
        raise CommandError(error_line(error), status=REFUSED) from None


async def handle_of(
    client: Client, connection: Connection, which: str, *, params: str | None, create: bool
) -> ActorHandle[Any]:
    """The handle of an actor, which has to be there unless ``create`` is set. ``params`` are JSON."""
    given = None if params is None else json_of(params, "--params")
    name, _, key = which.partition("/")
    if create and not (name and key):
        raise CommandError(f"--create needs the name and the key of the actor, NAME/KEY, not {which!r}")
    async with calls(connection, f"Looking for {which}") as api:
        if create:
            actor = await api.get_or_create_actor(name, runner_name=connection.runner_name, key=key)
        else:
            actor = await find_actor(api, which)
    return client.get_for_id(actor.name, actor.actor_id, params=given)


async def call_action(
    connection: Connection,
    which: str,
    action: str,
    args: Sequence[str],
    *,
    params: str | None,
    create: bool,
    timeout: float,
) -> None:
    """Run an action and print its result as JSON. ``args`` are JSON."""
    values = [json_of(arg, "an argument") for arg in args]
    async with typed_calls(connection, timeout) as client:
        handle = await handle_of(client, connection, which, params=params, create=create)
        why = told_why(connection, await handle.resolve(), which)
        async with progress(f"Waiting for {action} of {which}"), why:
            result = await handle.call(action, *values)
    say(as_lines(result))


def json_of(text: str, what: str) -> Any:
    """The value of JSON. ``what`` names it in an error."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        quoted = msgspec.json.encode(text).decode()
        raise CommandError(f"{what} must be JSON, not {text!r}: write a text as '{quoted}'") from None


def error_line(error: ActorError) -> str:
    """An error of an actor, in one line."""
    metadata = "" if error.metadata is None else f" {msgspec.json.encode(error.metadata).decode()}"
    return f"{' '.join(error.message.split())} ({error.group}.{error.code}){metadata}"


def _of_engine(error: ActorError) -> EngineApiError:
    return EngineApiError(0, error.group, error.code, error.message, error.metadata)
