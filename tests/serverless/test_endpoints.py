"""Comparison of endpoints, and the engines that may start runners."""

from __future__ import annotations

import pytest

from rivet_runner.serverless.endpoints import AllowedEndpoints, Endpoint

CONFIGURED = "http://127.0.0.1:6420"


def allowed(named: list[str] | None = None, endpoint: str | None = None) -> AllowedEndpoints:
    options = {} if endpoint is None else {"endpoint": endpoint}
    return AllowedEndpoints(named, options, endpoint or CONFIGURED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://engine.example", "https://ENGINE.example:443/"),
        ("http://engine.example", "http://engine.example:80"),
        ("https://engine.example.", "https://engine.example"),
        ("https://ns:secret@engine.example", "https://engine.example"),
        ("https://engine.example/a", "https://engine.example/a/"),
        ("http://[::1]:1", "http://[0:0:0:0:0:0:0:1]:1"),
    ],
)
def test_endpoints_are_equal_when_only_the_spelling_differs(one: str, other: str) -> None:
    assert Endpoint.parse(one) == Endpoint.parse(other)


@pytest.mark.parametrize(
    "other",
    [
        "http://engine.example:443",
        "https://engine.example:444",
        "https://engine.example/a",
        "https://other.example",
        "https://engine.example.com",
    ],
)
def test_endpoints_differ_when_they_are_another_engine(other: str) -> None:
    assert Endpoint.parse(other) != Endpoint.parse("https://engine.example")


@pytest.mark.parametrize("url", ["", "engine.example", "ftp://engine.example", "http://", "http://:80", "http://a b"])
def test_value_error_when_it_is_no_url_of_an_engine(url: str) -> None:
    with pytest.raises(ValueError, match="endpoint must be"):
        Endpoint.parse(url)


def test_no_credentials_are_shown_when_an_endpoint_is_printed() -> None:
    endpoint = Endpoint.parse("https://ns:secret@engine.example/a/")
    assert str(endpoint) == "https://engine.example:443/a"
    assert str(Endpoint.parse("http://[::1]")) == "http://[::1]:80"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("[::]", False),
    ],
)
def test_loopback_is_recognised_when_the_address_says_so(host: str, loopback: bool) -> None:
    assert Endpoint.parse(f"http://{host}:1").is_loopback is loopback
    assert (Endpoint.parse(f"http://{host}:1") in allowed()) is loopback


def test_only_the_list_counts_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET_ENDPOINT", "https://environment.example")
    listed = allowed(["https://b.example", "https://a.example/"], endpoint="https://option.example")
    assert Endpoint.parse("https://a.example") in listed
    for url in ("https://option.example", "https://environment.example", "http://localhost"):
        assert Endpoint.parse(url) not in listed
    assert str(listed) == "https://a.example:443, https://b.example:443"
    assert str(allowed([])) == "none"


def test_only_the_configured_endpoint_counts_when_there_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Endpoint.parse("https://option.example") in allowed(endpoint="https://option.example")
    assert Endpoint.parse("http://localhost") not in allowed(endpoint="https://option.example")
    assert str(allowed()) == "loopback addresses"
    monkeypatch.setenv("RIVET_ENDPOINT", CONFIGURED)
    assert str(allowed()) == CONFIGURED


def test_error_names_the_option_when_the_list_cannot_be_used() -> None:
    with pytest.raises(TypeError, match="allowed_endpoints"):
        AllowedEndpoints("http://a.example", {}, CONFIGURED)
    with pytest.raises(TypeError, match="allowed_endpoints"):
        AllowedEndpoints([b"http://a.example"], {}, CONFIGURED)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="allowed_endpoints"):
        AllowedEndpoints(["a.example"], {}, CONFIGURED)
