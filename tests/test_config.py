from __future__ import annotations

import copy
import pickle
import string
import traceback
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rivet_runner.config import RunnerConfig

MIB = 1024 * 1024
SECRET = "s3cr3t-token"
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
VARIABLES = {
    "RIVET_ENDPOINT",
    "RIVET_TOKEN",
    "RIVET_NAMESPACE",
    "RIVET_POOL",
    "RIVET_RUNNER_NAME",
    "RIVET_RUNNER_VERSION",
    "RIVET_TOTAL_SLOTS",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def message_of(build: Callable[[], object]) -> str:
    """Return the message of the ValueError that `build` must raise."""
    with pytest.raises(ValueError) as caught:
        build()
    return str(caught.value)


def test_every_field_has_its_default_when_nothing_is_given() -> None:
    config = RunnerConfig()
    fields = msgspec.structs.asdict(config)
    assert uuid.UUID(fields.pop("runner_key")).version == 4
    assert fields == {
        "endpoint": "http://127.0.0.1:6420",
        "token": None,
        "namespace": "default",
        "runner_name": "default",
        "version": 1,
        "total_slots": 100_000,
        "metadata": {},
        "prepopulate_actor_names": {},
        "send_rate": 10_000.0,
        "hibernation_store": None,
        "start_timeout": None,
        "init_timeout": 60,
        "stop_timeout": 120,
        "actor_stop_timeout": 30,
        "kv_timeout": 30,
        "max_payload": 20 * MIB,
        "max_buffered": 16 * MIB,
    }


def test_runner_key_is_fresh_when_not_given() -> None:
    assert RunnerConfig().runner_key != RunnerConfig().runner_key


def test_default_containers_are_not_shared_when_two_configs_are_built() -> None:
    assert RunnerConfig().metadata is not RunnerConfig().metadata
    assert RunnerConfig().prepopulate_actor_names is not RunnerConfig().prepopulate_actor_names


@pytest.mark.parametrize("build", [RunnerConfig, RunnerConfig.from_env])
@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("RIVET_ENDPOINT", "https://engine:99/", "endpoint", "https://engine:99"),
        ("RIVET_TOKEN", "abc", "token", "abc"),
        ("RIVET_NAMESPACE", "prod", "namespace", "prod"),
        ("RIVET_POOL", "pool", "runner_name", "pool"),
        ("RIVET_RUNNER_NAME", "name", "runner_name", "name"),
        ("RIVET_RUNNER_VERSION", "7", "version", 7),
        ("RIVET_TOTAL_SLOTS", "12", "total_slots", 12),
    ],
)
def test_field_comes_from_the_environment_when_not_given(
    environment: pytest.MonkeyPatch,
    build: Callable[..., RunnerConfig],
    variable: str,
    text: str,
    field: str,
    value: object,
) -> None:
    environment.setenv(variable, text)
    assert getattr(build(), field) == value


@pytest.mark.parametrize("build", [RunnerConfig, RunnerConfig.from_env])
def test_option_wins_when_the_environment_has_the_field_too(
    environment: pytest.MonkeyPatch, build: Callable[..., RunnerConfig]
) -> None:
    environment.setenv("RIVET_ENDPOINT", "not a url")
    environment.setenv("RIVET_TOKEN", "not a token")
    environment.setenv("RIVET_NAMESPACE", "elsewhere")
    environment.setenv("RIVET_POOL", "elsewhere")
    environment.setenv("RIVET_RUNNER_VERSION", "not a number")
    environment.setenv("RIVET_TOTAL_SLOTS", "not a number")
    config = build(endpoint="http://here", token=None, namespace="here", runner_name="here", version=2, total_slots=3)
    assert (config.endpoint, config.token, config.namespace) == ("http://here", None, "here")
    assert (config.runner_name, config.version, config.total_slots) == ("here", 2, 3)


