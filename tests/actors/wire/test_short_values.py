"""The shortest values in CBOR: they are as the library has them, and everything else is left to it."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner.actors._wire.short_values import dump_short_text, load_short_list

short_texts = st.text(max_size=60)
short_lists = st.lists(short_texts | st.integers(0, 23), max_size=23)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=255))
def test_an_ascii_text_is_encoded_as_by_the_library(text: str) -> None:
    assert dump_short_text(text) == cbor2.dumps(text)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255])
def test_a_text_of_each_size_is_encoded_and_decoded(size: int) -> None:
    text = "x" * size
    assert dump_short_text(text) == cbor2.dumps(text)
    assert load_short_list(cbor2.dumps([text])) == [text]


@pytest.mark.parametrize("text", ["x" * 256, "ß", "\ud800"])
def test_another_text_is_left_to_the_library(text: str) -> None:
    assert dump_short_text(text) is None


@given(short_lists)
def test_a_short_list_is_decoded(items: list[Any]) -> None:
    assert load_short_list(cbor2.dumps(items)) == items


@given(short_lists, st.binary(max_size=4))
def test_bytes_after_a_list_are_ignored(items: list[Any], more: bytes) -> None:
    assert load_short_list(cbor2.dumps(items) + more) == items


@given(st.lists(short_texts | st.integers(0, 23), min_size=1, max_size=5), st.data())
def test_a_list_that_ends_early_is_left_to_the_library(items: list[Any], data: st.DataObject) -> None:
    whole = cbor2.dumps(items)
    assert load_short_list(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


OTHERS: list[Any] = [
    *(None, True, 1, "a", b"a", {}, {"a": 1}, [1.5], [24], [-1], [b"a"], [[]], [{}], [None], [cbor2.undefined]),
    *(["a", []], ["x" * 256], ["a"] * 24),
]


@pytest.mark.parametrize("value", OTHERS)
def test_another_value_is_left_to_the_library(value: Any) -> None:
    assert load_short_list(cbor2.dumps(value)) is None


def test_bytes_that_are_no_text_are_left_to_the_library() -> None:
    assert load_short_list(b"\x81\x61\xff") is None


@given(st.binary(max_size=12) | st.binary(max_size=8).map(lambda rest: b"\x82\x61a" + rest))
def test_any_bytes_are_decoded_as_by_the_library_or_left_to_it(data: bytes) -> None:
    short = load_short_list(data)
    if short is not None:
        assert short == cbor2.loads(data)
