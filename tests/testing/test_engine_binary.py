from __future__ import annotations

from pathlib import Path

import pytest

from rivet_runner.errors import RivetRunnerError
from rivet_runner.testing import EngineNotFound
from rivet_runner.testing.engine_binary import find_engine_binary


def make_binary(path: Path, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    return path


def installed_in(folder: Path, platform: str = "linux-x64-musl") -> Path:
    return folder / ".engine/node_modules/@rivetkit" / f"engine-cli-{platform}" / "rivet-engine"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIVET_ENGINE_BINARY", raising=False)
    monkeypatch.chdir(tmp_path)


def test_installed_binary_is_found_when_the_working_directory_is_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = make_binary(installed_in(tmp_path))
    assert find_engine_binary() == binary
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert find_engine_binary() == binary


def test_nearest_installation_wins_when_there_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_binary(installed_in(tmp_path))
    nearer = make_binary(installed_in(tmp_path / "a"))
    monkeypatch.chdir(tmp_path / "a")
    assert find_engine_binary() == nearer


def test_file_is_passed_over_when_it_cannot_be_executed(tmp_path: Path) -> None:
    make_binary(installed_in(tmp_path, "darwin-arm64"), mode=0o644)
    binary = make_binary(installed_in(tmp_path, "linux-x64-musl"))
    assert find_engine_binary() == binary


def test_environment_wins_when_there_is_an_installation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_binary(installed_in(tmp_path))
    own = make_binary(tmp_path / "my-engine")
    monkeypatch.setenv("RIVET_ENGINE_BINARY", "my-engine")
    assert find_engine_binary() == own


def test_installation_is_used_when_the_environment_variable_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = make_binary(installed_in(tmp_path))
    monkeypatch.setenv("RIVET_ENGINE_BINARY", "")
    assert find_engine_binary() == binary


def test_environment_is_refused_when_there_is_no_such_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_binary(installed_in(tmp_path))
    monkeypatch.setenv("RIVET_ENGINE_BINARY", str(tmp_path))
    with pytest.raises(EngineNotFound, match="not an executable file"):
        find_engine_binary()


def test_error_says_how_to_get_the_engine_when_there_is_none() -> None:
    with pytest.raises(RivetRunnerError) as caught:
        find_engine_binary()
    assert "npm install --prefix .engine @rivetkit/engine-cli@2.3.19" in str(caught.value)
    assert "RIVET_ENGINE_BINARY" in str(caught.value)
