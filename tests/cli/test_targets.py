"""``MODULE:NAME``: what it may be, and the line for everything that it may not be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rivet_runner import Runner
from rivet_runner.cli.errors import CommandError
from rivet_runner.cli.targets import contradiction, load_runner
from tests.cli.support import module

APP = """
    from rivet_runner import Runner
    from rivet_runner.serverless import serverless_app

    class Counter(Runner):
        pass

    class Room(Runner):
        def __init__(self, **options):
            super().__init__(endpoint="http://room.example", **options)

    class Program:
        def runner(self, **overrides):
            return Counter(runner_name="program", **overrides)

    class Outer:
        Inner = Counter

    instance = Counter(runner_name="instance")
    program = Program()
    site = serverless_app(Counter)

    def make():
        return Counter(runner_name="made")

    def make_class():
        return Counter

    def make_program():
        return program

    async def make_later():
        return instance

    def make_nothing():
        pass

    def fails():
        raise RuntimeError("no\\nluck")

    def leaves():
        raise SystemExit(3)

    number = 7
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules of a user, which are forgotten afterwards."""
    for name in ("RIVET_ENDPOINT", "RIVET_TOKEN", "RIVET_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = {*sys.modules}
    module(tmp_path, APP, "app_of_test.py")
    yield tmp_path
    for name in {*sys.modules} - before:
        if name.endswith("_of_test"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "runner_name"),
    [
        ("Counter", "default"),
        ("Outer.Inner", "default"),
        ("instance", "instance"),
        ("program", "program"),
        ("make", "made"),
        ("make_class", "default"),
        ("make_program", "program"),
    ],
)
def test_runner_is_made_when_the_target_is_one_or_makes_one(name: str, runner_name: str) -> None:
    runner = load_runner(f"app_of_test:{name}")
    assert isinstance(runner, Runner)
    assert runner.config.runner_name == runner_name


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("app_of_test", "'app_of_test' is not MODULE:NAME, such as app:Counter for the class Counter in app.py"),
        ("app_of_test.py:Counter", "names a file: write app_of_test:Counter"),
        ("app-of:Counter", "'app-of:Counter' is not MODULE:NAME"),
        (":Counter", "is not MODULE:NAME"),
        (
            "nowhere_of_test:Counter",
            "there is no module nowhere_of_test: run the command in the folder of nowhere_of_test.py",
        ),
        ("app_of_test:Countr", "app_of_test has no Countr: it has the runners Counter, Room, program"),
        (
            "app_of_test:Outer",
            "app_of_test:Outer is the class Outer, not a Runner subclass, a Runner, an App, or a function that makes one: "
            "it has the runners Counter, Room, program",
        ),
        ("app_of_test:number", "app_of_test:number is a value of type int, not a Runner subclass"),
        ("app_of_test:make_later", "app_of_test:make_later is an async function, not a Runner subclass"),
        ("app_of_test:make_nothing", "app_of_test:make_nothing makes a value of type NoneType, not a Runner"),
        ("app_of_test:site", "is a serverless application, whose runners the engine starts"),
        ("app_of_test:fails", "app_of_test:fails cannot be made: RuntimeError: no luck (app_of_test.py, line "),
        ("app_of_test:leaves", "app_of_test:leaves cannot be made: SystemExit: 3 (app_of_test.py, line "),
    ],
)
def test_line_says_what_is_wrong_when_there_is_no_runner(target: str, line: str) -> None:
    with pytest.raises(CommandError) as caught:
        load_runner(target)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def broken(:\n", "broken_of_test does not import: SyntaxError: invalid syntax (broken_of_test.py, line 1)"),
        (
            "import nothing_like_this\n",
            "ModuleNotFoundError: No module named 'nothing_like_this' (broken_of_test.py, line 1)",
        ),
        ("x = 1\n1 / 0\n", "ZeroDivisionError: division by zero (broken_of_test.py, line 2)"),
        ("raise SystemExit\n", "SystemExit: no message (broken_of_test.py, line 1)"),
    ],
)
def test_line_has_the_place_when_the_module_does_not_import(folder: Path, text: str, line: str) -> None:
    module(folder, text, "broken_of_test.py")
    with pytest.raises(CommandError) as caught:
        load_runner("broken_of_test:Counter")
    assert str(caught.value).endswith(line)
    details = caught.value.details
    assert details is not None
    assert "broken_of_test.py" in details
    assert "importlib" not in details, "only the user's own frames"


def test_config_error_is_the_line_when_a_variable_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET_TOTAL_SLOTS", "many")
    with pytest.raises(CommandError, match="ValueError: RIVET_TOTAL_SLOTS must be a whole number"):
        load_runner("app_of_test:Counter")


def test_option_is_refused_when_the_code_says_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVET_ENDPOINT", "http://engine.example")
    given = frozenset({"endpoint"})
    counter = load_runner("app_of_test:Counter").config
    assert contradiction("app:Counter", counter, given) is None
    room = load_runner("app_of_test:Room").config
    assert contradiction("app:Room", room, frozenset()) is None
    assert contradiction("app:Room", room, given) == (
        "app:Room sets `endpoint` in its code, which contradicts the engine that this command uses: remove it there"
    )
