"""The engine's text of a key. The examples are what the JavaScript client makes of the same parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner.actors._keys import join_key, split_key

KEYS = [
    ((), "/"),
    (("a",), "a"),
    (("a", "b", "c"), "a/b/c"),
    (("a/b", "c"), r"a\/b/c"),
    (("/",), r"\/"),
    (("",), r"\0"),
    (("", ""), r"\0/\0"),
    (("a\\b",), r"a\\b"),
    (("0", r"\0"), r"0/\\0"),
    (("a,b", " ", "ß\n"), "a,b/ /ß\n"),
]


@pytest.mark.parametrize(("parts", "text"), KEYS)
def test_a_key_has_the_text_that_other_clients_make(parts: tuple[str, ...], text: str) -> None:
    assert join_key(parts) == text
    assert split_key(text) == parts


@given(st.lists(st.text(st.sampled_from("ab/\\0,")), max_size=5))
def test_any_key_comes_back(parts: list[str]) -> None:
    assert split_key(join_key(parts)) == tuple(parts)


@pytest.mark.parametrize(("text", "parts"), [(None, ()), ("", ()), ("a\\", ("a\\",)), ("/a", ("", "a"))])
def test_texts_that_no_client_makes_are_split_too(text: str | None, parts: tuple[str, ...]) -> None:
    assert split_key(text) == parts


def test_a_part_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError, match=r"write str\(42\)"):
        join_key(["org", 42])  # type: ignore[list-item]