def test_pool_wins_when_runner_name_is_set_too(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RIVET_POOL", "pool")
    environment.setenv("RIVET_RUNNER_NAME", "name")
    assert RunnerConfig().runner_name == "pool"
    environment.setenv("RIVET_POOL", "")
    assert RunnerConfig().runner_name == "name"


def test_default_is_used_when_the_variable_is_empty(environment: pytest.MonkeyPatch) -> None:
    expected = msgspec.structs.asdict(RunnerConfig(runner_key="key"))
    for variable in VARIABLES:
        environment.setenv(variable, "")
    assert msgspec.structs.asdict(RunnerConfig(runner_key="key")) == expected


@pytest.mark.parametrize("build", [RunnerConfig, RunnerConfig.from_env, lambda **options: RunnerConfig().replace(**options)])
def test_type_error_names_the_option_when_it_is_unknown(build: Callable[..., RunnerConfig]) -> None:
    with pytest.raises(TypeError, match="total_slot_count"):
        build(total_slot_count=3)


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


@pytest.mark.parametrize("name", ["runner_name", "namespace", "runner_key"])
@pytest.mark.parametrize("value", ["", None, 5, b"bytes", "\ud800", ["name"]])
def test_value_error_names_the_field_when_it_is_not_text(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    assert message_of(lambda: RunnerConfig(**options)).startswith(f"{name} must be text")


@pytest.mark.parametrize("variable", ["RIVET_NAMESPACE", "RIVET_POOL", "RIVET_RUNNER_NAME"])
def test_value_error_names_the_variable_when_it_is_not_utf8(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "\udcff")
    assert message_of(RunnerConfig).startswith(f"{variable} must be text")


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("version", 0, 2**32 - 1),
        ("total_slots", 1, 2**32 - 1),
        ("max_payload", 1, 20 * MIB),
        ("max_buffered", 0, 2**60),
    ],
)
def test_whole_number_is_taken_when_it_is_within_its_range(name: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        options: dict[str, Any] = {name: value}
        assert getattr(RunnerConfig(**options), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, -1) for name in ("version", "total_slots", "max_payload", "max_buffered")),
        *((name, True) for name in ("version", "total_slots", "max_payload", "max_buffered")),
        *((name, 1.0) for name in ("version", "total_slots", "max_payload", "max_buffered")),
        *((name, "5") for name in ("version", "total_slots", "max_payload", "max_buffered")),
        *((name, None) for name in ("version", "total_slots", "max_payload", "max_buffered")),
        ("version", 2**32),
        ("total_slots", 2**32),
        ("total_slots", 0),
        ("max_payload", 0),
        ("max_payload", 20 * MIB + 1),
    ],
)
def test_value_error_names_the_field_when_it_is_not_a_whole_number_in_range(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    assert message_of(lambda: RunnerConfig(**options)).startswith(f"{name} must be a whole number")


def test_value_error_names_the_field_when_the_number_is_too_long_to_print() -> None:
    assert message_of(lambda: RunnerConfig(version=10**5000)).startswith("version must be a whole number")


def test_error_says_what_the_engine_does_when_max_payload_is_too_large() -> None:
    message = message_of(lambda: RunnerConfig(max_payload=20 * MIB + 1))
    assert "20 MiB" in message
    assert "the engine cuts the whole connection" in message


@pytest.mark.parametrize("variable", ["RIVET_RUNNER_VERSION", "RIVET_TOTAL_SLOTS"])
@pytest.mark.parametrize("text", ["many", "1.5", "-1", "+1", " 1", "1_0", "0x1", "٣", "4294967296", "9" * 5000, "\udcff"])
def test_value_error_names_the_variable_when_it_is_not_a_whole_number(
    environment: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    environment.setenv(variable, text)
    message = message_of(RunnerConfig)
    assert message.startswith(f"{variable} must be a whole number")
    assert "4294967295" in message


@pytest.mark.parametrize("name", ["start_timeout", "init_timeout", "kv_timeout"])
@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan"), float("inf"), True, "5", b"5", 10**400])
def test_value_error_names_the_field_when_it_is_not_a_positive_time(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    message = message_of(lambda: RunnerConfig(**options))
    assert message.startswith(f"{name} must be a finite number of seconds above 0")


@pytest.mark.parametrize("name", ["stop_timeout", "actor_stop_timeout"])
@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), False, "5", None])
def test_value_error_names_the_field_when_it_is_a_negative_time(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    message = message_of(lambda: RunnerConfig(**options))
    assert message.startswith(f"{name} must be a finite number of seconds of 0 or more")


@pytest.mark.parametrize("name", ["init_timeout", "kv_timeout"])
def test_value_error_names_the_field_when_a_time_is_none_but_must_be_given(name: str) -> None:
    options: dict[str, Any] = {name: None}
    assert message_of(lambda: RunnerConfig(**options)).startswith(f"{name} must be")


@given(seconds=st.floats(min_value=1e-6, max_value=1e9) | st.integers(1, 10**9))
def test_time_is_kept_when_it_is_positive(seconds: float) -> None:
    names = ("start_timeout", "init_timeout", "stop_timeout", "actor_stop_timeout", "kv_timeout")
    config = RunnerConfig(**dict.fromkeys(names, seconds))  # type: ignore[arg-type]
    assert all(getattr(config, name) == seconds for name in names)


def test_zero_is_kept_when_stopping_at_once_is_asked_for() -> None:
    config = RunnerConfig(stop_timeout=0, actor_stop_timeout=0)
    assert (config.stop_timeout, config.actor_stop_timeout) == (0, 0)


CIRCULAR: list[Any] = []
CIRCULAR.append(CIRCULAR)
NESTED: list[Any] = []
for _ in range(100_000):
    NESTED = [NESTED]
NOT_JSON = [object(), b"bytes", {1, 2}, float("nan"), float("inf"), "\ud800", {("a",): 1}, CIRCULAR, NESTED]


@pytest.mark.parametrize("value", NOT_JSON, ids=range(len(NOT_JSON)))
def test_value_error_names_the_field_when_metadata_is_not_json(value: object) -> None:
    assert message_of(lambda: RunnerConfig(metadata={"a": value})).startswith("metadata must be JSON")
    message = message_of(lambda: RunnerConfig(prepopulate_actor_names={"room": value}))
    assert message.startswith("prepopulate_actor_names['room'] must be JSON")


@pytest.mark.parametrize("names", [{1: {}}, {"": {}}, {None: {}}, {b"a": {}}, {"\ud800": {}}, ["a"], "a", None])
def test_value_error_names_the_field_when_actor_names_are_not_text(names: Any) -> None:
    assert "prepopulate_actor_names" in message_of(lambda: RunnerConfig(prepopulate_actor_names=names))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(metadata=json_values, names=st.dictionaries(st.text(min_size=1), json_values))
def test_metadata_is_kept_when_it_is_json(metadata: Any, names: dict[str, Any]) -> None:
    config = RunnerConfig(metadata=metadata, prepopulate_actor_names=names)
    assert config.metadata == metadata
    assert config.prepopulate_actor_names == names


def test_config_is_unchanged_when_the_metadata_given_to_it_changes() -> None:
    metadata = {"tags": ["a"]}
    names = {"room": {"tags": ["a"]}}
    config = RunnerConfig(metadata=metadata, prepopulate_actor_names=names)
    metadata["tags"].append("b")
    names["room"]["tags"].append("b")
    assert config.metadata == {"tags": ["a"]}
    assert config.prepopulate_actor_names == {"room": {"tags": ["a"]}}


def test_assignment_fails_when_the_config_is_built() -> None:
    with pytest.raises(AttributeError):
        RunnerConfig().namespace = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        msgspec.structs.replace,
        lambda config: config.replace(),
        lambda config: pickle.loads(pickle.dumps(config)),
    ],
)
def test_config_is_equal_when_it_is_copied_in_another_environment(
    environment: pytest.MonkeyPatch, duplicate: Callable[[RunnerConfig], RunnerConfig]
) -> None:
    config = RunnerConfig(endpoint="https://ns:tok@host", metadata={"a": [1]}, start_timeout=5)
    environment.setenv("RIVET_NAMESPACE", "environment")
    environment.setenv("RIVET_TOTAL_SLOTS", "not a number")
    assert duplicate(config) == config
    assert duplicate(RunnerConfig(namespace="ns", total_slots=1)).token is None


