"""An agent that works on a question for a long time, and shows each step to those who watch.

Each step is stored when it is done. So the work survives a restart: when you stop this program in the middle and start it
again, the agent goes on with the step at which it was. It can be cancelled at any time.

The model is a stand-in that invents words. Replace ``Model`` with your own client. ``rivet-runner dev examples.agent:app``
starts the program with an engine. Ask something in a second terminal, and follow the work:

  rivet-runner call agent/tea ask '"Why is tea hot?"' --create
  rivet-runner connect agent/tea progress
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Literal

import msgspec

from rivet_runner import Runner
from rivet_runner.actors import App, DurableActor, Event, UserError, action

STEPS: Final = ("plan", "research", "draft", "review", "answer")


class Model:
    """A stand-in for the client of a language model. ``word_seconds`` is how long it thinks about each word."""

    def __init__(self, word_seconds: float = 0.2) -> None:
        self.word_seconds = word_seconds

    async def words(self, prompt: str) -> AsyncIterator[str]:
        """Answer word by word."""
        for word in f"The {prompt.partition(':')[0]} of this is done with care .".split():
            await asyncio.sleep(self.word_seconds)
            yield word


class Job(msgspec.Struct):
    """The state of an agent. ``steps`` are the texts of the steps that are done, and ``run`` is the id of the work."""

    question: str = ""
    status: Literal["idle", "working", "done", "cancelled", "failed"] = "idle"
    steps: dict[str, str] = {}
    run: str = ""


class Progress(msgspec.Struct, frozen=True):
    """``text`` is what the step has come to so far."""

    step: str
    text: str


class Agent(DurableActor[Job]):
    sleep_after = 10.0

    progress = Event[Progress]()
    ended = Event[Job]()

    @action
    async def ask(self, question: str) -> None:
        """Begin to work on a question."""
        if self.state.status == "working":
            raise UserError("I am working on another question", code="busy", metadata={"question": self.state.question})
        self.state = Job(question, "working")
        # What is scheduled outlives this process, and a stop does not count as a failure.
        self.state.run = await self.schedule.after(0, self.work, question, retries=5)
        await self.save()

    @action
    async def cancel(self) -> bool:
        """Stop working, and return whether there was any work."""
        if self.state.status != "working":
            return False
        await self.schedule.cancel(self.state.run)
        await self.end("cancelled")
        return True

    @action
    async def show(self) -> Job:
        """Show the work as it is."""
        return self.state

    async def work(self, question: str) -> None:
        """Do the steps that are left. This runs again from its beginning if the actor stops in the middle."""
        if (self.state.question, self.state.status) != (question, "working"):
            return  # the process died before the question was stored, so the call has failed
        for step in STEPS:
            if step not in self.state.steps:
                self.state.steps[step] = await self.think(step)
                await self.save()
        await self.end("done")

    async def think(self, step: str) -> str:
        model: Model = self.resources
        words: list[str] = []
        async for word in model.words(f"{step}: {self.state.question}"):
            words.append(word)
            await self.progress.emit(Progress(step, " ".join(words)))
        return " ".join(words)

    async def end(self, status: Literal["done", "cancelled", "failed"]) -> None:
        self.state.status = status
        await self.save()
        await self.ended.emit(self.state)

    async def on_error(self, error: Exception, where: str) -> None:
        await super().on_error(error, where)
        if where == "work":
            await self.end("failed")


@asynccontextmanager
async def model(runner: Runner) -> AsyncIterator[Model]:
    """The model, which all agents of this process share."""
    yield Model()


app = App(Agent, lifespan=model)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
