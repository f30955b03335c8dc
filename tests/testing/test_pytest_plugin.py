"""The pytest plugin in projects of its users: each test runs pytest in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Final

import pytest

from rivet_runner.testing.engine_binary import BINARY_VARIABLE, find_engine_binary

pytestmark = pytest.mark.slow

pytest_plugins = ["pytester"]

PLUGIN: Final = ("-p", "rivet_runner.testing.pytest_plugin")

ROOM: Final = """
import asyncio, random
from datetime import timedelta
import pytest
from rivet_runner import Response, Runner

class Room(Runner):
    async def on_actor_start(self, actor):
        actor.state = actor.generation
    async def fetch(self, actor, request):
        await actor.kv.put(b"path", request.path.encode())
        return Response(f"{request.path} {actor.generation}")
    async def websocket(self, actor, ws):
        async for message in ws:
            await ws.send(message)
"""

CONFIG: Final = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makefile(".ini", pytest=CONFIG)
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_it=ROOM + tests)
    return project.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", *options, timeout=300)


class TestRivet:
    def test_month_passes_when_a_test_advances(self, project: pytest.Pytester) -> None:
        tests = """
async def test_it(rivet):
    async with rivet.host(Room):
        actor = await rivet.create("room")
        assert (await actor.request("GET", "/a")).text() == "/a 0"
        await rivet.advance(days=30)
        await actor.sleep()
        assert await actor.kv() == {b"path": b"/a"}
        assert asyncio.get_running_loop().time() > 30 * 86400

async def test_other_loops_are_the_usual_ones():
    assert type(asyncio.get_running_loop()).__module__.startswith("asyncio.")
"""
        run(project, tests).assert_outcomes(passed=2)

    def test_factories_of_the_project_hold_for_its_other_tests(self, project: pytest.Pytester) -> None:
        project.makeconftest("""
import asyncio
class Own(asyncio.SelectorEventLoop): pass
def pytest_asyncio_loop_factories(): return {"own": Own, "again": Own}
""")
        tests = """
async def test_rivet(rivet):
    assert type(asyncio.get_running_loop()).__name__ == "VirtualLoop"
async def test_own():
    assert type(asyncio.get_running_loop()).__name__ == "Own"
"""
        run(project, tests).assert_outcomes(passed=3)

    def test_strict_mode_needs_the_marker_of_pytest_asyncio(self, project: pytest.Pytester) -> None:
        tests = """
@pytest.mark.asyncio
async def test_it(rivet):
    await rivet.advance(1)
"""
        run(project, tests, "-o", "asyncio_mode=strict").assert_outcomes(passed=1)

    def test_reason_is_given_when_the_loop_is_not_the_tests_own(self, project: pytest.Pytester) -> None:
        tests = """
@pytest.mark.asyncio(loop_scope="module")
async def test_it(rivet):
    pass
"""
        result = run(project, tests)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*its scope is module*"])

    def test_reason_is_given_when_pytest_asyncio_is_missing(self, project: pytest.Pytester) -> None:
        project.makefile(".ini", pytest="[pytest]\n")
        result = run(project, "\ndef test_it(rivet):\n    pass\n", "-p", "no:asyncio")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*need pytest-asyncio*"])


class TestSeeds:
    TESTS: Final = """
seen = []
@pytest.mark.rivet_seeds(5)
async def test_marked(rivet):
    actor = await rivet.create("room")
    seen.append(actor.id)
    print("SEED", repr(rivet))
    assert "seed 3," not in repr(rivet)
    assert len(seen) == len(set(seen))

async def test_plain(rivet):
    print("PLAIN", repr(rivet))
"""

    def test_every_seed_is_another_run_and_a_failure_names_its_own(self, project: pytest.Pytester) -> None:
        result = run(project, self.TESTS)
        result.assert_outcomes(passed=5, failed=1)
        result.stdout.fnmatch_lines(["*Repeat this run with: pytest '*test_marked?seed3?' --rivet-seed 3", "*created*"])

    def test_one_seed_is_run_when_it_is_asked_for(self, project: pytest.Pytester) -> None:
        result = run(project, self.TESTS, "--rivet-seed", "3", "-s")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*PLAIN <SimulatedEngine seed 3,*"])

    def test_failure_is_repeated_by_what_its_report_says(self, project: pytest.Pytester) -> None:
        result = run(project, self.TESTS)
        [line] = [line for line in result.outlines if "Repeat this run" in line]
        node, seed = line.partition("'")[2].split("' --rivet-seed ")
        again = project.runpytest_subprocess(*PLUGIN, node, "--rivet-seed", seed, timeout=300)
        again.assert_outcomes(failed=1)


TYPED: Final = """
from rivet_runner.actors import App, DurableActor, Event, action

class Counter(DurableActor[int]):
    changed = Event[int]()

    @action
    async def add(self, by: int) -> int:
        self.state += by
        await self.changed.emit(self.state)
        return self.state

