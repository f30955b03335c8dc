"""Reports of a worker's runner for the command, which answers the probes: one line each second, over a socket of its own.

A thread sends them, also while the event loop is blocked: that is one of the things that a report tells.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

from rivet_runner._observing.report import ReportSource, encode_report, report_to

__all__ = ["REPORT_SECONDS", "report_over"]

REPORT_SECONDS: Final = 1.0
"""Between two reports. Prometheus asks every 15 s or so, and Kubernetes every 10."""


def report_over(end: socket.socket) -> None:
    """Send the reports of each runner that starts in this context, until the command is gone or the process ends."""

    def begin(source: ReportSource) -> None:
        threading.Thread(target=_report, args=(end, source), name="rivet_runner: reports", daemon=True).start()

    report_to.set(begin)


def _report(end: socket.socket, source: ReportSource) -> None:
    pause = threading.Event()
    with contextlib.suppress(OSError):  # the command has gone, which the worker sees on its channel
        while True:
            end.sendall(encode_report(source()) + b"\n")
            pause.wait(REPORT_SECONDS)
