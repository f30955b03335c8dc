"""The committed modules are what the schemas compile to, and have the names that the package relies on."""

from __future__ import annotations

import enum
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import generate
import msgspec
import pytest
from bare.module import generate_versions
from bare.shapes import EnumShape, StructShape

from rivet_runner.protocol import messages
from tests.protocol.versions import COMMON, ROOTS, SCHEMAS, V3, V7, VERSIONS, Version, each_version

COMMAND = Path(generate.__file__)
MODULES = ["_shared", "messages", "v3", "v7"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(COMMAND), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_committed_modules_are_up_to_date() -> None:
    result = run("--check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_command_writes_every_module_as_it_is_committed(tmp_path: Path) -> None:
    assert generate.main(["--protocol", "runner", "--output", str(tmp_path)]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == MODULES
    for path in tmp_path.iterdir():
        assert path.read_text(encoding="utf-8") == (generate.MODULES / path.name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_the_first_line_says_that_the_module_is_generated(name: str) -> None:
    first, *_ = (generate.MODULES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert re.match(r"# This file is generated from .*protocol.* by protocol/generate\.py", first)


@pytest.mark.parametrize("names", [MODULES[:1], MODULES[1:]], ids=len)
def test_check_names_the_modules_that_are_out_of_date(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str]
) -> None:
    for path in generate.MODULES.glob("*.py"):
        shutil.copy(path, tmp_path)
    outdated = [tmp_path / f"{name}.py" for name in names]
    for path in outdated:
        path.write_text("# something else\n", encoding="utf-8")
    assert generate.main(["--protocol", "runner", "--output", str(tmp_path), "--check"]) == 1
    assert {path.read_text(encoding="utf-8") for path in outdated} == {"# something else\n"}
    errors = [f"{path} is not what the schemas compile to; generate it again" for path in outdated]
    assert sorted(capsys.readouterr().err.splitlines()) == errors


def test_the_client_protocol_compiles_to_a_folder_of_its_own(tmp_path: Path) -> None:
    assert generate.main(["--protocol", "client", "--output", str(tmp_path)]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["_shared", "messages", "v1", "v2", "v4"]
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        assert text == (generate.MODULES / "clients" / path.name).read_text(encoding="utf-8")
        assert "client protocol" in text or path.stem in ("_shared", "messages")


def test_other_folders_need_a_protocol(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--schemas", "--output"):
        with pytest.raises(SystemExit):
            generate.main([option, str(tmp_path)])
        assert "needs --protocol" in capsys.readouterr().err


def test_check_writes_nothing_when_there_are_no_modules(tmp_path: Path) -> None:
    assert generate.main(["--protocol", "runner", "--output", str(tmp_path), "--check"]) == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("file", "error"),
    [
        ("common.bare", "common.bare: line 2: the type Missing is not defined"),
        ("v7.bare", "v7.bare: line 2: the type Missing is not defined"),
    ],
)
def test_a_bad_schema_is_reported_with_its_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, error: str
) -> None:
    for schema in ("common.bare", "v3.bare", "v7.bare"):
        shutil.copy(generate.SCHEMAS / schema, tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    (tmp_path / file).write_text(f"# Wrong.\ntype Wrong list<Missing>\n{text}", encoding="utf-8")
    assert generate.main(["--protocol", "runner", "--schemas", str(tmp_path), "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/{error}\n"
    assert not [*tmp_path.glob("*.py")]


def test_help_names_the_options() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert all(word in result.stdout for word in ("--protocol", "--schemas", "--output", "--check"))


def test_compiling_twice_gives_the_same() -> None:
    assert generate_versions(COMMON, SCHEMAS, "s") == generate_versions(COMMON, SCHEMAS, "s")


@each_version
def test_the_functions_are_those_of_the_three_unions(version: Version) -> None:
    functions = {name for name in version.module.__all__ if name.startswith(("encode_", "decode_"))}
    assert {name.removeprefix("encode_").removeprefix("decode_") for name in functions} == {
        "to_server",
        "to_client",
        "to_serverless_server",
    }
    assert len(functions) == 2 * len(ROOTS)


@each_version
def test_a_module_exports_its_functions_and_every_type_of_its_schema(version: Version) -> None:
    types = {name for name in version.module.__all__ if not name.startswith(("encode_", "decode_"))}
    assert types == set(version.model.shapes)
    assert all(hasattr(version.module, name) for name in version.module.__all__)


def test_a_type_that_means_the_same_in_both_versions_is_one_class() -> None:
    for name in ("MessageId", "ToServerTunnelMessage", "ToClientTunnelMessage", "ActorConfig", "KvPutRequest", "StopCode"):
        assert getattr(V3.module, name) is getattr(V7.module, name) is getattr(messages, name)


def test_a_type_that_only_one_version_has_is_among_the_messages_without_a_version() -> None:
    assert messages.KvDeleteRangeRequest is V7.module.KvDeleteRangeRequest
    assert messages.ToServerPing is V3.module.ToServerPing


def test_a_type_that_differs_belongs_to_its_version_and_so_does_what_contains_it() -> None:
    both = V3.model.shapes.keys() & V7.model.shapes.keys()
    classes = {name for name in both if isinstance(V3.model.shapes[name], StructShape | EnumShape)}
    differing = {name for name in classes if getattr(V3.module, name) is not getattr(V7.module, name)}
    assert differing == {
        "CommandStartActor",
        "CommandStopActor",
        "CommandWrapper",
        "EventActorIntent",
        "EventActorSetAlarm",
        "EventActorStateUpdate",
        "EventWrapper",
        "KvGetResponse",
        "KvListResponse",
        "KvMetadata",
        "ProtocolMetadata",
        "ToClientAckEvents",
        "ToClientCommands",
        "ToClientInit",
        "ToClientKvResponse",
        "ToServerAckCommands",
        "ToServerEvents",
        "ToServerInit",
        "ToServerlessServerInit",
    }
    assert not differing.intersection(messages.__all__)


def is_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, msgspec.Struct | enum.Enum)


def test_a_union_without_a_version_has_the_members_of_all_versions() -> None:
    assert messages.KvRequestData == V3.module.KvRequestData | messages.KvDeleteRangeRequest
    assert messages.KvRequestData == V7.module.KvRequestData
    assert messages.ToServerTunnelMessageKind == V3.module.ToServerTunnelMessageKind
    assert messages.ToServerTunnelMessageKind == V7.module.ToServerTunnelMessageKind | messages.DeprecatedTunnelAck


@pytest.mark.parametrize("module", [messages, *(version.module for version in VERSIONS)])
def test_messages_are_frozen_and_untracked_by_the_garbage_collector(module: Any) -> None:
    structs = [made for made in vars(module).values() if isinstance(made, type) and issubclass(made, msgspec.Struct)]
    for struct in structs:
        config = struct.__struct_config__
        assert (config.frozen, config.gc) == (True, False), struct
    with pytest.raises(AttributeError):
        module.KvErrorResponse("").message = "other"


def test_fields_are_positional_required_and_in_the_order_of_the_bytes() -> None:
    assert V3.module.ToServerInit.__struct_fields__ == (
        "name",
        "version",
        "total_slots",
        "last_command_idx",
        "prepopulate_actor_names",
        "metadata",
    )
    assert V7.module.EventWrapper.__struct_fields__ == ("checkpoint", "inner")
    for version in VERSIONS:
        assert version.module.ToServerEvents.__struct_fields__ == ("items",)
        assert version.module.ToClientCommands.__struct_fields__ == ("items",)
    assert messages.ToClientWebSocketClose.__struct_defaults__ == ()


@pytest.mark.parametrize(
    ("version", "names"),
    [
        (V3, {"DeprecatedTunnelAck", "ToClientClose"}),
        (V7, {"CommandStopActor"}),
    ],
    ids=["v3", "v7"],
)
def test_a_void_member_is_a_struct_without_fields(version: Version, names: set[str]) -> None:
    common = {
        "ActorIntentSleep",
        "ActorIntentStop",
        "ActorStateRunning",
        "KvDeleteResponse",
        "KvDropRequest",
        "KvDropResponse",
        "KvListAllQuery",
        "KvPutResponse",
        "ToClientRequestAbort",
        "ToServerResponseAbort",
        "ToServerStopping",
    }
    made = {name: getattr(version.module, name) for name in version.model.shapes}
    assert {name for name, one in made.items() if is_class(one) and not fields(one)} == common | names
    for name in common | names:
        assert made[name]() == made[name]()


def fields(made: Any) -> tuple[Any, ...]:
    return made.__struct_fields__ if issubclass(made, msgspec.Struct) else tuple(made)
