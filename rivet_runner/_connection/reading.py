"""The end of a read: handlers are resumed, their replies leave, and the next read is polled for.

`EngineSocket` hands each message of a read to the session, which hands it on to the layers above. If a handler is waiting
for the message, it is registered in `Reading.arrivals`. At the end of the read, `Reading.read_done` resumes these handlers,
sends their replies in one write, and polls for the next read for a moment.
"""

from __future__ import annotations

from rivet_runner._connection.arrivals import Arrivals
from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.environment import Link
from rivet_runner._connection.uplink import Uplink

__all__ = ["Reading"]


class Reading:
    """Ends each read, on every connection of a runner in turn."""

    def __init__(self, uplink: Uplink, busy_poll: BusyPoll) -> None:
        self._uplink = uplink
        self._busy_poll = busy_poll
        self._socket: Link | None = None
        self.arrivals = Arrivals()
        """The handlers that got a message from the read under way."""

    def attach(self, socket: Link) -> None:
        """A connection is open: end its reads from now on."""
        self._socket = socket
        socket.on_read(self.read_done)

    def detach(self) -> None:
        """The connection is gone."""
        self._socket = None

    def read_done(self) -> None:
        """The messages of a read were handed over: resume the handlers that waited for them, and send their replies."""
        uplink = self._uplink
        uplink.hold()
        try:
            resumed = self.arrivals.resume()
        finally:
            uplink.release()
        if resumed:
            uplink.flush_now()
        else:
            uplink.flush_soon()  # in the turn of the tasks that the messages have started, right behind them
        self._busy_poll.read_done()

    def got_answer(self) -> None:
        """A message came in that gets no reply: acknowledge it at once."""
        if self._socket is not None:
            self._socket.acknowledge_at_once()
