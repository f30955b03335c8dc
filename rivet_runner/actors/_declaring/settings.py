"""The class attributes of a typed actor that are settings, and what each may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

__all__ = ["SETTINGS", "check_setting"]


class Setting(NamedTuple):
    """What a setting may be, as a check and in words."""

    accepts: Callable[[Any], bool]
    rule: str


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_FLAG: Final = Setting(_is_flag, "True or False")
_SIZE: Final = Setting(_is_size, "a whole number of bytes, over 0")

SETTINGS: Final[Mapping[str, Setting]] = {
    "hibernate": _FLAG,
    "run_keeps_awake": _FLAG,
    "sleep_after": Setting(
        lambda value: value is None or (_is_number(value) and value > 0), "seconds over 0, or None to stay awake"
    ),
    "save_interval": Setting(lambda value: _is_number(value) and value >= 0, "seconds, 0 or more"),
    "max_incoming_message": _SIZE,
    "max_outgoing_message": _SIZE,
    "max_params": _SIZE,
}


def check_setting(where: str, name: str, value: Any) -> None:
    """Raise `TypeError` if ``value`` is no value of the setting ``name``. ``where`` names its class and itself."""
    setting = SETTINGS[name]
    if not setting.accepts(value):
        raise TypeError(f"{where} must be {setting.rule}, not {value!r}")
