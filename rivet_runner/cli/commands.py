"""The commands and their options, as typer sees them.

Each command imports what it needs when it runs, so that none waits for the imports of another.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from rivet_runner import __version__
from rivet_runner.cli.connection import Connection, environment_with_dotenv
from rivet_runner.cli.console import note, say
from rivet_runner.cli.errors import BAD_INPUT, CommandError
from rivet_runner.config import RunnerConfig

__all__ = ["run_command"]

INTERRUPTED = 130

app: Final = typer.Typer(
    name="rivet-runner",
    help="Run actors in Python, and look after them.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
actors_app: Final = typer.Typer(help="List, show, create and destroy actors.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(actors_app, name="actors")

Endpoint = Annotated[
    str | None, typer.Option(help="The engine's URL. Default: RIVET_ENDPOINT, or http://127.0.0.1:6420.", show_default=False)
]
Namespace = Annotated[
    str | None, typer.Option(help="The namespace. Default: RIVET_NAMESPACE, or default.", show_default=False)
]
Token = Annotated[str | None, typer.Option(help="The engine's token. Default: RIVET_TOKEN.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Which = Annotated[str, typer.Argument(metavar="ACTOR", help="The actor's id, or NAME/KEY.")]
Params = Annotated[str | None, typer.Option(help="Parameters for before_connect, as JSON.", show_default=False)]
Create = Annotated[bool, typer.Option("--create", help="Create the actor NAME/KEY if there is none.")]
Timeout = Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the answer.")]


Target = Annotated[
    str,
    typer.Argument(
        metavar="MODULE:NAME", help="A Runner subclass, a Runner, an App, or a function that makes one: app:Counter."
    ),
]


class LogLevel(StrEnum):
    """The levels of the standard library's logging."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class EngineName(StrEnum):
    """The engines of ``dev``."""

    auto = "auto"
    real = "real"
    simulated = "simulated"


class CrashPolicyName(StrEnum):
    """The engine's policies for an actor that crashes."""

    sleep = "sleep"
    restart = "restart"
    destroy = "destroy"


def run_command(arguments: Sequence[str]) -> int:
    """Run the command with these arguments, and return its exit status."""
    command = typer.main.get_command(app)
    try:
        status = command.main([*arguments], prog_name="rivet-runner", standalone_mode=False)
    except CommandError as error:
        if error.details is not None:
            note(error.details)
        note(f"error: {error}", style="red")
        return error.status
    except typer.TyperException as error:
        # Of no arguments at all, the message is the help.
        text = error.format_message()
        note(text if "\n" in text else f"error: {text} (try `rivet-runner --help`)")
        return BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Its reader has gone. Python must not fail to flush it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def _run(coroutine: Coroutine[Any, Any, int | None]) -> int:
    return asyncio.run(coroutine) or 0


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"rivet-runner {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


