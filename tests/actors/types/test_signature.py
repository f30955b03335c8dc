"""A list of arguments from a client is fitted to the parameters of a method."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import pytest

from rivet_runner.actors._types.convert import ConversionError
from rivet_runner.actors._types.signature import Signature, signature_of


class Size(msgspec.Struct):
    width: int


class Opaque: ...


class Room:
    async def say(self, text: str, size: Size, times: int = 1) -> Size:
        return size

    async def untyped(self, a, b=None):  # type: ignore[no-untyped-def]
        return a

    async def many(self, first: int, *sizes: Size) -> None: ...

    async def rest(self, *args: int) -> None: ...

    async def none(self) -> Opaque:
        return Opaque()

    async def one(self, a: int, /, *, extra: int = 0) -> Any: ...

    async def keyword(self, *, needed: int) -> None: ...
    async def keywords(self, **rest: int) -> None: ...
    async def opaque(self, it: Opaque) -> None: ...
    async def unknown(self, it: Nope) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    async def unreadable(self, it: "int[") -> None: ...  # type: ignore[valid-type]  # noqa: F722
    async def no_self() -> None: ...  # type: ignore[misc]


SAY = Signature(Room.say)


def test_arguments_are_converted_and_defaults_left_to_the_call() -> None:
    assert SAY.bind(["hi", {"width": 1.0}]) == ["hi", Size(1)]
    assert SAY.bind(["hi", {"width": 1}, 2.0]) == ["hi", Size(1), 2]
    assert Signature(Room.untyped).bind([{"a": 1.5}]) == [{"a": 1.5}]
    assert Signature(Room.many).bind([1.0, {"width": 1}, {"width": 2}]) == [1, Size(1), Size(2)]
    assert Signature(Room.none).bind([]) == []
    assert Signature(Room.one).bind([1]) == [1]


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        (Room.say, [], "takes 2 to 3 arguments, got 0"),
        (Room.say, ["a", {"width": 1}, 1, 2], "takes 2 to 3 arguments, got 4"),
        (Room.none, [1], "takes 0 arguments, got 1"),
        (Room.one, [1, 2], "takes 1 argument, got 2"),
        (Room.many, [], "takes at least 1 argument, got 0"),
        (Room.say, [1, {"width": 1}], "text: Expected `str`, got `int`"),
        (Room.say, ["a", {"width": "b"}], "size.width: Expected `int`, got `str`"),
        (Room.many, [1, {"width": 1}, {"width": "b"}], "sizes[1].width: Expected `int`, got `str`"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_with_their_place(method: Any, arguments: list[Any], error: str) -> None:
    with pytest.raises(ConversionError) as caught:
        Signature(method).bind(arguments)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("method", "error"),
    [
        (Room.keyword, "parameter 'needed' is for keywords alone"),
        (Room.keywords, "parameter 'rest' is for keywords alone"),
        (Room.opaque, "the annotation of parameter 'it' cannot be used: plain data cannot become a .*Opaque"),
        (Room.unknown, "name 'Nope' is not defined; define or import it before the class"),
        (Room.unreadable, "int"),
        (Room.no_self, "begins with the parameter self"),
    ],
)
def test_a_method_that_no_list_fits_is_a_type_error(method: Any, error: str) -> None:
    with pytest.raises(TypeError, match=error):
        Signature(method)


def test_names_of_the_place_of_the_class_are_known() -> None:
    assert Signature(Room.unknown, {"Nope": Size}).bind([{"width": 1}]) == [Size(1)]


def test_the_names_around_a_class_are_remembered_for_its_methods() -> None:
    async def method(self: Any, it: Local) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(TypeError, match="name 'Local' is not defined"):
        signature_of(method)
    made = signature_of(method, {"Local": Size})
    assert signature_of(method) is made
    assert made.bind([{"width": 1}]) == [Size(1)]


def test_a_decorated_method_keeps_its_parameters() -> None:
    @functools.wraps(Room.say)
    def wrapped(*args: Any, **kwargs: Any) -> Any: ...

    assert Signature(wrapped).bind(["hi", {"width": 1.0}]) == ["hi", Size(1)]


def test_the_first_parameter_has_a_type() -> None:
    assert SAY.first().annotation is str
    assert Signature(Room.many).first().annotation is int
    assert Signature(Room.rest).first().annotation is Any


def test_a_result_is_converted_if_its_annotation_allows_it() -> None:
    assert SAY.convert_result({"width": 1.0}) == Size(1)
    with pytest.raises(ConversionError, match="width"):
        SAY.convert_result({"width": "x"})
    assert Signature(Room.none).convert_result({"a": 1}) == {"a": 1}
