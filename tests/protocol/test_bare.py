"""The errors of the generated modules name a field, a place and a value."""

from __future__ import annotations

import enum
import itertools
from typing import Any

import pytest

from rivet_runner.protocol import _bare


class Breaks:
    """Has a ``__repr__`` that fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (2**128 - 1, str(2**128 - 1)),
        (10**5000, "an integer of 16610 bits"),
        (1.5, "1.5"),
        ("x" * 40, repr("x" * 40)),
        ("x" * 41, repr("x" * 40) + "..."),
        (b"y" * 5000, repr(b"y" * 40) + "..."),
        ([1, 2], "list"),
        (Breaks(), "Breaks"),
    ],
    ids=itertools.count(),
)
def test_a_value_is_short_and_safe_when_it_is_shown(value: object, text: str) -> None:
    assert _bare.shown(value) == text


def test_the_first_field_that_is_cut_off_is_blamed_when_a_message_ends_early() -> None:
    error = _bare.ends_early(3, 6, ("a", 2), ("b", 1), ("c", 8))
    assert str(error) == "c: 8 bytes expected at offset 6, but the message ends at 6"
    with pytest.raises(AssertionError):
        _bare.ends_early(0, 2, ("a", 2))


def test_the_first_number_outside_its_range_is_blamed_when_several_were_packed() -> None:
    error = _bare.out_of_range(("a", "u8", 255), ("b", "i8", 128), ("c", "u8", 256))
    assert str(error) == "b: expected i8, got 128"
    assert str(_bare.out_of_range(("d", "f32", 1e39))) == "d: expected f32, got 1e+39"
    with pytest.raises(AssertionError):
        _bare.out_of_range(("a", "u8", 255), ("d", "f64", 1e300))


class Colour(enum.IntEnum):
    RED = 0


@pytest.mark.parametrize(
    ("check", "value", "error"),
    [
        (lambda value: _bare.integer(value, "f", "u8"), True, "f: expected u8, got bool"),
        (lambda value: _bare.integer(value, "f", "u8"), 1.0, "f: expected u8, got float"),
        (lambda value: _bare.real(value, "f", "f64"), 10**400, "f: expected f64, got an integer of 1329 bits"),
        (lambda value: _bare.text(value, "f"), b"x", "f: expected str, got bytes"),
        (lambda value: _bare.data(value, "f"), [1], "f: expected bytes, got list"),
        (lambda value: _bare.fixed_data(value, 4, "f"), b"123", "f: expected 4 bytes, got 3"),
        (lambda value: _bare.sequence(value, "f"), "text", "f: expected a sequence, got str"),
        (lambda value: _bare.mapping(value, "f"), [], "f: expected a mapping, got list"),
        (lambda value: _bare.enum_value(value, Colour, "f"), 3, "f: Colour has no member 3"),
        (lambda value: _bare.enum_value(value, Colour, "f"), True, "f: expected Colour, got bool"),
    ],
    ids=itertools.count(),
)
def test_the_field_is_named_when_a_value_cannot_be_encoded(check: Any, value: object, error: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        check(value)
    assert str(caught.value) == error
