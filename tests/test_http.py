from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiDictProxy

from rivet_runner.http import Request, Response, wire_headers

TOKEN_CHARACTERS = "abcXYZ019!#$%&'*+-.^_`|~"


def request(target: str = "/", headers: dict[str, str] | None = None, body: bytes = b"", method: str = "GET") -> Request:
    return Request(method, target, headers or {}, body)


@pytest.mark.parametrize(
    ("target", "path", "query_string", "query"),
    [
        ("/", "/", "", []),
        ("", "", "", []),
        ("/a?", "/a", "", []),
        ("?a=1", "", "a=1", [("a", "1")]),
        ("/a%20b/%C3%A9//?x=%20+y", "/a%20b/%C3%A9//", "x=%20+y", [("x", "  y")]),
        ("/?a=1&a=2&b=&c", "/", "a=1&a=2&b=&c", [("a", "1"), ("a", "2"), ("b", ""), ("c", "")]),
        ("/?a=b?c=d", "/", "a=b?c=d", [("a", "b?c=d")]),
        ("/?a=%FF", "/", "a=%FF", [("a", "\ufffd")]),
        ("/?A=1&a=2", "/", "A=1&a=2", [("A", "1"), ("a", "2")]),
        ("/?a;b=1", "/", "a;b=1", [("a;b", "1")]),
    ],
)
def test_target_is_split_when_it_comes_from_the_wire(
    target: str, path: str, query_string: str, query: list[tuple[str, str]]
) -> None:
    seen = request(target)
    assert (seen.path, seen.query_string) == (path, query_string)
    assert isinstance(seen.query, MultiDictProxy)
    assert list(seen.query.items()) == query


@given(st.text())
def test_no_target_fails_when_it_is_any_text(target: str) -> None:
    seen = request(target)
    assert target in (seen.path, f"{seen.path}?{seen.query_string}")
    assert all(isinstance(value, str) for value in seen.query.values())


def test_headers_are_found_when_the_letter_case_differs() -> None:
    seen = request(headers={"x-thing": "1"})
    assert isinstance(seen.headers, CIMultiDictProxy)
    assert seen.headers["X-Thing"] == "1"
    assert "y" not in seen.headers


def test_headers_and_query_are_built_once_when_they_are_read_again() -> None:
    seen = request("/?a=1", {"a": "1"})
    assert seen.headers is seen.headers
    assert seen.query is seen.query


def test_wire_headers_are_let_go_when_the_headers_are_built() -> None:
    wire = {"a": "1"}
    seen = request(headers=wire)
    before = sys.getrefcount(wire)
    assert seen.headers["a"] == "1"
    assert sys.getrefcount(wire) == before - 1


def test_request_stays_small_when_nothing_is_read() -> None:
    seen = request("/?a=1", {"a": "1"})
    assert not hasattr(seen, "__dict__")
    assert sys.getsizeof(seen) <= 80


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        (None, "é".encode(), "é"),
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=latin-1", b"\xe9", "é"),
        ("text/plain;CHARSET=ISO-8859-1", b"\xe9", "é"),
        ('text/plain; charset="latin-1"; x=y', b"\xe9", "é"),
        ('text/plain; charset="l\\atin-1"', b"\xe9", "é"),
        ("text/plain; x=y ; charset=utf-16 ; z", "é".encode("utf-16"), "é"),
        ('text/plain; x="; charset=latin-1"', "é".encode(), "é"),
        ("text/plain; charset=", "é".encode(), "é"),
        ('text/plain; charset="', "é".encode(), "é"),
        ("; charset=latin-1", b"\xe9", "é"),
        ("charset=latin-1", "é".encode(), "é"),
    ],
)
def test_text_follows_the_charset_when_the_content_type_names_one(content_type: str | None, body: bytes, text: str) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    assert request(headers=headers, body=body).text() == text


@pytest.mark.parametrize("charset", ["nonsense", "hex", "rot13", "zlib", "a\0b", "é", "utf-8/../x", "x" * 9999])
def test_text_raises_value_error_when_the_charset_is_unknown(charset: str) -> None:
    seen = request(headers={"content-type": f"text/plain; charset={charset}"}, body=b"abc")
    with pytest.raises(ValueError, match="charset"):
        seen.text()


def test_text_raises_value_error_when_the_charset_is_unknown_and_the_body_empty() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        request(headers={"content-type": "text/plain; charset=nonsense"}).text()


def test_text_raises_unicode_decode_error_when_the_body_does_not_fit() -> None:
    with pytest.raises(UnicodeDecodeError):
        request(body=b"\xff").text()


