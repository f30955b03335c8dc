"""``MODULE:NAME``: the runner that the command is to run."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from rivet_runner.cli.errors import CommandError
from rivet_runner.config import RunnerConfig
from rivet_runner.runner import Runner
from rivet_runner.serverless import ServerlessApp

__all__ = ["check_target", "contradiction", "load_runner"]

WANTED: Final = "a Runner subclass, a Runner, an App, or a function that makes one"


def check_target(target: str) -> None:
    """Raise `CommandError` if ``target`` has not the form of a module and a name."""
    module, colon, name = target.partition(":")
    if module.endswith(".py"):
        raise CommandError(f"{target!r} names a file: write {module.removesuffix('.py')}:{name}")
    parts = [*module.split("."), *name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise CommandError(f"{target!r} is not MODULE:NAME, such as app:Counter for the class Counter in app.py")


def load_runner(target: str) -> Runner:
    """Import the module of ``target``, from the working directory too, and return its runner.

    Raises `CommandError`, which has a traceback if code of the module raised.
    """
    check_target(target)
    module_name, _, name = target.partition(":")
    found: Any = _import(module_name)
    for part in name.split("."):
        if not hasattr(found, part):
            raise CommandError(f"{module_name} has no {name}{_suggestion(found)}")
        found = getattr(found, part)
    return _runner_of(target, found)


def contradiction(target: str, config: RunnerConfig, given: frozenset[str]) -> str | None:
    """A line about an option of the command line that the runner's own code overrides, or `None`.

    ``given`` names the options that the environment of this process stands for.
    """
    for name in sorted(given):
        wanted = os.environ.get(f"RIVET_{name.upper()}")
        if getattr(config, name) != wanted:
            # Values are left out, as one of them is the token.
            return (
                f"{target} sets `{name}` in its code, which contradicts the engine that this command uses: remove it there"
            )
    return None


def _import(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            top = name.partition(".")[0]
            raise CommandError(
                f"there is no module {name}: run the command in the folder of {top}.py, or correct the name"
            ) from None
        raise _failed(f"{name} does not import", error) from error
    except (Exception, SystemExit) as error:
        raise _failed(f"{name} does not import", error) from error


def _runner_of(target: str, found: Any) -> Runner:
    if isinstance(found, ServerlessApp):
        raise CommandError(
            f"{target} is a serverless application, whose runners the engine starts: serve it with an ASGI server, "
            f"such as `uvicorn {target}`, or give the Runner subclass instead"
        )
    made = found
    if isinstance(found, type) and not issubclass(found, Runner):
        suggestion = _suggestion(sys.modules[target.partition(":")[0]])
        raise CommandError(f"{target} is the class {found.__name__}, not {WANTED}{suggestion}")
    if not isinstance(found, Runner):
        # An application of actors is no runner, but makes one.
        make = found if callable(found) else getattr(found, "runner", None)
        if not callable(make) or inspect.iscoroutinefunction(make):
            raise CommandError(f"{target} is {_described(found)}, not {WANTED}")
        made = _made(target, make)
    if isinstance(made, type) and issubclass(made, Runner):
        made = _made(target, made)
    if not isinstance(made, Runner):
        if callable(getattr(made, "runner", None)):
            return _runner_of(target, made)
        raise CommandError(f"{target} makes {_described(made)}, not a Runner")
    return made


def _made(target: str, make: Any) -> Any:
    try:
        return make()
    except (Exception, SystemExit) as error:
        raise _failed(f"{target} cannot be made", error) from error


def _failed(what: str, error: BaseException) -> CommandError:
    return CommandError(
        f"{what}: {type(error).__name__}: {_one_line(error)}{_place(error)}", details=_traceback_of_user(error)
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"


def _place(error: BaseException) -> str:
    """The last line of the user's own files that the error came through."""
    if isinstance(error, SyntaxError):
        return ""  # its text has the place
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    if not own:
        return ""
    name = os.path.relpath(own[-1].filename)
    return f" ({name}, line {own[-1].lineno})"


def _is_users(filename: str) -> bool:
    path = Path(filename)
    others = (Path(sysconfig.get_path("stdlib")), Path(__file__).parents[1])
    return path.is_file() and "site-packages" not in path.parts and not any(other in path.parents for other in others)


def _traceback_of_user(error: BaseException) -> str:
    """The traceback without the frames of the import system and of this package."""
    frames = error.__traceback__
    while frames is not None and not _is_users(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()


def _described(value: object) -> str:
    if inspect.iscoroutinefunction(value):
        return "an async function"
    return f"a value of type {type(value).__name__}"


def _suggestion(module: Any) -> str:
    """The runner classes and the apps that the module has, for a name that it has not."""
    names = [name for name, value in vars(module).items() if _runs(value, getattr(module, "__name__", None))]
    return f": it has the runner{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def _runs(value: Any, module: str | None) -> bool:
    if isinstance(value, type):
        return issubclass(value, Runner) and value.__module__ == module
    return callable(getattr(type(value), "runner", None))
