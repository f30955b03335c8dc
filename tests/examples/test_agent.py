"""The example of an agent: watched, cancelled, and stopped in the middle of its work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from examples.agent import STEPS, Agent, Model, app
from rivet_runner import Runner
from rivet_runner.actors import App, UserError
from rivet_runner.testing import SimulatedEngine
from tests.simulated.rooms import virtual


@virtual
async def test_those_who_watch_see_each_word_of_each_step() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        agent = engine.client.get_or_create(Agent, "tea")
        async with agent.connect() as live:
            progress, ended = live.on(Agent.progress), live.on(Agent.ended)
            await live.call(Agent.ask, "Why is tea hot?")
            seen = [await anext(progress) for _ in range(9 * len(STEPS))]
            assert [each.text for each in seen[:3]] == ["The", "The plan", "The plan of"]
            assert list(dict.fromkeys(each.step for each in seen)) == [*STEPS]
            job = await anext(ended)
        assert (job.status, job.question, [*job.steps]) == ("done", "Why is tea hot?", [*STEPS])
        assert job.steps["draft"] == seen[9 * 3 - 1].text
        assert await agent.call(Agent.show) == job


@virtual
async def test_work_is_cancelled_at_once_and_can_begin_anew() -> None:
    async with SimulatedEngine(clock="virtual") as engine, engine.host(app):
        agent = engine.client.get_or_create(Agent, "tea")
        assert not await agent.call(Agent.cancel)
        await agent.call(Agent.ask, "Why is tea hot?")
        await engine.advance(3)
        with pytest.raises(UserError, match="another question") as caught:
            await agent.call(Agent.ask, "Why is milk white?")
        assert caught.value.metadata == {"question": "Why is tea hot?"}
        assert await agent.call(Agent.cancel)
        await engine.advance(60)
        job = await agent.call(Agent.show)
        assert (job.status, [*job.steps]) == ("cancelled", ["plan"])
        await agent.call(Agent.ask, "Why is milk white?")
        await engine.advance(60)
        assert (await agent.call(Agent.show)).status == "done"


@pytest.mark.parametrize("killed", [False, True])
@virtual
async def test_work_goes_on_with_its_step_when_the_program_is_started_again(killed: bool) -> None:
    prompts: list[str] = []

    class Noting(Model):
        async def words(self, prompt: str) -> AsyncIterator[str]:
            prompts.append(prompt.partition(":")[0])
            async for word in super().words(prompt):
                yield word

    @asynccontextmanager
    async def model(runner: Runner) -> AsyncIterator[Model]:
        yield Noting()

    noting = App(Agent, lifespan=model)
    async with SimulatedEngine(clock="virtual") as engine:
        agent = engine.client.get_or_create(Agent, "tea")
        async with engine.host(noting, runner_key="first") as runner:
            await agent.call(Agent.ask, "Why is tea hot?")
            await engine.advance(5)
            if killed:
                await engine.kill(runner)
        async with engine.host(noting, runner_key="second"):
            await engine.advance(120)
            job = await agent.call(Agent.show)
    assert (job.status, [*job.steps]) == ("done", [*STEPS])
    assert prompts == ["plan", "research", "draft", "draft", "review", "answer"]


@virtual
async def test_a_model_that_fails_for_good_is_the_end_of_the_work() -> None:
    class Broken(Model):
        def words(self, prompt: str) -> AsyncIterator[str]:
            raise ConnectionError("the model is away")

    @asynccontextmanager
    async def model(runner: Runner) -> AsyncIterator[Model]:
        yield Broken()

    async with SimulatedEngine(clock="virtual") as engine, engine.host(App(Agent, lifespan=model)):
        agent = engine.client.get_or_create(Agent, "tea")
        await agent.call(Agent.ask, "Why is tea hot?")
        await engine.advance(30)
        assert (await agent.call(Agent.show)).status == "working", "it is tried again"
        await engine.advance(60)
        assert (await agent.call(Agent.show)).status == "failed"
