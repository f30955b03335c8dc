"""`action`: marks the methods of a typed actor that clients may call."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple, TypeVar, overload

__all__ = ["ActionMark", "action", "mark_of"]

ActionT = TypeVar("ActionT", bound=Callable[..., Coroutine[Any, Any, Any]])

TIMEOUT: Final = 60.0

_MARK: Final = "__rivet_action__"


class ActionMark(NamedTuple):
    """What ``@action`` says of a method."""

    name: str
    timeout: float


@overload
def action(method: ActionT, /) -> ActionT: ...
@overload
def action(*, name: str | None = None, timeout: float = TIMEOUT) -> Callable[[ActionT], ActionT]: ...
def action(method: Any = None, /, *, name: str | None = None, timeout: float = TIMEOUT) -> Any:
    """Let clients call this async method of a `DurableActor`.

    ``@action`` alone uses the method's name. ``name`` gives clients another one. After ``timeout`` seconds the call is
    cancelled, and its caller gets ``actor.action_timed_out``.

    Arguments are converted to the annotations of the parameters, and any result is encoded: Structs, dataclasses, pydantic
    models, datetimes, bytes, sets and plain data. A method that cannot be an action is a `TypeError` when its class is made.
    """

    def mark(function: Any) -> Any:
        if not callable(function):
            raise TypeError(f"@action goes before an async method, not before a value of type {type(function).__name__}")
        setattr(function, _MARK, ActionMark(getattr(function, "__name__", "") if name is None else name, timeout))
        return function

    return mark if method is None else mark(method)


def mark_of(method: Any) -> ActionMark | None:
    """The mark of ``method``, which may be bound, or `None` if it is no action."""
    mark = getattr(method, _MARK, None)
    return mark if isinstance(mark, ActionMark) else None