def test_replace_changes_only_the_options_when_they_are_given() -> None:
    config = RunnerConfig(endpoint="https://ns:tok@host", version=3)
    replaced = config.replace(version=4, endpoint="https://other/")
    assert replaced == msgspec.structs.replace(config, version=4, endpoint="https://other")
    assert (replaced.namespace, replaced.token, replaced.runner_key) == ("ns", "tok", config.runner_key)


@pytest.mark.parametrize(
    ("options", "namespace", "token"),
    [
        ({"endpoint": "https://new:new-token@host"}, "new", "new-token"),
        ({"endpoint": "https://new@host"}, "new", "tok"),
        ({"endpoint": "https://new:new-token@host", "namespace": "mine"}, "mine", "new-token"),
        ({"endpoint": "https://new:new-token@host", "token": None}, "new", None),
        ({"token": None}, "ns", None),
    ],
)
def test_replace_takes_url_credentials_when_they_are_not_options(
    options: dict[str, Any], namespace: str, token: str | None
) -> None:
    replaced = RunnerConfig(endpoint="https://ns:tok@host").replace(**options)
    assert (replaced.namespace, replaced.token) == (namespace, token)


@pytest.mark.parametrize(
    "replace",
    [
        lambda **options: RunnerConfig().replace(**options),
        lambda **options: msgspec.structs.replace(RunnerConfig(), **options),
    ],
)
def test_replace_raises_when_an_option_is_bad(replace: Callable[..., RunnerConfig]) -> None:
    assert message_of(lambda: replace(kv_timeout=-1)).startswith("kv_timeout must be")
    assert message_of(lambda: replace(endpoint="host")).startswith("endpoint must be")
    message = message_of(lambda: replace(endpoint=f"https://ns:{SECRET}%20@host"))
    assert message.startswith("the token in endpoint must be")
    assert SECRET not in message


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
    url = RunnerConfig(endpoint=endpoint, namespace="a b/c", runner_key="k").connect_url(3)
    assert url == f"{start}?protocol_version=3&namespace=a%20b%2Fc&runner_key=k"


@given(namespace=st.text(min_size=1), runner_key=st.text(min_size=1), version=st.integers(0, 65_535))
def test_connect_url_is_read_back_when_its_values_need_encoding(namespace: str, runner_key: str, version: int) -> None:
    url = RunnerConfig(namespace=namespace, runner_key=runner_key).connect_url(version)
    assert url.isascii()
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query == {
        "protocol_version": [str(version)],
        "namespace": [namespace],
        "runner_key": [runner_key],
    }


def test_connect_url_has_no_token_when_there_is_one() -> None:
    config = RunnerConfig(endpoint=f"https://ns:{SECRET}@host")
    assert SECRET not in config.connect_url(3)
    assert SECRET not in config.endpoint


def test_subprotocols_are_rivet_alone_when_there_is_no_token() -> None:
    assert RunnerConfig().subprotocols == ["rivet"]
    assert RunnerConfig(token="abc").subprotocols == ["rivet", "rivet_token.abc"]
