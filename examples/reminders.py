"""Reminders: once at a time, or each morning by the clocks of a time zone.

An actor with reminders sleeps until the next one, for months if need be, and costs nothing meanwhile.
``rivet-runner dev examples.reminders:app`` starts the program with an engine. Add some reminders in a second terminal:

  rivet-runner call reminders/ada once '"tea"' 5 --create
  rivet-runner call reminders/ada daily '"stand-up"' '"30 9 * * MON-FRI"' '"Europe/Berlin"'
  rivet-runner call reminders/ada pending
"""

from __future__ import annotations

import logging
from datetime import datetime

import msgspec

from rivet_runner.actors import App, DurableActor, Event, UserError, action

KEPT = 100
"""Number of reminders that were due and are still listed."""


class Pending(msgspec.Struct, frozen=True):
    id: str
    text: str
    at: datetime


class Due(msgspec.Struct, frozen=True):
    text: str
    at: datetime


class Reminders(DurableActor[list[Due]]):
    sleep_after = 5.0

    due = Event[Due]()

    @action
    async def once(self, text: str, seconds: float) -> str:
        """Remind of ``text`` after so many seconds. Return an id for ``forget``."""
        return await self.schedule.after(seconds, self.remind, text)

    @action
    async def daily(self, text: str, expression: str, tz: str = "UTC") -> str:
        """Remind of ``text`` at the times of a cron expression. Saying it again changes the times."""
        try:
            return await self.schedule.cron(text, expression, self.remind, text, tz=tz)
        except ValueError as error:
            raise UserError(str(error), code="bad_time") from None

    @action
    async def forget(self, id: str) -> bool:
        """Remove a reminder, and return whether there was one."""
        return await self.schedule.cancel(id)

    @action
    async def pending(self) -> list[Pending]:
        """The reminders to come, the next one first."""
        return [Pending(each.id, each.args[0], each.at) for each in await self.schedule.list()]

    @action
    async def past(self) -> list[Due]:
        """The reminders that were due, the latest last."""
        return self.state

    async def remind(self, text: str) -> None:
        # This is where a program would send an e-mail. It may run again after a crash, so the e-mail needs an id.
        due = Due(text, self.now())
        self.state = [*self.state, due][-KEPT:]
        self.log.info("reminder: %s", text)
        await self.due.emit(due)


app = App(Reminders)

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    app.run()