@given(st.text() | st.text().map("text/plain; charset=".__add__), st.binary())
@example('a;a="' * 1000, b"")
def test_text_raises_only_value_error_when_the_content_type_is_any_text(content_type: str, body: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(request(headers={"content-type": content_type}, body=body).text(), str)


def test_json_is_decoded_when_the_body_is_json() -> None:
    assert request(body=b'{"a": [1, null, "\xc3\xa9"]}').json() == {"a": [1, None, "é"]}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"\xff"', b"NaN", b"1 2", b"[" * 100_000, b"1e999"])
def test_json_raises_value_error_when_the_body_is_not_json(body: bytes) -> None:
    with pytest.raises(ValueError, match="the request's body is not JSON"):
        request(body=body).json()


def test_request_repr_hides_headers_and_query_when_they_hold_secrets() -> None:
    seen = request("/path?token=secret", {"authorization": "secret"}, b"secret", method="POST")
    assert repr(seen) == "<Request POST '/path', 6 bytes>"
    assert seen.headers["authorization"] == "secret"
    assert "secret" not in repr(seen)


def test_response_is_an_empty_200_when_nothing_is_given() -> None:
    response = Response()
    assert (response.status, response.body, list(response.headers)) == (200, b"", [])
    assert isinstance(response.headers, CIMultiDict)


@pytest.mark.parametrize("body", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_response_has_no_content_type_when_the_body_is_bytes(body: Any) -> None:
    response = Response(body)
    assert type(response.body) is bytes
    assert response.body == b"abc"
    assert "content-type" not in response.headers


def test_response_is_utf8_text_when_the_body_is_str() -> None:
    response = Response("é")
    assert response.body == "é".encode()
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert Response("", headers={"Content-Type": "text/html"}).headers.getall("content-type") == ["text/html"]


@pytest.mark.parametrize("body", [None, 5, {"a": 1}, ["a"], object()])
def test_response_raises_type_error_when_the_body_is_neither_bytes_nor_str(body: Any) -> None:
    with pytest.raises(TypeError, match=r"bytes or str, not .*; see Response\.json"):
        Response(body)


def test_response_raises_value_error_when_the_text_has_a_lone_surrogate() -> None:
    with pytest.raises(ValueError):
        Response("\ud800")


def test_json_response_is_encoded_when_the_value_has_a_json_form() -> None:
    response = Response.json({"é": [1, None]}, status=201, headers=[("x-a", "1")])
    assert msgspec.json.decode(response.body) == {"é": [1, None]}
    assert response.status == 201
    assert list(response.headers.items()) == [("x-a", "1"), ("content-type", "application/json")]


def test_json_response_keeps_the_content_type_when_one_is_given() -> None:
    response = Response.json({}, headers={"Content-Type": "application/problem+json"})
    assert response.headers.getall("content-type") == ["application/problem+json"]


def test_json_response_raises_when_the_value_has_no_json_form() -> None:
    with pytest.raises(TypeError):
        Response.json(object())
    circular: list[Any] = []
    circular.append(circular)
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        Response.json(circular)
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        Response.json("\ud800")


@pytest.mark.parametrize("status", [200, 204, 999, HTTPStatus.NOT_FOUND])
def test_status_is_kept_when_the_engine_takes_it(status: int) -> None:
    assert Response(status=status).status == status
    assert type(Response.json(None, status).status) is int


@pytest.mark.parametrize("status", [-1, 0, 99, 1000, 10**5000], ids=["negative", "zero", "low", "high", "huge"])
def test_status_raises_value_error_when_the_engine_refuses_it(status: int) -> None:
    with pytest.raises(ValueError, match="from 200 to 999"):
        Response(status=status)


@pytest.mark.parametrize("status", [True, False, None, "200", 200.0])
def test_status_raises_type_error_when_it_is_not_an_int(status: Any) -> None:
    with pytest.raises(TypeError, match="status must be an int"):
        Response.json(None, status=status)


PAIRS = [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("x-a", "é\t")]


@pytest.mark.parametrize(
    "headers",
    [
        PAIRS,
        tuple(PAIRS),
        iter(PAIRS),
        [list(pair) for pair in PAIRS],
        MultiDict(PAIRS),
        CIMultiDict(PAIRS),
        CIMultiDictProxy(CIMultiDict(PAIRS)),
        dict(PAIRS),
        MappingProxyType(dict(PAIRS)),
    ],
    ids=lambda headers: type(headers).__name__,
)
def test_headers_are_kept_when_they_come_as_mapping_or_pairs(headers: Any) -> None:
    response = Response(headers=headers)
    assert response.headers.getall("SET-COOKIE") == ["a=1", "b=2"]
    assert response.headers["x-a"] == "é\t"


def test_headers_are_a_copy_when_the_original_changes() -> None:
    original = CIMultiDict({"a": "1"})
    response = Response(headers=original)
    original["a"] = "2"
    assert response.headers["a"] == "1"


BAD_NAMES = ["", " ", "a b", "a:", "a\n", "é", "\ud800", "a\0", "(a)", "a/b", "İ"]
BAD_VALUES = ["a\r\nx: y", "\n", "\r", "\0", "\x1b", "\x7f", "\ud800"]
SENDERS = [
    lambda headers: Response(headers=headers),
    lambda headers: Response.json(1, 200, headers),
    wire_headers,
]


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("name", BAD_NAMES)
def test_headers_raise_value_error_when_a_name_is_not_a_token(send: Callable[[Any], object], name: str) -> None:
    with pytest.raises(ValueError, match="header name"):
        send([("x-good", "1"), (name, "1")])


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("value", BAD_VALUES)
def test_headers_raise_value_error_when_a_value_has_control_characters(send: Callable[[Any], object], value: str) -> None:
    with pytest.raises(ValueError, match="'x-bad' must not have control characters") as caught:
        send({"x-bad": f"secret{value}"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize(
    "headers",
    [
        "",
        b"",
        "abc",
        b"abc",
        5,
        ["abc"],
        ["ab"],
        [("a",)],
        [("a", "b", "c")],
        [None],
        {"a": 1},
        {"a": ["b"]},
        {b"a": "b"},
    ],
)
def test_headers_raise_type_error_when_they_are_not_pairs_of_str(send: Callable[[Any], object], headers: Any) -> None:
    with pytest.raises(TypeError, match="header"):
        send(headers)


@pytest.mark.parametrize("name", ["content-length", "Content-Length", "transfer-encoding", "TRANSFER-ENCODING"])
def test_framing_header_is_left_out_when_it_is_given(name: str) -> None:
    response = Response(b"abc", headers={name: "7", "x-a": "1"})
    assert list(response.headers.items()) == [("x-a", "1")]
    response.headers[name] = "7"
    assert wire_headers(response.headers) == {"x-a": "1"}


def test_wire_headers_are_checked_when_a_response_was_changed() -> None:
    response = Response()
    response.headers["x-a"] = "a\r\nset-cookie: b"
    with pytest.raises(ValueError, match="x-a"):
        wire_headers(response.headers)


def test_response_repr_hides_headers_when_they_hold_secrets() -> None:
    response = Response(b"abc", 404, {"set-cookie": "secret"})
    assert repr(response) == "<Response 404, 3 bytes>"


def test_wire_headers_are_lower_case_when_no_name_repeats() -> None:
    assert wire_headers({"Content-Type": "text/plain", "X-A": "1"}) == {
        "content-type": "text/plain",
        "x-a": "1",
    }
    assert wire_headers([]) == {}


def test_wire_headers_differ_in_letter_case_when_a_name_repeats() -> None:
    cookies = [("Set-Cookie", str(number)) for number in range(5)]
    assert list(wire_headers([*cookies, ("x", "y")]).items()) == [
        ("set-cookie", "0"),
        ("Set-cookie", "1"),
        ("sEt-cookie", "2"),
        ("SEt-cookie", "3"),
        ("seT-cookie", "4"),
        ("x", "y"),
    ]


def test_wire_headers_join_the_rest_when_a_name_has_too_few_spellings() -> None:
    assert wire_headers([("x", "1"), ("X", "2"), ("x", "3")]) == {"x": "1", "X": "2, 3"}
    assert wire_headers([("1", "a"), ("1", "b"), ("1", "c")]) == {"1": "a, b, c"}


def test_every_cookie_is_sent_when_there_are_as_many_as_spellings() -> None:
    wire = wire_headers([("set-cookie", str(number)) for number in range(512)])
    assert len(wire) == 512
    assert list(wire.values()) == [str(number) for number in range(512)]


def test_wire_headers_raise_value_error_when_there_are_too_many_cookies() -> None:
    with pytest.raises(ValueError, match="at most 512 set-cookie headers, not 513"):
        wire_headers([("Set-Cookie", "a")] * 513)


header_names = st.sampled_from(["set-cookie", "Set-Cookie", "x", "X", "1", "vary", "VARY"]) | st.text(
    st.sampled_from(TOKEN_CHARACTERS), min_size=1, max_size=6
)
# Without commas, so that joined values can be told apart again.
header_values = st.text(st.characters(categories=["L", "N", "S"]), min_size=1)


@given(st.lists(st.tuples(header_names, header_values)))
@example([("x" * 10_000, "1")] * 3)
def test_every_value_reaches_the_client_in_order_when_names_repeat(pairs: list[tuple[str, str]]) -> None:
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name.casefold(), []).append(value)
    seen: dict[str, list[str]] = {}
    for name, joined in wire_headers(pairs).items():
        seen.setdefault(name.casefold(), []).extend(joined.split(", "))
    assert seen == expected


@given(st.text(), st.text())
def test_headers_raise_only_value_error_when_they_are_any_text(name: str, value: str) -> None:
    try:
        wire = wire_headers({name: value})
    except ValueError:
        return
    assert "\n" not in "".join([*wire, *wire.values()])
    assert all(text.encode() for text in wire)