async def count(engine):
    async with engine.host(App(Counter)):
        counter = engine.client.get_or_create(Counter, "a")
        assert await counter.call(Counter.add, 1) == 1
        async with counter.connect() as live, live.on(Counter.changed) as changed:
            assert await live.call(Counter.add, 2) == 3
            assert await anext(changed) == 3
"""


class TestRivetEngine:
    TESTS: Final = """
@pytest.mark.parametrize("number", [1, 2])
async def test_it(rivet_engine, number):
    async with rivet_engine.host(Room):
        actor = await rivet_engine.create("room", key="same key")
        assert (await actor.request("GET", "/a")).text() == "/a 0"
        assert actor.status == "running"
        assert actor.error is None
        async with actor.websocket("/") as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
        assert await actor.kv() == {b"path": b"/a"}
        await actor.sleep()
        assert actor.status == "sleeping"
        assert (await rivet_engine.get_or_create("room", key="same key")).id == actor.id
        await actor.destroy()
        assert actor.status == "destroyed"
"""

    @pytest.mark.engine
    def test_tests_share_an_engine_and_nothing_else(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        monkeypatch.chdir(request.config.rootpath)
        monkeypatch.setenv(BINARY_VARIABLE, str(find_engine_binary()))
        monkeypatch.chdir(project.path)
        run(project, self.TESTS).assert_outcomes(passed=2)

    @pytest.mark.engine
    def test_both_engines_have_a_client_of_typed_actors(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        monkeypatch.chdir(request.config.rootpath)
        monkeypatch.setenv(BINARY_VARIABLE, str(find_engine_binary()))
        monkeypatch.chdir(project.path)
        tests = "\nasync def test_real(rivet_engine):\n    await count(rivet_engine)\n"
        tests += "\nasync def test_simulated(rivet):\n    await count(rivet)\n"
        run(project, TYPED + tests).assert_outcomes(passed=2)

    @pytest.mark.engine
    def test_reason_is_given_when_a_test_wants_both_engines(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> None:
        monkeypatch.chdir(request.config.rootpath)
        monkeypatch.setenv(BINARY_VARIABLE, str(find_engine_binary()))
        monkeypatch.chdir(project.path)
        result = run(project, "\nasync def test_it(rivet, rivet_engine):\n    pass\n")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*does not keep virtual time*"])

    def test_tests_are_skipped_with_the_reason_when_there_is_no_engine(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(BINARY_VARIABLE, raising=False)
        result = run(project, self.TESTS, "-rs")
        result.assert_outcomes(skipped=2)
        result.stdout.fnmatch_lines(["*no engine binary*"])


class TestCost:
    def test_plugin_imports_nothing_but_pytest_when_no_fixture_is_asked_for(self, project: pytest.Pytester) -> None:
        tests = """
import sys
import sysconfig
import venv
def test_it():
    heavy = {"websockets", "tenacity", "multidict", "msgspec"} & sys.modules.keys()
    assert heavy == set()
    assert {name for name in sys.modules if name.startswith("rivet_runner")} == {
        "rivet_runner", "rivet_runner._lazy", "rivet_runner.testing",
        "rivet_runner.testing.pytest_plugin", "rivet_runner.testing.pytest_fixtures",
    }
"""
        project.makepyfile(test_cost=tests)
        project.runpytest_subprocess(*PLUGIN, timeout=300).assert_outcomes(passed=1)

    def test_package_does_not_import_pytest(self) -> None:
        code = "import sys, rivet_runner.testing as t; [getattr(t, n) for n in t.__all__]; print('pytest' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
        assert done.stdout.strip() == "False"

    def test_plugin_is_registered_once_when_it_is_named_twice(self, project: pytest.Pytester) -> None:
        project.makeconftest('pytest_plugins = ["rivet_runner.testing.pytest_plugin"]')
        run(project, "\nasync def test_it(rivet):\n    pass\n", *PLUGIN).assert_outcomes(passed=1)


class TestWheel:
    def test_fixtures_are_there_when_the_wheel_is_installed(self, project: pytest.Pytester, tmp_path: Path) -> None:
        python = install_wheel(tmp_path)
        tests = """
import rivet_runner
async def test_it(rivet):
    await rivet.advance(days=1)
    assert "venv" in rivet_runner.__file__
"""
        project.makepyfile(test_it=ROOM + tests)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        done = subprocess.run(
            command, cwd=project.path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout


def install_wheel(folder: Path) -> Path:
    """The Python of a new environment with this package from a wheel, and the other packages of the running one.

    It needs no package index. The name of a folder in a ``.pth`` file does not bring the editable installation along.
    """
    source, pip = Path(__file__).parents[2], [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build, str(source)], check=True, timeout=300)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    [wheel] = folder.glob("*.whl")
    where = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    ).stdout.strip()
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300
    )
    (Path(where) / "others.pth").write_text(sysconfig.get_path("purelib"))
    return python
