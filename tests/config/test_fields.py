"""Each field: its sources, its values, and the errors for other values."""

from __future__ import annotations

import copy
import pickle
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rivet_runner.config import RunnerConfig
from tests.config.support import VARIABLES, message_of

MIB = 1024 * 1024
SECRET = "s3cr3t-token"


def test_every_field_has_its_default_when_nothing_is_given() -> None:
    config = RunnerConfig()
    fields = msgspec.structs.asdict(config)
    runner_key = fields.pop("runner_key")
    assert str(uuid.UUID(runner_key)) == runner_key
    assert uuid.UUID(runner_key).version == 4
    assert fields == {
        "endpoint": "http://127.0.0.1:6420",
        "token": None,
        "namespace": "default",
        "runner_name": "default",
        "version": 1,
        "total_slots": 100_000,
        "protocol": 3,
        "metadata": {},
        "prepopulate_actor_names": {},
        "send_rate": 10_000.0,
        "busy_poll": 0.000_05,
        "hibernation_store": None,
        "health_port": None,
        "health_host": None,
        "health_timeout": 5.0,
        "metrics": None,
        "start_timeout": None,
        "init_timeout": 60,
        "stop_timeout": 120,
        "actor_start_timeout": 120,
        "actor_stop_timeout": 30,
        "sleep_after": None,
        "alarm_retries": 6,
        "block_warning": 1,
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
        ("RIVET_RUNNER_PROTOCOL", "7", "protocol", 7),
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


@pytest.mark.parametrize("value", [0, 4, 8, 3.0, True, "7", None])
def test_value_error_names_the_field_when_it_is_no_protocol(environment: pytest.MonkeyPatch, value: Any) -> None:
    message = message_of(lambda: RunnerConfig(protocol=value))
    assert message == f"protocol must be 3 or 7, a version of the runner protocol, not {value!r}"


@pytest.mark.parametrize("text", ["v7", "6", "07", "7.0", " 7", "٧"])
def test_value_error_names_the_variable_when_it_is_no_protocol(environment: pytest.MonkeyPatch, text: str) -> None:
    environment.setenv("RIVET_RUNNER_PROTOCOL", text)
    assert message_of(RunnerConfig).startswith("RIVET_RUNNER_PROTOCOL must be 3 or 7, ")


def test_the_protocol_is_3_unless_it_is_given(environment: pytest.MonkeyPatch) -> None:
    assert RunnerConfig().protocol == 3
    environment.setenv("RIVET_RUNNER_PROTOCOL", "7")
    assert RunnerConfig(protocol=3).protocol == 3
    assert RunnerConfig().replace(version=2).protocol == 7


@pytest.mark.parametrize("name", ["start_timeout", "actor_start_timeout", "init_timeout", "kv_timeout", "health_timeout"])
@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan"), float("inf"), True, "5", b"5", 10**400])
def test_value_error_names_the_field_when_it_is_not_a_positive_time(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    message = message_of(lambda: RunnerConfig(**options))
    assert message.startswith(f"{name} must be a finite number of seconds above 0")


@pytest.mark.parametrize("name", ["stop_timeout", "actor_stop_timeout", "busy_poll"])
@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), False, "5", None])
def test_value_error_names_the_field_when_it_is_a_negative_time(name: str, value: object) -> None:
    options: dict[str, Any] = {name: value}
    message = message_of(lambda: RunnerConfig(**options))
    assert message.startswith(f"{name} must be a finite number of seconds of 0 or more")


@pytest.mark.parametrize("name", ["init_timeout", "kv_timeout"])
def test_value_error_names_the_field_when_a_time_is_none_but_must_be_given(name: str) -> None:
    options: dict[str, Any] = {name: None}
    assert message_of(lambda: RunnerConfig(**options)).startswith(f"{name} must be")


@pytest.mark.parametrize("value", [-1, 65536, True, "8081", 1.0])
def test_value_error_names_the_field_when_the_health_port_is_no_port(value: Any) -> None:
    assert message_of(lambda: RunnerConfig(health_port=value)).startswith(
        "health_port must be a whole number from 0 to 65535"
    )


@pytest.mark.parametrize("value", ["", "localhost", "1.2.3", 1, b"127.0.0.1"])
def test_value_error_names_the_field_when_the_health_host_is_no_address(value: Any) -> None:
    assert message_of(lambda: RunnerConfig(health_host=value)).startswith("health_host must be an IP address")


@given(seconds=st.floats(min_value=1e-6, max_value=1e9) | st.integers(1, 10**9))
def test_time_is_kept_when_it_is_positive(seconds: float) -> None:
    names = ("start_timeout", "actor_start_timeout", "init_timeout", "stop_timeout", "actor_stop_timeout", "kv_timeout")
    config = RunnerConfig(**dict.fromkeys(names, seconds))  # type: ignore[arg-type]
    assert all(getattr(config, name) == seconds for name in names)


def test_zero_is_kept_when_something_is_not_to_take_any_time() -> None:
    config = RunnerConfig(stop_timeout=0, actor_stop_timeout=0, busy_poll=0)
    assert (config.stop_timeout, config.actor_stop_timeout, config.busy_poll) == (0, 0, 0)


def test_value_error_names_the_most_when_busy_poll_is_in_another_unit_than_seconds() -> None:
    message = message_of(lambda: RunnerConfig(busy_poll=50))
    assert message == "busy_poll must be a finite number of seconds of 0 or more, at most 0.01, not 50"


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
