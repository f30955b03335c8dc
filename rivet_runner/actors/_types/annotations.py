"""The annotations of functions, evaluated."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping
from typing import Any

__all__ = ["Names", "annotations_of", "enclosing_names", "evaluate"]

Names = Mapping[str, Any]
"""Names that annotations may use beside the globals of their module."""

_PACKAGE = __name__.rpartition("._types")[0]


def annotations_of(function: Any, names: Names) -> dict[str, Any]:
    """The annotations of ``function``, with ``Annotated`` kept. Raises `TypeError` if one cannot be evaluated."""
    try:
        return typing.get_type_hints(function, localns=dict(names), include_extras=True)
    except NameError as error:
        raise TypeError(f"{error}; define or import it before the class, and not for type checkers alone") from None
    except (TypeError, SyntaxError, AttributeError) as error:
        raise TypeError(str(error)) from None


def evaluate(annotation: Any, module: str, names: Names) -> Any:
    """``annotation`` with its strings evaluated, as code of ``module`` means it. Raises `TypeError` if that fails."""

    def carrier() -> None: ...

    carrier.__annotations__ = {"it": annotation}
    return annotations_of(carrier, {**vars(sys.modules[module]), **names})["it"]


def enclosing_names(made: type) -> dict[str, Any]:
    """The names around the ``class`` statement that makes ``made``, if it stands in a function, and its inner classes."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_globals.get("__name__", "").startswith(_PACKAGE) or frame.f_code.co_name == "__init_subclass__"
    ):
        frame = frame.f_back
    local = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
    return local | {name: value for name, value in vars(made).items() if isinstance(value, type)}
