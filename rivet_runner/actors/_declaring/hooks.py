"""The hooks of a typed actor, and the checks of a class that overrides them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from rivet_runner._hook_checks import check_hooks
from rivet_runner.actors._declaring.settings import SETTINGS, check_setting
from rivet_runner.actors.action import mark_of

__all__ = ["HOOKS", "check_members"]

HOOKS: Final = (
    "initial_state",
    "on_create",
    "on_start",
    "on_sleep",
    "on_destroy",
    "before_connect",
    "on_connect",
    "on_disconnect",
    "run",
    "on_request",
    "on_websocket",
    "on_error",
)

MISNOMERS: Final[Mapping[str, str]] = {
    "create_state": "initial_state",
    "on_wake": "on_start",
    "on_actor_start": "on_start",
    "on_actor_stop": "on_sleep",
    "on_stop": "on_sleep",
    "on_before_connect": "before_connect",
    "create_conn_state": "before_connect",
    "fetch": "on_request",
    "on_fetch": "on_request",
    "websocket": "on_websocket",
    "on_web_socket": "on_websocket",
}
"""Names of hooks of `rivet_runner.Runner` and of RivetKit."""

MIGRATION: Final = "migrate_state"


def check_members(made: type, base: type) -> None:
    """Check the hooks and settings of ``made``, a subclass of ``base``, and that it hides no other member of ``base``.

    Raises `TypeError`. Warns with `UserWarning` of a method with nearly the name of a hook.
    """
    for name, value in vars(made).items():
        where = f"{made.__qualname__}.{name}"
        if name in SETTINGS:
            check_setting(where, name, value)
        elif name == MIGRATION:
            _check_migration(where, value)
        elif name in HOOKS:
            if mark_of(value) is not None:
                raise TypeError(f"{where} is a hook, so it cannot be an action too: give the action another name")
        elif not name.startswith("__") and hasattr(base, name):
            cure = f"@action(name={name!r}) keeps it for clients" if mark_of(value) is not None else "rename it"
            raise TypeError(f"{where} hides {base.__name__}.{name}: take another name for it; {cure}")
    _check_init(made)
    # From `check_hooks` through this function, `declare` and `__init_subclass__`.
    actions = [name for name, value in vars(made).items() if mark_of(value) is not None]
    check_hooks(made, base, HOOKS, misnomers=MISNOMERS, others=actions, callers=3)


def _check_migration(where: str, value: Any) -> None:
    if not isinstance(value, classmethod):
        raise TypeError(f"{where} must be a class method: @classmethod def {MIGRATION}(cls, raw)")
    function = value.__func__
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{where} must be a plain class method, because it is not awaited: def {MIGRATION}(cls, raw)")
    try:
        inspect.signature(function).bind("cls", "raw")
    except TypeError as error:
        raise TypeError(f"{where} has the wrong parameters ({error}): def {MIGRATION}(cls, raw)") from None


def _check_init(made: type) -> None:
    init = vars(made).get("__init__")
    if inspect.isfunction(init):
        try:
            inspect.signature(init).bind("self")
        except TypeError as error:
            raise TypeError(
                f"{made.__qualname__}.__init__ takes only self ({error}): actors get their data by `input` and `resources`"
            ) from None
