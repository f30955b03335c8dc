"""Checks of a class of hooks when it is made: a hook that could never work is an error there, not in production."""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Collection, Mapping
from typing import Any, Final

__all__ = ["check_hooks"]

SIMILAR: Final = 0.8
"""Of names, as `difflib` counts it: `on_actor_started` and `on_actor_start` are, `fetch_user` and `fetch` are not."""

MISNOMERS: Final[Mapping[str, str]] = {
    "on_fetch": "fetch",
    "on_request": "fetch",
    "on_http": "fetch",
    "handle_request": "fetch",
    "on_websocket": "websocket",
    "on_websocket_open": "websocket",
    "on_message": "websocket",
    "on_start": "on_actor_start",
    "on_wake": "on_actor_start",
    "on_stop": "on_actor_stop",
    "on_sleep": "on_actor_stop",
    "on_destroy": "on_actor_stop",
    "alarm": "on_alarm",
    "on_connect": "on_connected",
    "on_disconnect": "on_disconnected",
    "hibernate": "can_hibernate",
}
"""Names of hooks in other frameworks, and those that come to mind first."""


def check_hooks(
    made: type,
    base: type,
    hooks: tuple[str, ...],
    *,
    misnomers: Mapping[str, str] = MISNOMERS,
    others: Collection[str] = (),
    callers: int = 1,
) -> None:
    """Check the methods of ``made``, a subclass of ``base`` that has these ``hooks``.

    ``misnomers`` are likely wrong names and the hooks that they mean. ``others`` are methods that are meant to be something
    else. ``callers`` counts the functions from here to the
    statement ``class``.

    Raises `TypeError` for a hook that is not a function of the right kind or takes other parameters. Warns with
    `UserWarning` of a method with nearly the name of a hook.
    """
    for name, value in vars(made).items():
        if name in hooks:
            _check_hook(f"{made.__qualname__}.{name}", name, value, getattr(base, name))
        elif inspect.isfunction(value) and not name.startswith("_") and not hasattr(base, name) and name not in others:
            _warn_of_misnomer(made, name, hooks, misnomers, callers)


def _check_hook(where: str, name: str, value: Any, declared: Any) -> None:
    if isinstance(value, staticmethod | classmethod | property) or not (callable(value) or hasattr(value, "__get__")):
        raise TypeError(f"{where} must be a method, not a value of type {type(value).__name__}")
    if not inspect.isfunction(value):
        return  # a decorator's object or a mock: it tells only when it is called
    is_async, must_be_async = inspect.iscoroutinefunction(value), inspect.iscoroutinefunction(declared)
    parameters = [*inspect.signature(declared).parameters]
    form = f"{'async def' if must_be_async else 'def'} {name}({', '.join(parameters)})"
    if inspect.isasyncgenfunction(value) or (must_be_async and inspect.isgeneratorfunction(value)):
        raise TypeError(f"{where} must return once, so it cannot have a `yield`: {form}")
    if must_be_async and not is_async and not hasattr(value, "__wrapped__"):
        raise TypeError(f"{where} must be a coroutine function: {form}")
    if is_async and not must_be_async:
        raise TypeError(f"{where} must be a plain function, because it is not awaited: {form}")
    try:
        inspect.signature(value).bind(*parameters)
    except TypeError as error:
        raise TypeError(f"{where} has the wrong parameters ({error}): {form}") from None


def _warn_of_misnomer(made: type, name: str, hooks: tuple[str, ...], misnomers: Mapping[str, str], callers: int) -> None:
    meant = misnomers.get(name) or next(iter(difflib.get_close_matches(name, hooks, 1, SIMILAR)), None)
    if meant is not None:
        text = f"{made.__qualname__}.{name} is not a hook, so the runner never calls it: did you mean {meant}?"
        warnings.warn(text, UserWarning, stacklevel=3 + callers)
