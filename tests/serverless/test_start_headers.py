"""The headers of a ``/start`` request. Errors name the header and never its value."""

from __future__ import annotations

import pytest

from rivet_runner import RunnerConfig
from rivet_runner.serverless.start_headers import HeaderError, StartHeaders
from tests.support.asgi_server import TOKEN, start_headers

ENGINE = "http://127.0.0.1:1"


def parse(**changes: str | None) -> StartHeaders:
    return parse_raw([(name.encode(), value.encode()) for name, value in start_headers(ENGINE, **changes).items()])


def parse_raw(headers: list[tuple[bytes, bytes]]) -> StartHeaders:
    return StartHeaders.parse(headers)


def test_every_setting_is_read_when_the_headers_are_whole() -> None:
    headers = parse()
    assert (headers.url, headers.token, headers.total_slots) == (f"{ENGINE}/", TOKEN, 7)
    assert (headers.runner_name, headers.namespace) == ("pool", "ns")
    assert TOKEN not in repr(headers)


def test_names_are_found_when_their_letter_case_differs_and_others_are_there() -> None:
    headers = [(name.upper().encode(), f" {value} ".encode()) for name, value in start_headers(ENGINE).items()]
    assert parse_raw([(b"accept", b"\xff"), *headers, (b"accept", b"*")]) == parse()


@pytest.mark.parametrize("token", [None, ""])
def test_there_is_no_token_when_the_header_is_missing_or_empty(token: str | None) -> None:
    assert parse(token=token).token is None


@pytest.mark.parametrize("slots", ["1", "007", "4294967295"])
def test_slots_are_a_number_when_they_fit_into_32_bits(slots: str) -> None:
    assert parse(total_slots=slots).total_slots == int(slots)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", None),
        ("endpoint", "nonsense"),
        ("endpoint", f"http://ns:{TOKEN}@127.0.0.1"),
        ("token", f"{TOKEN} {TOKEN}"),
        ("total_slots", "4294967296"),
        ("total_slots", "0"),
        ("total_slots", "1_0"),
        ("total_slots", "٣"),
        ("runner_name", " "),
        ("namespace_name", None),
    ],
)
def test_error_names_the_header_and_not_its_value_when_it_cannot_be_used(name: str, value: str | None) -> None:
    with pytest.raises(HeaderError) as caught:
        parse(**{name: value})
    assert f"x-rivet-{name.replace('_', '-')}" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


def test_error_names_the_header_when_it_is_given_twice_or_is_not_utf_8() -> None:
    headers = [(name.encode(), value.encode()) for name, value in start_headers(ENGINE).items()]
    with pytest.raises(HeaderError, match=r"x-rivet-token .*twice"):
        parse_raw([*headers, (b"X-Rivet-Token", b"another")])
    with pytest.raises(HeaderError, match=r"x-rivet-runner-name .*UTF-8"):
        parse_raw([(name, b"\xff" if name == b"x-rivet-runner-name" else value) for name, value in headers])


@pytest.mark.parametrize(
    ("configured", "token"),
    [
        ("http://127.0.0.1:1", "mine"),
        ("http://ns:mine@127.0.0.1:1/", "mine"),
        ("http://127.0.0.1:2", None),
        ("https://127.0.0.1:1", None),
    ],
)
def test_the_configured_token_is_used_when_the_request_is_from_the_configured_engine(
    configured: str, token: str | None
) -> None:
    config = RunnerConfig(endpoint=configured, token="mine")
    assert parse(token=None).options(config)["token"] == token
    assert parse().options(config)["token"] == TOKEN


def test_options_make_a_config_when_they_replace_the_configured_ones() -> None:
    config = RunnerConfig(endpoint="https://other.example", runner_name="other", version=3)
    made = config.replace(**parse().options(config))
    assert (made.endpoint, made.token, made.total_slots) == (ENGINE, TOKEN, 7)
    assert (made.runner_name, made.namespace, made.version) == ("pool", "ns", 3)
