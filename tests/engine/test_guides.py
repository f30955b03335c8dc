"""The guides as their readers follow them, with the real engine: programs copied, and commands typed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from rivet_runner.testing import EngineApi, LocalEngine
from rivet_runner.testing.engine_binary import BINARY_VARIABLE, find_engine_binary
from tests.docs.copies import run_copies
from tests.docs.pages import DOCS, named, shell_blocks
from tests.engine.support import hosting

pytestmark = pytest.mark.real_engine("a reader has it")

FOLLOWED_ELSEWHERE = {"actors.md", "command.md", "raw.md"}
"""Pages whose commands start engines themselves, and which tests of their own follow."""


def test_programs_pass_when_they_are_copied_and_there_is_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BINARY_VARIABLE, str(find_engine_binary()))
    run_copies(tmp_path, needs_engine=True)


@pytest.mark.parametrize(
    "page", [page for page in DOCS if shell_blocks(page) and page.name not in FOLLOWED_ELSEWHERE], ids=named
)
async def test_commands_succeed_when_they_are_typed_one_after_another(page: Path) -> None:
    async with LocalEngine() as engine, hosting(engine, "counter"):
        api = EngineApi(engine.endpoint)
        await api.upsert_runner_config("counter")
        actor = await api.create_ready_actor("counter", runner_name="counter")
        shell = await asyncio.create_subprocess_exec(
            "bash",
            *("-euo", "pipefail", "-c", "\n".join(block.text for block in shell_blocks(page))),
            env=os.environ | {"RIVET_ENDPOINT": engine.endpoint, "ACTOR_ID": actor.actor_id, "NO_PROXY": "*"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await shell.communicate())[0].decode()
    assert shell.returncode == 0, output
    # The engine answers with its errors as JSON, and curl is content with them.
    assert '"code"' not in output, output
