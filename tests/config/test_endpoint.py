"""The endpoint and the connection to it: URLs, credentials, tokens."""

from __future__ import annotations

import string
import traceback
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rivet_runner.config import RunnerConfig
from tests.config.support import message_of

SECRET = "s3cr3t-token"
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


@pytest.mark.parametrize(
    ("given_endpoint", "endpoint", "namespace", "token"),
    [
        ("http://host", "http://host", "default", None),
        ("HTTPS://Host.Example:443/", "https://host.example:443", "default", None),
        ("http://host:/", "http://host", "default", None),
        ("http://host/some/Path//", "http://host/some/Path", "default", None),
        ("http://[::1]:6420/", "http://[::1]:6420", "default", None),
        ("https://ns:tok@host/path/", "https://host/path", "ns", "tok"),
        ("https://ns@host", "https://host", "ns", None),
        ("https://:tok@host", "https://host", "default", "tok"),
        ("https://@host", "https://host", "default", None),
        ("https://a%20b%2F%C3%A9:t%7Ek%25%23@host", "https://host", "a b/é", "t~k%#"),
    ],
)
@pytest.mark.parametrize("from_environment", [False, True])
def test_endpoint_is_split_when_it_is_a_url(
    environment: pytest.MonkeyPatch,
    given_endpoint: str,
    endpoint: str,
    namespace: str,
    token: str | None,
    from_environment: bool,
) -> None:
    if from_environment:
        environment.setenv("RIVET_ENDPOINT", given_endpoint)
        config = RunnerConfig()
    else:
        config = RunnerConfig(endpoint=given_endpoint)
    assert (config.endpoint, config.namespace, config.token) == (endpoint, namespace, token)


@pytest.mark.parametrize("from_environment", [False, True])
def test_url_credentials_win_when_the_environment_has_them_too(
    environment: pytest.MonkeyPatch, from_environment: bool
) -> None:
    environment.setenv("RIVET_NAMESPACE", "environment")
    environment.setenv("RIVET_TOKEN", "environment")
    options: dict[str, Any] = {}
    if from_environment:
        environment.setenv("RIVET_ENDPOINT", "https://url:url-token@host")
    else:
        options["endpoint"] = "https://url:url-token@host"
    config = RunnerConfig(**options)
    assert (config.namespace, config.token) == ("url", "url-token")
    config = RunnerConfig(**options, namespace="option", token="option-token")
    assert (config.namespace, config.token) == ("option", "option-token")
    assert RunnerConfig(**options, token=None).token is None


def test_credentials_of_the_environment_stay_unused_when_an_endpoint_is_given(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("RIVET_ENDPOINT", "https://ns:tok@trusted")
    config = RunnerConfig(endpoint="https://other")
    assert (config.endpoint, config.namespace, config.token) == ("https://other", "default", None)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "host:6420",
        "//host",
        "ftp://host",
        "ws://host",
        "http:host",
        "http://",
        "http://:6420",
        "http:///path",
        "http://ns:tok@",
        "http://host:port",
        "http://host:0",
        "http://host:65536",
        "http://[::1",
        "http://][::",
        "http://a[::1]",
        "http://[::1]a",
        "http://ho st",
        " http://host",
        "http://host\n",
        "http://ho\tst",
        "http://host\\@other",
        "http://host/\ud800",
        "http://host?a=1",
        "http://host/?",
        "http://host#part",
        "http://host/a@b",
        None,
        b"http://host",
        6420,
    ],
)
def test_value_error_names_the_endpoint_when_it_is_not_a_url(endpoint: Any) -> None:
    assert message_of(lambda: RunnerConfig(endpoint=endpoint)).startswith("endpoint must be an http://")


@pytest.mark.parametrize(
    "endpoint",
    [
        f"http://ns:{SECRET}",
        f"http://ns:{SECRET}@",
        f"http://ns:{SECRET}/more@host",
        f"http://ns:123/{SECRET}@host",
        f"http://ns:{SECRET}?more@host",
        f"http://ns:{SECRET}#more@host",
        f"http://ns:{SECRET}@host:port",
        f"http://ns:{SECRET}@[host",
        f"http://ns:{SECRET} @host",
        f"http://ns:{SECRET}℀@host",
        f"http://ns:{SECRET}%FF@host",
        f"http://%FF:{SECRET}@host",
        f"http://ns:{SECRET}%20@host",
        f"http://ns:{SECRET}@@host",
        f"ns:{SECRET}@host",
    ],
)
@pytest.mark.parametrize("from_environment", [False, True])
def test_error_hides_the_token_when_the_endpoint_is_bad(
    environment: pytest.MonkeyPatch, endpoint: str, from_environment: bool
) -> None:
    options: dict[str, Any] = {} if from_environment else {"endpoint": endpoint}
    if from_environment:
        environment.setenv("RIVET_ENDPOINT", endpoint)
    with pytest.raises(ValueError) as caught:
        RunnerConfig(**options)
    assert ("RIVET_ENDPOINT" if from_environment else "endpoint") in str(caught.value)
    assert caught.value.__context__ is None
    assert SECRET not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("token", [SECRET + " ", SECRET + "=", SECRET + "/", SECRET + ",", SECRET + "\n", "é"])
