"""The models of pydantic, which this package does not need. A value can only be one if the program has imported it."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import msgspec

from rivet_runner.actors._types.conversion_error import ConversionError

__all__ = ["convert_model", "is_model", "plain_of_fields"]


def is_model(kind: Any) -> bool:
    """Whether ``kind`` is a class of pydantic models. Pydantic is not imported for that: its models have been already."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)


def convert_model(kind: Any, value: Any, *, strict: bool | None = None, by_name: bool | None = None) -> Any:
    """Make the model ``kind`` of plain data. Raises `ConversionError`.

    ``strict`` and ``by_name`` are pydantic's, and `None` leaves the choice to the model.
    """
    if isinstance(value, kind):
        return value
    from pydantic import ValidationError

    try:
        return kind.model_validate(value, strict=strict, by_name=by_name)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        raise ConversionError(path.removeprefix("."), first["msg"]) from None


def plain_of_fields(fields: Any) -> Any:
    """The dumped fields of a model as plain data, also those of a type that only pydantic knows. Sets become lists.

    Raises `TypeError` if one has no such form.
    """
    return msgspec.to_builtins(fields, builtin_types=(bytes, datetime), enc_hook=_plain_of_field)


def _plain_of_field(value: Any) -> Any:
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise TypeError(str(error)) from None
