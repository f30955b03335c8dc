"""The end of a read: handlers that wait for its messages go on, their replies leave, and the next read is looked for.

`EngineSocket` hands each message of a read to the session, which hands it on to the layers above. A handler that waits for
one is noted in `Reading.arrivals`. Once the messages were handed over, `Reading.read_done` resumes these handlers, sends
their replies in one write, and polls for the next read for a moment.
"""

from __future__ import annotations

from rivet_runner._connection.arrivals import Arrivals
from rivet_runner._connection.busy_poll import BusyPoll
from rivet_runner._connection.environment import Link
from rivet_runner._connection.uplink import Uplink

__all__ = ["Reading"]


class Reading:
    """Ends each read of whichever connection there is."""

    def __init__(self, uplink: Uplink, busy_poll: BusyPoll) -> None:
        self._uplink = uplink
        self._busy_poll = busy_poll
        self._socket: Link | None = None
        self.arrivals = Arrivals()
        """Handlers that get a message from the read that is under way."""

    def attach(self, socket: Link) -> None:
        """A connection is open."""
        self._socket = socket
        socket.on_read(self.read_done)

    def detach(self) -> None:
        """The connection is gone."""
        self._socket = None

    def read_done(self) -> None:
        """Messages were handed over: the handlers that wait for them go on, and what they send leaves at once."""
        uplink = self._uplink
        uplink.hold()
        try:
            resumed = self.arrivals.resume()
        finally:
            uplink.release()
        if resumed:
            uplink.flush_now()
        else:
            uplink.flush_soon()  # right behind the tasks that the messages have started
        self._busy_poll.read_done()

    def got_answer(self) -> None:
        """Something has come that gets no reply."""
        if self._socket is not None:
            self._socket.acknowledge_at_once()