def test_error_names_the_token_but_hides_it_when_it_is_no_subprotocol(environment: pytest.MonkeyPatch, token: str) -> None:
    message = message_of(lambda: RunnerConfig(token=token))
    assert message.startswith("token must be")
    assert token.strip() not in message
    environment.setenv("RIVET_TOKEN", token)
    message = message_of(RunnerConfig)
    assert message.startswith("RIVET_TOKEN must be")
    assert token.strip() not in message


@pytest.mark.parametrize("token", ["", b"bytes", 5, True])
def test_value_error_names_the_token_when_it_is_not_text(token: Any) -> None:
    assert message_of(lambda: RunnerConfig(token=token)).startswith("token must be")


@given(token=st.text(st.sampled_from(TOKEN_CHARACTERS), min_size=1), namespace=st.text(min_size=1))
@example(token="%41", namespace="%41")
def test_credentials_are_read_back_when_they_are_percent_encoded(token: str, namespace: str) -> None:
    url = f"https://{quote(namespace, safe='')}:{quote(token, safe='')}@host"
    config = RunnerConfig(endpoint=url)
    assert (config.endpoint, config.namespace, config.token) == ("https://host", namespace, token)
    assert config.subprotocols == ["rivet", f"rivet_token.{token}"]


@given(st.text() | st.text().map("http://".__add__))
@example("http://a\u2100b")
def test_only_value_error_is_raised_when_the_endpoint_is_any_text(text: str) -> None:
    try:
        endpoint = RunnerConfig(endpoint=text).endpoint
    except ValueError:
        return
    assert endpoint.startswith(("http://", "https://"))
    assert not endpoint.endswith("/")
    assert "@" not in endpoint
    assert RunnerConfig(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize("render", [repr, str, "{}".format, lambda config: repr(config.__rich_repr__())])
def test_token_is_hidden_when_a_config_is_printed(render: Callable[[RunnerConfig], str]) -> None:
    text = render(RunnerConfig(endpoint=f"https://ns:{SECRET}@host", runner_name="pool"))
    assert SECRET not in text
    assert "***" in text
    assert "pool" in text
    assert "***" not in render(RunnerConfig())


@pytest.mark.parametrize(
    ("endpoint", "start"),
    [
        ("http://host:6420/", "ws://host:6420/runners/connect"),
        ("https://ns:tok@host/api/", "wss://host/api/runners/connect"),
        ("http://[::1]:6420", "ws://[::1]:6420/runners/connect"),
        ("https://http.example/http", "wss://http.example/http/runners/connect"),
    ],
)
def test_connect_url_has_the_websocket_scheme_when_the_endpoint_is_http(endpoint: str, start: str) -> None:
    url = RunnerConfig(endpoint=endpoint, namespace="a b/c", runner_key="k", protocol=3).connect_url()
    assert url == f"{start}?protocol_version=3&namespace=a%20b%2Fc&runner_key=k"


@given(namespace=st.text(min_size=1), runner_key=st.text(min_size=1), protocol=st.sampled_from([3, 7]))
def test_connect_url_is_read_back_when_its_values_need_encoding(
    namespace: str, runner_key: str, protocol: Literal[3, 7]
) -> None:
    url = RunnerConfig(namespace=namespace, runner_key=runner_key, protocol=protocol).connect_url()
    assert url.isascii()
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query == {
        "protocol_version": [str(protocol)],
        "namespace": [namespace],
        "runner_key": [runner_key],
    }


def test_connect_url_names_another_version_when_it_is_given() -> None:
    assert "?protocol_version=7&" in RunnerConfig(protocol=3).connect_url(7)


def test_connect_url_has_no_token_when_there_is_one() -> None:
    config = RunnerConfig(endpoint=f"https://ns:{SECRET}@host")
    assert SECRET not in config.connect_url()
    assert SECRET not in config.endpoint


def test_subprotocols_are_rivet_alone_when_there_is_no_token() -> None:
    assert RunnerConfig().subprotocols == ["rivet"]
    assert RunnerConfig(token="abc").subprotocols == ["rivet", "rivet_token.abc"]