@app.command("run")
def _run_command(
    target: Target,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes, each with a runner of its own.")] = 1,
    start_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the engine at the start.")] = 10.0,
    health_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of /healthz, /readyz and /metrics, for all workers."),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="What the workers log.")] = LogLevel.info,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Run a runner in production.

    SIGTERM or Ctrl-C drains the actors of all workers. A second signal hurries. A worker that crashes is started again after
    1 s, then 2 s, 4 s and so on, at most 30 s.

    The exit status is 0 after a drain, 1 if a worker failed 8 times in a row and no other runs, 2 if nothing was started,
    3 if the engine has evicted all workers, for example because a newer version runs, and 128 plus the number of the signal
    after a second signal.
    """
    from rivet_runner.cli.supervision import run_workers
    from rivet_runner.cli.targets import check_target

    check_target(target)
    connection = Connection.resolve(endpoint, namespace, token)
    return _run(
        run_workers(
            target,
            connection,
            connection.environment(environment_with_dotenv()),
            count=workers,
            log_level=log_level.value,
            start_timeout=start_timeout,
            health_port=health_port,
        )
    )


@app.command("dev")
def _dev(
    target: Target,
    engine: Annotated[
        EngineName, typer.Option(help="auto: the real one if this machine has its binary, else the simulated one.")
    ] = EngineName.auto,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The engine's port.")] = 6420,
    data: Annotated[Path, typer.Option(help="The folder with the engine's data, which is kept.")] = Path(".rivet"),
    no_reload: Annotated[bool, typer.Option("--no-reload", help="Keep the code as it is when a file is saved.")] = False,
    log_level: Annotated[LogLevel, typer.Option(help="What the runner logs.")] = LogLevel.warning,
) -> int:
    """Run an engine and a runner on this machine, and load the code anew when a file is saved.

    The new code is connected before the old one drains: open hibernating WebSockets stay open. Ctrl-C ends everything.

    The exit status is 0 after Ctrl-C, 1 if the runner has ended by itself under --no-reload, 2 if nothing was started,
    and 128 plus the number of the signal after a second signal.
    """
    from rivet_runner.cli.development import develop
    from rivet_runner.cli.targets import check_target

    check_target(target)
    return _run(develop(target, kind=engine.value, port=port, data=data, reload=not no_reload, log_level=log_level.value))


@app.command("doctor")
def _doctor(
    target: Annotated[
        str | None, typer.Argument(metavar="[MODULE:NAME]", help="Check its options too, which are in its code.")
    ] = None,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Check the engine and the options, one line each, with what to do.

    The exit status is 0 if a runner would work, 1 if a check failed, and 2 if there is no engine.
    """
    from rivet_runner.cli.doctor import examine
    from rivet_runner.cli.targets import contradiction, load_runner

    connection = Connection.resolve(endpoint, namespace, token)
    if target is None:
        return _run(examine(RunnerConfig.from_env(**connection.options()), connection))
    os.environ.update(connection.environment({}))
    config = load_runner(target).config
    line = contradiction(target, config, connection.given)
    if line is not None:
        raise CommandError(line)
    return _run(examine(config, Connection.of(config)))


@actors_app.command("list")
def _list(
    name: Annotated[str | None, typer.Argument(help="Only actors of this name.", show_default=False)] = None,
    key: Annotated[str | None, typer.Option(help="Only the actor with this key. Needs NAME.", show_default=False)] = None,
    destroyed: Annotated[bool, typer.Option("--destroyed", help="Destroyed actors too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many, newest first.")] = 100,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """List actors, newest first."""
    from rivet_runner.cli import actors

    if key is not None and name is None:
        raise CommandError("--key needs the NAME of the actor: rivet-runner actors list NAME --key KEY")
    connection = Connection.resolve(endpoint, namespace, token)
    return _run(actors.list_actors(connection, name, key=key, destroyed=destroyed, limit=limit, as_json=as_json))


@actors_app.command("show")
def _show(
    actor: Which, as_json: AsJson = False, endpoint: Endpoint = None, namespace: Namespace = None, token: Token = None
) -> int:
    """Show one actor, also a destroyed one."""
    from rivet_runner.cli import actors

    return _run(actors.show_actor(Connection.resolve(endpoint, namespace, token), actor, as_json=as_json))


@actors_app.command("create")
def _create(
    name: Annotated[str, typer.Argument(help="The actor's name.")],
    key: Annotated[str | None, typer.Option(help="A key that no other actor of this name has.", show_default=False)] = None,
    runner_name: Annotated[
        str | None,
        typer.Option(
            help="The runners that may host it. Default: RIVET_POOL, RIVET_RUNNER_NAME, or default.", show_default=False
        ),
    ] = None,
    input: Annotated[
        str | None, typer.Option(help="Its input: text, @FILE, or @- for standard input.", show_default=False)
    ] = None,
    crash_policy: Annotated[CrashPolicyName, typer.Option(help="What a crash does to it.")] = CrashPolicyName.sleep,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Create an actor. It starts when a runner of the runner name has room."""
    from rivet_runner.cli import actors

    connection = Connection.resolve(endpoint, namespace, token)
    return _run(
        actors.create_actor(
            connection,
            name,
            key=key,
            runner_name=runner_name or connection.runner_name,
            input=input,
            crash_policy=crash_policy.value,
            as_json=as_json,
        )
    )


@actors_app.command("destroy")
def _destroy(
    which: Annotated[list[str], typer.Argument(metavar="ACTOR...", help="Ids, or NAME/KEY.")],
    as_json: AsJson = False,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Destroy actors and their data, and wait until they are destroyed."""
    from rivet_runner.cli import actors

    return _run(actors.destroy_actors(Connection.resolve(endpoint, namespace, token), which, as_json=as_json))


@app.command("request")
def _request(
    actor: Which,
    method: Annotated[str, typer.Argument(help="The HTTP method, such as GET.")],
    path: Annotated[str, typer.Argument(help="The path, with its query.")],
    header: Annotated[
        list[str] | None, typer.Option("-H", "--header", help="A header: 'name: value'.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option("-d", "--data", help="The body: text, @FILE, or @- for standard input.", show_default=False)
    ] = None,
    include: Annotated[bool, typer.Option("-i", "--include", help="Print the status and the headers too.")] = False,
    timeout: Timeout = 60.0,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Send an HTTP request to an actor, and print the body of its answer.

    A sleeping actor is woken. An actor that is not there is not created. The exit status is 1 if the answer has a status of
    400 or more.
    """
    from rivet_runner.cli import actors

    return _run(
        actors.send_request(
            Connection.resolve(endpoint, namespace, token),
            actor,
            method,
            path,
            headers=header or [],
            data=data,
            include=include,
            timeout=timeout,
        )
    )


# An argument may be a negative number.
@app.command("call", context_settings={"ignore_unknown_options": True})
def _call(
    actor: Which,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="The name of the action.")],
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARG", help="""Its arguments, each as JSON: 5, '"text"', '{"a": 1}'.""", show_default=False),
    ] = None,
    params: Params = None,
    create: Create = False,
    timeout: Timeout = 60.0,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Run an action of a typed actor, and print its result as JSON.

    A sleeping actor is woken. The exit status is 1 if the action fails.
    """
    from rivet_runner.cli.typed_actors import call_action

    connection = Connection.resolve(endpoint, namespace, token)
    return _run(call_action(connection, actor, action, args or [], params=params, create=create, timeout=timeout))


@app.command("connect")
def _connect(
    actor: Which,
    events: Annotated[
        list[str] | None, typer.Argument(metavar="EVENT", help="The names of events to print.", show_default=False)
    ] = None,
    params: Params = None,
    create: Create = False,
    as_json: AsJson = False,
    timeout: Timeout = 60.0,
    endpoint: Endpoint = None,
    namespace: Namespace = None,
    token: Token = None,
) -> int:
    """Connect to a typed actor, print its events, and call its actions.

    Each line of standard input is a call, the action and its arguments as JSON: say "hi" 2. One is made after the other. A
    result is a line that begins with =, an event one that begins with its name. With --json, each line is an object.

    The end of standard input ends it, unless there are events to wait for, and Ctrl-C always does. A connection that breaks
    is made again. The exit status is 1 if a call has failed or the actor has closed the connection.
    """
    from rivet_runner.cli.conversation import connect

    connection = Connection.resolve(endpoint, namespace, token)
    return _run(connect(connection, actor, events or [], params=params, create=create, as_json=as_json, timeout=timeout))
