"""The committed module is what its schema compiles to, and has the names that the package relies on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import generate
import msgspec
import pytest
from bare.module import generate as compile_schema

from rivet_runner.protocol import v3
from tests.protocol.messages import SCHEMA

GENERATED = Path(v3.__file__)
COMMAND = Path(generate.__file__)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(COMMAND), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_committed_module_is_up_to_date() -> None:
    result = run(str(SCHEMA), "--output", str(GENERATED), "--check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_first_line_says_that_the_module_is_generated() -> None:
    assert "generated" in GENERATED.read_text(encoding="utf-8").splitlines()[0]


def test_the_command_writes_to_standard_output_or_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "v3.py"
    assert generate.main([str(SCHEMA)]) == 0
    assert generate.main([str(SCHEMA), "--output", str(output)]) == 0
    assert capsys.readouterr().out == output.read_text(encoding="utf-8") == GENERATED.read_text(encoding="utf-8")


def test_check_fails_and_writes_nothing_when_the_module_is_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "v3.py"
    assert generate.main([str(SCHEMA), "--output", str(output), "--check"]) == 1
    assert not output.exists()
    output.write_text("# something else\n", encoding="utf-8")
    assert generate.main([str(SCHEMA), "--output", str(output), "--check"]) == 1
    assert output.read_text(encoding="utf-8") == "# something else\n"
    assert "is not what its schema compiles to" in capsys.readouterr().err


def test_check_without_a_file_to_check_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        generate.main([str(SCHEMA), "--check"])
    assert caught.value.code == 2


def test_a_bad_schema_is_reported_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = tmp_path / "bad.bare"
    schema.write_text("type A u8\ntype B C\n", encoding="utf-8")
    assert generate.main([str(schema)]) == 1
    assert capsys.readouterr().err == f"{schema}: line 2: the type C is not defined\n"


def test_help_names_the_options() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("schema", "--output", "--check"))


def test_compiling_twice_gives_the_same() -> None:
    schema = SCHEMA.read_text(encoding="utf-8")
    assert compile_schema(schema, "s") == compile_schema(schema, "s")


def test_the_functions_are_those_of_the_three_unions() -> None:
    functions = {name for name in v3.__all__ if name.startswith(("encode_", "decode_"))}
    unions = ("to_server", "to_client", "to_serverless_server")
    assert functions == {f"{verb}_{union}" for verb in ("encode", "decode") for union in unions}


def test_messages_are_frozen_and_untracked_by_the_garbage_collector() -> None:
    structs = [made for made in vars(v3).values() if isinstance(made, type) and issubclass(made, msgspec.Struct)]
    for struct in structs:
        config = struct.__struct_config__
        assert (config.frozen, config.gc) == (True, False), struct
    with pytest.raises(AttributeError):
        v3.ToServerPing(1).ts = 2  # type: ignore[misc]


def test_fields_are_positional_required_and_in_the_order_of_the_bytes() -> None:
    assert v3.ToServerInit.__struct_fields__ == (
        "name",
        "version",
        "total_slots",
        "last_command_idx",
        "prepopulate_actor_names",
        "metadata",
    )
    assert v3.ToServerEvents.__struct_fields__ == v3.ToClientCommands.__struct_fields__ == ("items",)
    assert v3.ToClientWebSocketClose.__struct_defaults__ == ()


@pytest.mark.parametrize(
    "name",
    [
        "ActorIntentSleep",
        "ActorIntentStop",
        "ActorStateRunning",
        "DeprecatedTunnelAck",
        "KvDeleteResponse",
        "KvDropRequest",
        "KvDropResponse",
        "KvListAllQuery",
        "KvPutResponse",
        "ToClientClose",
        "ToClientRequestAbort",
        "ToServerResponseAbort",
        "ToServerStopping",
    ],
)
def test_a_void_member_is_a_struct_without_fields(name: str) -> None:
    made = getattr(v3, name)
    assert made.__struct_fields__ == ()
    assert made() == made()
