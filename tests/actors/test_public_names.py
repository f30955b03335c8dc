"""The public names of typed actors, and the package without its extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rivet_runner import RivetRunnerError, actors

MEMBERS = {
    *("state", "save", "id", "name", "key", "input", "generation", "kv", "log", "resources", "stop_reason"),
    *("connections", "caller", "now", "sleep", "destroy", "spawn", "keep_awake", "schedule", "client"),
    *("sleep_after", "hibernate", "run_keeps_awake", "save_interval"),
    *("max_incoming_message", "max_outgoing_message", "max_params"),
    *("initial_state", "migrate_state", "on_create", "on_start", "on_sleep", "on_destroy", "before_connect"),
    *("on_connect", "on_disconnect", "run", "on_request", "on_websocket", "on_error"),
}


def test_all_holds_the_public_names_and_no_others() -> None:
    assert sorted(actors.__all__) == [
        "ActorError",
        "App",
        "CallTimeout",
        "Client",
        "ClientError",
        "Connection",
        "ConnectionLost",
        "DurableActor",
        "EngineUnreachable",
        "Event",
        "Schedule",
        "ScheduleFull",
        "Scheduled",
        "StateTooLarge",
        "UserError",
        "action",
    ]
    assert all(hasattr(actors, name) for name in actors.__all__)


def test_an_actor_has_these_members_and_no_others() -> None:
    assert {name for name in dir(actors.DurableActor) if not name.startswith("_")} == MEMBERS


def test_its_errors_stand_in_the_one_tree() -> None:
    errors = [value for value in vars(actors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(errors) >= 8
    assert all(issubclass(error, RivetRunnerError) for error in errors)
    assert issubclass(actors.UserError, actors.ActorError)


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["cbor2", "cronsim", "httpx"])
def test_the_extra_is_named_if_a_library_is_missing(missing: str) -> None:
    program = (
        "import sys\n"
        f"sys.modules[{missing!r}] = None\n"
        "try:\n"
        "    import rivet_runner.actors\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "rivet-runner[actors]"' in ran.stdout


@pytest.mark.slow
def test_the_package_below_does_not_import_them() -> None:
    program = (
        "import sys, rivet_runner, rivet_runner.runner, rivet_runner.testing\n"
        "rivet_runner.Runner, rivet_runner.testing.SimulatedEngine\n"
        "print([name for name in sys.modules if name.startswith(('rivet_runner.actors', 'cbor2', 'httpx', 'cronsim'))])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
